//! Checks a person's assertion over a statement that this realm made.

use hallway_api::act::Answer;
use hallway_evidence::{CredentialId, Response, SignedStatement, Statement};
use hallway_webauthn::wire::AuthenticationResponseJson;
use hallway_webauthn::{
    Assertion, AssertionError, AssertionPolicy, CounterVerdict, verify_assertion,
};
use serde::Deserialize;

use super::ceremony;
use crate::Gateway;
use crate::http::problem::{Code, Problem};
use crate::ledger::HashedStatement;
use crate::seal::Purpose;
use crate::store::{Credential, Holder, Person, PersonState, Unit, Use};

/// A statement with the signature of an active person's key.
#[derive(Debug)]
pub struct Checked {
    /// The statement that the person signed.
    pub statement: Statement,
    /// The statement with its signature, as it goes into the log.
    pub signed: HashedStatement,
    /// The holder of the key that signed.
    pub person: Person,
    /// The key that signed, as it was before this use.
    pub credential: Credential,
}

/// Why an assertion is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The answer is not an `AuthenticationResponseJSON`.
    #[error("the answer is not a WebAuthn assertion: {0}")]
    Malformed(String),
    /// No person holds this credential.
    #[error("no person here holds this key")]
    UnknownKey,
    /// The person is suspended.
    #[error("the person who holds this key is suspended")]
    Suspended,
    /// The assertion fails a step of WebAuthn Level 3, 7.2.
    #[error("{0}")]
    Assertion(#[from] AssertionError),
    /// The signature counter went back.
    #[error(
        "the key's counter went back: there may be a copy of it; remove it and register another"
    )]
    Cloned,
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let code = match refused {
            Refused::Malformed(_) => return Self::malformed(refused.to_string()),
            Refused::UnknownKey => Code::UnknownKey,
            Refused::Suspended => Code::Suspended,
            Refused::Assertion(_) => Code::BadAssertion,
            Refused::Cloned => Code::ClonedKey,
        };
        Self::new(code, refused.to_string())
    }
}

/// A statement of this realm with a valid signature, not yet accepted.
#[derive(Debug)]
pub struct Proven {
    statement: Statement,
    signed: HashedStatement,
    assertion: Assertion,
    /// The key that verifies the signature.
    public_key: Vec<u8>,
}

impl Proven {
    /// The name of the act.
    pub fn act(&self) -> &'static str {
        self.statement.act.name()
    }
}

/// Checks `answer` against the strictest policy. No unit is open meanwhile, so verifying signatures
/// keeps nobody waiting for the database.
///
/// # Errors
/// The statement is not from this realm, or too old; or [`Refused`].
pub async fn prove(
    gateway: &Gateway,
    purpose: Purpose,
    holder: &[u8],
    answer: &Answer,
) -> Result<Proven, Problem> {
    let statement = ceremony::open_answer(gateway, purpose, holder, answer)?;
    let json = AuthenticationResponseJson::deserialize(&answer.credential)
        .map_err(|error| Refused::Malformed(error.to_string()))?;
    let response = json
        .as_response()
        .map_err(|error| Refused::Malformed(error.to_string()))?;
    let id = CredentialId::new(response.credential_id)
        .map_err(|error| Refused::Malformed(error.to_string()))?;
    let (credential, _) = holding(gateway.store.read(), &id).await?;
    let signed = HashedStatement::from(SignedStatement {
        statement: answer.statement.0.clone(),
        credential_id: id,
        response: Response::Assertion {
            client_data_json: response.client_data_json.to_vec(),
            authenticator_data: response.authenticator_data.to_vec(),
            signature: response.signature.to_vec(),
        },
    });
    let assertion = verify_assertion(
        &gateway.rp,
        &signed.challenge(),
        &AssertionPolicy::default(),
        &credential.record(),
        &response,
    )
    .map_err(Refused::Assertion)?;
    Ok(Proven {
        statement,
        signed,
        assertion,
        public_key: credential.public_key,
    })
}

/// A credential, and the active person who holds it.
async fn holding(reader: &Unit<'_>, id: &CredentialId) -> Result<(Credential, Person), Problem> {
    let credential = reader.credentials().get(id).await?;
    let credential = credential.ok_or(Refused::UnknownKey)?;
    let Holder::Person(person) = credential.holder else {
        return Err(Refused::UnknownKey.into());
    };
    let person = reader.people().get(person).await?;
    let person = person.ok_or(Refused::UnknownKey)?;
    if person.state != PersonState::Active {
        return Err(Refused::Suspended.into());
    }
    Ok((credential, person))
}

/// Checks that the key and its counter are still as they were when the signature was verified,
/// judges the key's model by the current metadata, and records the key's use.
///
/// # Errors
/// [`Refused`], or [`models::verdict::Refused`](crate::models::verdict::Refused).
pub async fn check(
    gateway: &Gateway,
    unit: &Unit<'_>,
    proven: &Proven,
) -> Result<Checked, Problem> {
    let (credential, person) = holding(unit, &proven.signed.credential_id).await?;
    if credential.public_key != proven.public_key {
        return Err(Refused::UnknownKey.into());
    }
    let assertion = &proven.assertion;
    let (stored, received) = (credential.sign_count, assertion.sign_count);
    // Of two assertions that were verified at once, the later one may have been used first.
    let counts = stored != 0 || received != 0;
    if matches!(assertion.counter, CounterVerdict::WentBack { .. })
        || (counts && received <= stored)
    {
        return Err(Refused::Cloned.into());
    }
    let attestation = unit.attestations().get(&credential.id).await?;
    gateway.models.admit_person(
        gateway.doors.policy_of(proven.statement.act.door()),
        person.role,
        &credential,
        attestation.as_ref(),
        gateway.now(),
    )?;
    let used = Use {
        sign_count: assertion.sign_count,
        backed_up: assertion.backed_up,
        uv_initialized: credential.uv_initialized || assertion.user_verified,
        at: gateway.now(),
    };
    unit.credentials().note_use(&credential.id, used).await?;
    Ok(Checked {
        statement: proven.statement.clone(),
        signed: proven.signed.clone(),
        person,
        credential,
    })
}
