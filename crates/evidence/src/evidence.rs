//! Evidence: a signed statement that a gateway checked, and when it did.

use crate::fields::{DecodeError, Fields};
use crate::hash::{Hash, sha256};
use crate::signed_statement::{MAX_SIGNED_STATEMENT_BYTES, SignedStatement};
use crate::timestamp::Timestamp;

/// The longest evidence, in bytes.
pub const MAX_EVIDENCE_BYTES: usize = MAX_SIGNED_STATEMENT_BYTES + 64;

/// A signed statement and the time at which a gateway accepted it. Its hash is what the log
/// commits to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The signed statement, as it was handed in.
    pub signed: SignedStatement,
    /// When the gateway accepted it, by the gateway's clock.
    pub accepted: Timestamp,
}

impl Evidence {
    /// The deterministic encoding: `{signed: the bytes of the signed statement, accepted: ms}`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let signed = self.signed.encode();
        Fields::default()
            .with("signed", signed.as_slice())
            .with("accepted", &self.accepted)
            .encode()
    }

    /// Reads exactly one piece of evidence of at most [`MAX_EVIDENCE_BYTES`] bytes.
    ///
    /// # Errors
    /// [`DecodeError`] names the member that is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::decode(bytes, MAX_EVIDENCE_BYTES)?;
        let evidence = Self {
            signed: SignedStatement::decode(fields.take("signed")?)?,
            accepted: fields.take("accepted")?,
        };
        fields.finish()?;
        Ok(evidence)
    }

    /// SHA-256 of the encoding: the entry in the log.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(&self.encode())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential_id::CredentialId;
    use crate::signed_statement::Response;

    #[test]
    fn is_read_back_and_cuts_are_refused() {
        let evidence = Evidence {
            signed: SignedStatement {
                statement: b"statement".to_vec(),
                credential_id: CredentialId::new(*b"credential").unwrap(),
                response: Response::Registration {
                    client_data_json: b"{}".to_vec(),
                    attestation_object: vec![3; 300],
                },
            },
            accepted: Timestamp::from_ms(5),
        };
        let bytes = evidence.encode();
        assert_eq!(evidence.hash(), sha256(&bytes));
        for end in 0..bytes.len() {
            assert!(Evidence::decode(&bytes[..end]).is_err());
        }
        assert_eq!(Evidence::decode(&bytes), Ok(evidence));
    }
}
