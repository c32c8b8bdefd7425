//! The two steps of every act: a statement to sign, then its answer.

use hallway_evidence::statement::Act;
use hallway_evidence::{Line, Statement, Timestamp};
use hallway_webauthn::wire::Base64Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Gateway;
use crate::http::problem::{Code, Problem};
use crate::operator_key::random_bytes;
use crate::seal::{LIFETIME_MS, Purpose, SealError};

/// A statement to sign, and the WebAuthn options with which to ask a key for the signature.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Ceremony {
    /// The statement, deterministic CBOR. Its SHA-256 is the challenge.
    #[schemars(with = "String")]
    pub statement: Base64Url,
    /// The statement as a sentence: show it before the key is touched.
    pub sentence: String,
    /// Proves that the gateway made the statement; send it back with the answer.
    #[schemars(with = "String")]
    pub seal: Base64Url,
    /// The last moment at which the answer is accepted, milliseconds since 1970.
    pub expires_ms: u64,
    /// `PublicKeyCredentialCreationOptionsJSON` or `PublicKeyCredentialRequestOptionsJSON`.
    pub public_key: Value,
    /// The bytes of which the statement has only the hash; send them back with the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub attachment: Option<Base64Url>,
}

/// The answer to a [`Ceremony`].
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Answer {
    /// The statement, as [`Ceremony`] had it.
    #[schemars(with = "String")]
    pub statement: Base64Url,
    /// The seal, as [`Ceremony`] had it.
    #[schemars(with = "String")]
    pub seal: Base64Url,
    /// `RegistrationResponseJSON` or `AuthenticationResponseJSON`.
    pub credential: Value,
    /// The attachment, if [`Ceremony`] had one.
    #[schemars(with = "Option<String>")]
    pub attachment: Option<Base64Url>,
}

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

impl Ceremony {
    /// Seals `statement` for one `purpose` and `holder` and pairs it with WebAuthn options.
    pub fn new(
        gateway: &Gateway,
        purpose: Purpose,
        holder: &[u8],
        statement: &Statement,
        public_key: impl Serialize,
    ) -> Result<Self, Problem> {
        let bytes = statement.encode();
        Ok(Self {
            sentence: statement.sentence(),
            seal: Base64Url(gateway.sealer.seal(purpose, holder, &bytes)),
            expires_ms: statement.issued.as_ms() + LIFETIME_MS,
            statement: Base64Url(bytes),
            public_key: serde_json::to_value(public_key)
                .map_err(|error| Problem::internal(&error))?,
            attachment: None,
        })
    }
}

impl Answer {
    /// The statement, if this realm sealed it for this purpose and holder, and it has not expired.
    pub fn open(
        &self,
        gateway: &Gateway,
        purpose: Purpose,
        holder: &[u8],
    ) -> Result<Statement, Problem> {
        open(
            gateway,
            purpose,
            holder,
            (&self.statement.0, &self.seal.0),
            gateway.now(),
        )
    }
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
