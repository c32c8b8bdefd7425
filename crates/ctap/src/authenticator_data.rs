//! Authenticator data, the part of every FIDO signature that the authenticator writes
//! (WebAuthn Level 3, 6.1).

use alloc::vec::Vec;
use core::ops::BitOr;

use crate::aaguid::Aaguid;
use crate::cbor::{self, Form, Malformed};

/// The longest credential id: WebAuthn Level 3, 7.1, step 25.
pub const MAX_CREDENTIAL_ID: usize = 1023;

/// The flags byte of authenticator data.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags(u8);

impl Flags {
    /// UP: a person was present.
    pub const USER_PRESENT: Self = Self(0x01);
    /// UV: the authenticator recognised its owner, by PIN or biometry.
    pub const USER_VERIFIED: Self = Self(0x04);
    /// BE: the credential may be copied to other devices.
    pub const BACKUP_ELIGIBLE: Self = Self(0x08);
    /// BS: the credential is copied to other devices now.
    pub const BACKED_UP: Self = Self(0x10);
    /// AT: attested credential data follow.
    pub const ATTESTED_CREDENTIAL: Self = Self(0x40);
    /// ED: extension outputs follow.
    pub const EXTENSIONS: Self = Self(0x80);

    /// All eight bits as they came, reserved ones too.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The byte as it is sent.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether every flag of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Authenticator data, borrowed from the bytes that were signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuthenticatorData<'a> {
    /// SHA-256 of the relying party id, 32 bytes.
    pub rp_id_hash: &'a [u8; 32],
    /// UP, UV, BE, BS, AT, ED.
    pub flags: Flags,
    /// The signature counter; 0 where the authenticator keeps none.
    pub sign_count: u32,
    /// The new credential; present exactly when AT is set.
    pub attested_credential: Option<AttestedCredential<'a>>,
    /// A CBOR map of extension outputs; present exactly when ED is set.
    pub extensions: Option<&'a [u8]>,
}

/// Attested credential data (WebAuthn Level 3, 6.5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AttestedCredential<'a> {
    /// The authenticator's model.
    pub aaguid: Aaguid,
    /// The credential id, at most [`MAX_CREDENTIAL_ID`] bytes.
    pub credential_id: &'a [u8],
    /// A COSE_Key; decode it with [`crate::cose::PublicKey::decode`].
    pub public_key: &'a [u8],
}

/// Why bytes are not authenticator data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticatorDataError {
    /// Shorter than its fixed part or than its lengths say.
    #[error("the authenticator data are cut short")]
    Truncated,
    /// The credential id is longer than [`MAX_CREDENTIAL_ID`].
    #[error("the credential id is longer than 1023 bytes")]
    CredentialIdTooLong,
    /// The public key is not a CBOR map.
    #[error("the credential public key is not acceptable CBOR: {0}")]
    PublicKey(Malformed),
    /// The extension outputs are not a CBOR map.
    #[error("the extension outputs are not acceptable CBOR: {0}")]
    Extensions(Malformed),
    /// Bytes follow what the flags announce.
    #[error("{0} bytes follow the authenticator data")]
    Trailing(usize),
}

impl<'a> AuthenticatorData<'a> {
    /// Parses exactly `bytes`; anything left over is an error.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, AuthenticatorDataError> {
        let mut rest = bytes;
        let rp_id_hash = take::<32>(&mut rest)?;
        let [flags] = *take::<1>(&mut rest)?;
        let flags = Flags::from_bits(flags);
        let sign_count = u32::from_be_bytes(*take::<4>(&mut rest)?);
        let attested_credential = if flags.contains(Flags::ATTESTED_CREDENTIAL) {
            Some(AttestedCredential::parse(&mut rest)?)
        } else {
            None
        };
        let extensions = if flags.contains(Flags::EXTENSIONS) {
            Some(take_map(&mut rest).map_err(AuthenticatorDataError::Extensions)?)
        } else {
            None
        };
        if !rest.is_empty() {
            return Err(AuthenticatorDataError::Trailing(rest.len()));
        }
        Ok(Self {
            rp_id_hash,
            flags,
            sign_count,
            attested_credential,
            extensions,
        })
    }

    /// The bytes to sign. AT and ED are set from what is present, whatever `flags` say.
    ///
    /// # Errors
    /// [`AuthenticatorDataError::CredentialIdTooLong`].
    pub fn encode(&self) -> Result<Vec<u8>, AuthenticatorDataError> {
        let attested = self
            .attested_credential
            .map_or(0, |_| Flags::ATTESTED_CREDENTIAL.bits());
        let extensions = self.extensions.map_or(0, |_| Flags::EXTENSIONS.bits());
        let markers = Flags::ATTESTED_CREDENTIAL.bits() | Flags::EXTENSIONS.bits();
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(self.rp_id_hash);
        out.push(self.flags.bits() & !markers | attested | extensions);
        out.extend_from_slice(&self.sign_count.to_be_bytes());
        if let Some(credential) = &self.attested_credential {
            let length = credential.credential_id.len();
            if length > MAX_CREDENTIAL_ID {
                return Err(AuthenticatorDataError::CredentialIdTooLong);
            }
            out.extend_from_slice(&credential.aaguid.0);
            out.extend_from_slice(&(length as u16).to_be_bytes());
            out.extend_from_slice(credential.credential_id);
            out.extend_from_slice(credential.public_key);
        }
        if let Some(extensions) = self.extensions {
            out.extend_from_slice(extensions);
        }
        Ok(out)
    }
}

