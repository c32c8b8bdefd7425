//! A signed statement: a statement, and the answer of a FIDO key to its hash.

use crate::credential_id::CredentialId;
use crate::fields::{DecodeError, Fields};
use crate::statement::{MAX_STATEMENT_BYTES, Statement};

/// The longest signed statement, in bytes: room for an attestation with a long certificate chain.
pub const MAX_SIGNED_STATEMENT_BYTES: usize = 64 * 1024;

/// A statement and the response that a FIDO key gave to its hash.
///
/// Only the form of both was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedStatement {
    /// The statement, as it was hashed.
    pub statement: Vec<u8>,
    /// The credential that answered, or that was made.
    pub credential_id: CredentialId,
    /// The key's answer.
    pub response: Response,
}

/// A FIDO key's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// The answer to navigator.credentials.get() (WebAuthn Level 3, 5.2.2).
    Assertion {
        /// The serialized client data, JSON.
        client_data_json: Vec<u8>,
        /// The authenticator data.
        authenticator_data: Vec<u8>,
        /// The signature over both.
        signature: Vec<u8>,
    },
    /// The answer to navigator.credentials.create() (WebAuthn Level 3, 5.2.1).
    Registration {
        /// The serialized client data, JSON.
        client_data_json: Vec<u8>,
        /// The attestation object, CBOR.
        attestation_object: Vec<u8>,
    },
}

impl Response {
    /// The serialized client data, whichever response it is.
    #[must_use]
    pub fn client_data_json(&self) -> &[u8] {
        match self {
            Self::Assertion {
                client_data_json, ..
            }
            | Self::Registration {
                client_data_json, ..
            } => client_data_json,
        }
    }
}

impl SignedStatement {
    /// The deterministic encoding: `{statement, credential, assertion | registration}`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let fields = Fields::default()
            .with("statement", self.statement.as_slice())
            .with("credential", &self.credential_id);
        match &self.response {
            Response::Assertion {
                client_data_json,
                authenticator_data,
                signature,
            } => fields.with(
                "assertion",
                Fields::default()
                    .with("client_data", client_data_json.as_slice())
                    .with("authenticator_data", authenticator_data.as_slice())
                    .with("signature", signature.as_slice()),
            ),
            Response::Registration {
                client_data_json,
                attestation_object,
            } => fields.with(
                "registration",
                Fields::default()
                    .with("client_data", client_data_json.as_slice())
                    .with("attestation_object", attestation_object.as_slice()),
            ),
        }
        .encode()
    }

    /// Reads exactly one signed statement of at most [`MAX_SIGNED_STATEMENT_BYTES`] bytes.
    ///
    /// # Errors
    /// [`DecodeError`] names the member that is wrong; the statement inside is not read.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::decode(bytes, MAX_SIGNED_STATEMENT_BYTES)?;
        let statement: &[u8] = fields.take("statement")?;
        if statement.len() > MAX_STATEMENT_BYTES {
            return Err(DecodeError::TooLarge {
                limit: MAX_STATEMENT_BYTES,
                got: statement.len(),
            });
        }
        let bytes_of = |fields: &mut Fields<'_>, key| fields.take::<&[u8]>(key).map(<[u8]>::to_vec);
        let mut inner;
        let response = match fields.take_optional::<Fields<'_>>("assertion")? {
            Some(assertion) => {
                inner = assertion;
                Response::Assertion {
                    client_data_json: bytes_of(&mut inner, "client_data")?,
                    authenticator_data: bytes_of(&mut inner, "authenticator_data")?,
                    signature: bytes_of(&mut inner, "signature")?,
                }
            }
            None => {
                inner = fields.take("registration")?;
                Response::Registration {
                    client_data_json: bytes_of(&mut inner, "client_data")?,
                    attestation_object: bytes_of(&mut inner, "attestation_object")?,
                }
            }
        };
        inner.finish()?;
        let signed = Self {
            statement: statement.to_vec(),
            credential_id: fields.take("credential")?,
            response,
        };
        fields.finish()?;
        Ok(signed)
    }

    /// Reads the statement inside.
    ///
    /// # Errors
    /// As [`Statement::decode`].
    pub fn read_statement(&self) -> Result<Statement, DecodeError> {
        Statement::decode(&self.statement)
    }

    /// SHA-256 of the statement: the challenge that the response must carry.
    #[must_use]
    pub fn challenge(&self) -> [u8; 32] {
        crate::hash::sha256(&self.statement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both() -> [SignedStatement; 2] {
        let signed = |response| SignedStatement {
            statement: b"statement".to_vec(),
            credential_id: CredentialId::new(*b"credential").unwrap(),
            response,
        };
        [
            signed(Response::Assertion {
                client_data_json: b"{}".to_vec(),
                authenticator_data: vec![1; 37],
                signature: vec![2; 70],
            }),
            signed(Response::Registration {
                client_data_json: b"{}".to_vec(),
                attestation_object: vec![3; 300],
            }),
        ]
    }

    #[test]
    fn both_kinds_are_read_back() {
        for signed in both() {
            let bytes = signed.encode();
            assert_eq!(SignedStatement::decode(&bytes), Ok(signed));
            for end in 0..bytes.len() {
                assert!(SignedStatement::decode(&bytes[..end]).is_err());
            }
        }
    }

    #[test]
    fn two_responses_or_none_are_refused() {
        let none = Fields::default()
            .with("statement", &b"s"[..])
            .with("credential", &b"c"[..]);
        assert_eq!(
            SignedStatement::decode(&none.clone().encode()),
            Err(DecodeError::Missing("registration"))
        );
        let assertion = || {
            Fields::default()
                .with("client_data", &b"{}"[..])
                .with("authenticator_data", &b"a"[..])
                .with("signature", &b"s"[..])
        };
        let two = none
            .with("assertion", assertion())
            .with("registration", Fields::default());
        assert_eq!(
            SignedStatement::decode(&two.encode()),
            Err(DecodeError::Unknown("registration".into()))
        );
    }

    #[test]
    fn oversize_is_refused() {
        let mut signed = both()[0].clone();
        signed.statement = vec![0; MAX_STATEMENT_BYTES + 1];
        assert!(matches!(
            SignedStatement::decode(&signed.encode()),
            Err(DecodeError::TooLarge {
                limit: MAX_STATEMENT_BYTES,
                ..
            })
        ));
        assert!(matches!(
            SignedStatement::decode(&vec![0; MAX_SIGNED_STATEMENT_BYTES + 1]),
            Err(DecodeError::TooLarge { .. })
        ));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            if let Ok(signed) = SignedStatement::decode(&bytes) {
                proptest::prop_assert_eq!(signed.encode(), bytes);
            }
        }
    }
}
