//! Statements that devices sign with nobody present: decoded, attributed and verified.

use std::time::Duration;

use hallway_evidence::{CredentialId, DeviceId, Response, SignedStatement, Statement, Timestamp};
use hallway_spine::Gateway;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::ledger::HashedStatement;
use hallway_spine::store::{StoreError, Unit};
use hallway_webauthn::{
    Assertion, AssertionPolicy, AssertionResponse, CredentialRecord, verify_assertion,
};

use crate::ingest::keyring::DeviceKey;

/// A signed statement of a device, decoded and for this realm, its signature not yet checked.
pub struct Unverified {
    /// The bytes as they came.
    pub signed: HashedStatement,
    /// Its statement.
    pub statement: Statement,
}

impl Unverified {
    /// Decodes bytes of at most [`hallway_evidence::MAX_SIGNED_STATEMENT_BYTES`].
    pub fn decode(gateway: &Gateway, bytes: &[u8]) -> Result<Self, Problem> {
        let malformed = |error: &dyn std::error::Error| Problem::malformed(error.to_string());
        let signed = SignedStatement::decode(bytes)
            .map(HashedStatement::from)
            .map_err(|error| malformed(&error))?;
        let statement = signed.read_statement().map_err(|error| malformed(&error))?;
        if statement.realm.as_str() != gateway.rp.id {
            return Err(Problem::new(
                Code::OtherRealm,
                format!("the statement is for {}", statement.realm),
            ));
        }
        Ok(Self { signed, statement })
    }

    /// Checks the signature under the policy for credentials that were enrolled as devices.
    pub fn verify(
        &self,
        gateway: &Gateway,
        record: &CredentialRecord,
    ) -> Result<Assertion, Problem> {
        let Response::Assertion {
            client_data_json,
            authenticator_data,
            signature,
        } = &self.signed.response
        else {
            return Err(Problem::malformed(
                "a device answers with an assertion here",
            ));
        };
        let response = AssertionResponse {
            credential_id: self.signed.credential_id.as_bytes(),
            client_data_json,
            authenticator_data,
            signature,
            user_handle: None,
        };
        let policy = AssertionPolicy::unattended_device();
        verify_assertion(
            &gateway.rp,
            &self.signed.challenge(),
            &policy,
            record,
            &response,
        )
        .map_err(|error| Problem::new(Code::BadSignature, error.to_string()))
    }
}

/// A refusal, with the device that it is about. The device is named only after its signature was
/// checked, so that no stranger's request is counted as the device's.
#[derive(Debug)]
pub struct TurnedAway {
    /// Why.
    pub problem: Problem,
    /// The device, if its signature was checked.
    pub device: Option<DeviceId>,
}

impl TurnedAway {
    /// A refusal of a device whose signature was checked.
    pub fn of(device: DeviceId) -> impl Fn(Problem) -> Self {
        move |problem| Self {
            problem,
            device: Some(device),
        }
    }
}

impl From<Problem> for TurnedAway {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            device: None,
        }
    }
}

impl From<StoreError> for TurnedAway {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

/// Judges the model of a device's key. A verdict holds until the metadata or the policies change.
///
/// # Errors
/// 403 `model-refused`.
pub async fn admit(gateway: &Gateway, reader: &Unit<'_>, key: &DeviceKey) -> Result<(), Problem> {
    let now = gateway.now();
    let epoch = gateway.models.epoch(now);
    if key.is_admitted(epoch) {
        return Ok(());
    }
    let id = CredentialId::new(key.record.id.clone()).map_err(|error| Problem::internal(&error))?;
    let attestation = reader.attestations().get(&id).await?;
    gateway
        .models
        .admit_device(key.record.aaguid, attestation.as_ref(), now)?;
    key.admit(epoch);
    Ok(())
}

/// Refuses a time that is too far from the gateway's, and names the gateway's time.
pub fn near(now: Timestamp, theirs: Timestamp, skew: Duration) -> Result<(), Problem> {
    if now.distance(theirs) <= skew {
        return Ok(());
    }
    Err(Problem::new(
        Code::ClockSkew,
        format!("the clock of the device shows {theirs}, that of the gateway {now}; set the device's clock"),
    )
    .with("now_ms", now.as_ms()))
}