impl<'a> AttestedCredential<'a> {
    fn parse(rest: &mut &'a [u8]) -> Result<Self, AuthenticatorDataError> {
        let aaguid = Aaguid(*take::<16>(rest)?);
        let length = usize::from(u16::from_be_bytes(*take::<2>(rest)?));
        if length > MAX_CREDENTIAL_ID {
            return Err(AuthenticatorDataError::CredentialIdTooLong);
        }
        let (credential_id, after) = rest
            .split_at_checked(length)
            .ok_or(AuthenticatorDataError::Truncated)?;
        *rest = after;
        let public_key = take_map(rest).map_err(AuthenticatorDataError::PublicKey)?;
        Ok(Self {
            aaguid,
            credential_id,
            public_key,
        })
    }
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], AuthenticatorDataError> {
    let (head, tail) = rest
        .split_first_chunk::<N>()
        .ok_or(AuthenticatorDataError::Truncated)?;
    *rest = tail;
    Ok(head)
}

fn take_map<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let (item, tail) = cbor::first_item(rest, Form::Tolerant)?;
    if item.first().is_none_or(|byte| byte >> 5 != 5) {
        return Err(Malformed::NotMap);
    }
    *rest = tail;
    Ok(item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn registration() -> Vec<u8> {
        AuthenticatorData {
            rp_id_hash: &[7; 32],
            flags: Flags::USER_PRESENT,
            sign_count: 0x0102_0304,
            attested_credential: Some(AttestedCredential {
                aaguid: Aaguid([9; 16]),
                credential_id: b"id",
                public_key: &[0xa0],
            }),
            extensions: Some(&[0xa1, 0x61, 0x78, 0xf5]),
        }
        .encode()
        .unwrap()
    }

    #[test]
    fn printing_then_parsing_gives_the_same_parts() {
        let bytes = registration();
        let data = AuthenticatorData::parse(&bytes).unwrap();
        assert_eq!(data.encode().unwrap(), bytes);
        assert_eq!(data.sign_count, 0x0102_0304);
        assert_eq!(data.attested_credential.unwrap().credential_id, b"id");
        assert!(
            data.flags
                .contains(Flags::ATTESTED_CREDENTIAL | Flags::EXTENSIONS)
        );
    }

    #[test]
    fn every_cut_is_refused() {
        let bytes = registration();
        for end in 0..bytes.len() {
            assert!(
                AuthenticatorData::parse(&bytes[..end]).is_err(),
                "cut at {end}"
            );
        }
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = registration();
        bytes.push(0);
        assert_eq!(
            AuthenticatorData::parse(&bytes),
            Err(AuthenticatorDataError::Trailing(1))
        );
    }

    #[test]
    fn a_long_credential_id_is_refused() {
        let mut bytes = vec![0; 37 + 16];
        bytes[32] = Flags::ATTESTED_CREDENTIAL.bits();
        bytes.extend(1024u16.to_be_bytes());
        bytes.extend([0; 1030]);
        assert_eq!(
            AuthenticatorData::parse(&bytes),
            Err(AuthenticatorDataError::CredentialIdTooLong)
        );
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = AuthenticatorData::parse(&bytes);
        }
    }
}
