//! The two steps of every act: a statement to sign, then its answer.

use hallway_api::act::{Answer, Ceremony};
use hallway_evidence::statement::Act;
use hallway_evidence::{Line, Statement, Timestamp};
use hallway_webauthn::wire::Base64Url;
use serde::Serialize;

use crate::Gateway;
use crate::http::problem::{Code, Problem};
use crate::operator_key::random_bytes;
use crate::seal::{LIFETIME_MS, Purpose, SealError};

/// Makes a statement of `act` for this realm, issued now.
pub fn statement(gateway: &Gateway, act: impl Into<Act>) -> Result<Statement, Problem> {
    let nonce = random_bytes().map_err(|error| Problem::internal(&error))?;
    statement_with_nonce(gateway, act, *nonce)
}

/// As [`statement`], with a nonce that was chosen before because the act depends on it.
pub fn statement_with_nonce(
    gateway: &Gateway,
    act: impl Into<Act>,
    nonce: [u8; 16],
) -> Result<Statement, Problem> {
    let realm = Line::new(gateway.rp.id.as_str()).map_err(|error| Problem::internal(&error))?;
    Ok(Statement {
        realm,
        issued: gateway.now(),
        nonce,
        act: act.into(),
    })
}

/// Seals `statement` for one `purpose` and `holder` and pairs it with WebAuthn options.
pub fn seal(
    gateway: &Gateway,
    purpose: Purpose,
    holder: &[u8],
    statement: &Statement,
    public_key: impl Serialize,
) -> Result<Ceremony, Problem> {
    let bytes = statement.encode();
    Ok(Ceremony {
        sentence: statement.sentence(),
        seal: Base64Url(gateway.sealer.seal(purpose, holder, &bytes)),
        expires_ms: statement.issued.as_ms() + LIFETIME_MS,
        statement: Base64Url(bytes),
        public_key: serde_json::to_value(public_key).map_err(|error| Problem::internal(&error))?,
        attachment: None,
    })
}

/// The statement of an answer, if this realm sealed it for this purpose and holder, and it has not
/// expired.
pub fn open_answer(
    gateway: &Gateway,
    purpose: Purpose,
    holder: &[u8],
    answer: &Answer,
) -> Result<Statement, Problem> {
    let sealed = (answer.statement.0.as_slice(), answer.seal.0.as_slice());
    open(gateway, purpose, holder, sealed, gateway.now())
}

/// Opens a sealed statement; refusals are problems for an HTTP caller.
pub fn open(
    gateway: &Gateway,
    purpose: Purpose,
    holder: &[u8],
    (statement, seal): (&[u8], &[u8]),
    now: Timestamp,
) -> Result<Statement, Problem> {
    gateway
        .sealer
        .open(purpose, holder, statement, seal, now)
        .map_err(|error| {
            let code = match error {
                SealError::Foreign => Code::ForeignChallenge,
                SealError::Expired => Code::ExpiredChallenge,
            };
            Problem::new(code, error.to_string())
        })
}
