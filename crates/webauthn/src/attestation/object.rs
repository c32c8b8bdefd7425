//! The attestation object: format, statement and authenticator data (WebAuthn Level 3, 6.5.5).

use hallway_ctap::cbor::{self, Form, Malformed};

use super::AttestationError;
use crate::cbor_map::{self, CborMap};

/// The most bytes of one attestation object.
pub const MAX_ATTESTATION_OBJECT: usize = 256 * 1024;

/// An attestation object, borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AttestationObject<'a> {
    /// The format's identifier.
    pub format: &'a str,
    /// The attestation statement, one CBOR item.
    pub statement: &'a [u8],
    /// The authenticator data.
    pub authenticator_data: &'a [u8],
}

impl<'a> AttestationObject<'a> {
    /// Parses exactly `bytes`.
    ///
    /// # Errors
    /// [`AttestationError::Malformed`], also for trailing bytes and duplicate keys;
    /// [`AttestationError::TooLong`]; [`AttestationError::Missing`];
    /// [`AttestationError::WrongType`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, AttestationError> {
        let (format, statement, object) = format_and_statement(bytes)?;
        let data = object.get("authData");
        let data = data.ok_or(AttestationError::Missing("authData"))?;
        Ok(Self {
            format,
            statement,
            authenticator_data: cbor_map::bytes(data)
                .ok_or(AttestationError::WrongType("authData"))?,
        })
    }
}

/// The format, the statement, and the whole map that they are members of.
pub(crate) fn format_and_statement(
    bytes: &[u8],
) -> Result<(&str, &[u8], CborMap<'_>), AttestationError> {
    if bytes.len() > MAX_ATTESTATION_OBJECT {
        return Err(AttestationError::TooLong);
    }
    cbor::check(bytes, Form::Tolerant)?;
    let map = CborMap::new(bytes).ok_or(Malformed::NotMap)?;
    let member = |name| map.get(name).ok_or(AttestationError::Missing(name));
    let format = cbor_map::text(member("fmt")?).ok_or(AttestationError::WrongType("fmt"))?;
    Ok((format, member("attStmt")?, map))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// {"fmt": "none", "attStmt": {}, "authData": h'00'}
    const OBJECT: &str = "a363666d74646e6f6e656761747453746d74a068617574684461746141 00";

    fn object() -> Vec<u8> {
        hex::decode(OBJECT.replace(' ', "")).unwrap()
    }

    #[test]
    fn the_three_members_are_found() {
        let bytes = object();
        let parsed = AttestationObject::parse(&bytes).unwrap();
        assert_eq!(parsed.format, "none");
        assert_eq!(parsed.statement, [0xa0]);
        assert_eq!(parsed.authenticator_data, [0]);
    }

    #[test]
    fn trailing_bytes_cuts_duplicates_and_gaps_are_refused() {
        let bytes = object();
        let mut trailing = bytes.clone();
        trailing.push(0);
        assert_eq!(
            AttestationObject::parse(&trailing),
            Err(Malformed::Trailing(1).into())
        );
        for end in 0..bytes.len() {
            assert!(AttestationObject::parse(&bytes[..end]).is_err());
        }
        let mut twice = bytes.clone();
        twice[0] = 0xa4;
        twice.extend(&bytes[1..10]);
        assert_eq!(
            AttestationObject::parse(&twice),
            Err(Malformed::DuplicateKey.into())
        );
        assert_eq!(
            AttestationObject::parse(&[0xa0]),
            Err(AttestationError::Missing("fmt"))
        );
        assert_eq!(
            AttestationObject::parse(&vec![0; MAX_ATTESTATION_OBJECT + 1]),
            Err(AttestationError::TooLong)
        );
    }
}
