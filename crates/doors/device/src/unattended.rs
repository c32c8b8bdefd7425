//! What devices sign with nobody present: decoded, attributed and verified.

use std::time::Duration;

use hallway_evidence::{CredentialId, DeviceId, Response, SignedStatement, Statement, Timestamp};
use hallway_spine::Gateway;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::store::{StoreError, Unit};
use hallway_webauthn::{
    Assertion, AssertionPolicy, AssertionResponse, CredentialRecord, verify_assertion,
};

use crate::ingest::keyring::DeviceKey;

/// A signed statement of a device, decoded and for this realm, its signature not yet checked.
pub struct Unverified {
    /// As it came.
    pub signed: SignedStatement,
    /// Its statement.
    pub statement: Statement,
}

impl Unverified {
    /// Decodes bytes of at most [`hallway_evidence::MAX_SIGNED_STATEMENT_BYTES`].
    pub fn decode(gateway: &Gateway, bytes: &[u8]) -> Result<Self, Problem> {
        let malformed = |error: &dyn std::error::Error| Problem::malformed(error.to_string());
        let signed = SignedStatement::decode(bytes).map_err(|error| malformed(&error))?;
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
            &self.statement.hash(),
            &policy,
            record,
            &response,
        )
        .map_err(|error| Problem::new(Code::BadSignature, error.to_string()))
    }
}

/// A refusal, and the device that it is about once its signature was checked: nobody else's refusal
/// is told as a device's.
#[derive(Debug)]
pub struct TurnedAway {
    /// Why.
    pub problem: Problem,
    /// Which device, where that is certain.
    pub device: Option<DeviceId>,
}

impl TurnedAway {
    /// A refusal of a device that proved to be it.
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

/// Judges the model of a device's key, once for each time that something new is known.
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

/// Refuses a time that is too far from ours, and tells ours.
pub fn near(now: Timestamp, theirs: Timestamp, skew: Duration) -> Result<(), Problem> {
    if now.distance(theirs) <= skew {
        return Ok(());
    }
    Err(Problem::new(
        Code::ClockSkew,
        format!("the device says it is {theirs}, here it is {now}; set its clock"),
    )
    .with("now_ms", now.as_ms()))
}
