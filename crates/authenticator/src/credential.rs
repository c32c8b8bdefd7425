//! One credential, and the record of a discoverable one.

use alloc::string::String;
use alloc::vec::Vec;

use hallway_ctap::cbor::{Encode, Form, Map, MapBuilder, Value};
use hallway_ctap::command::User;
use hallway_ctap::command::get_assertion::OwnedUser;
use hallway_ctap::cose::Algorithm;
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::signatures::{PrivateKey, PrivateKeyError};

/// credProtect (CTAP 2.3, section 12.1): when a credential may be used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[repr(u8)]
pub(crate) enum Protection {
    /// 1: userVerificationOptional.
    #[default]
    Optional = 1,
    /// 2: userVerificationOptionalWithCredentialIDList.
    OptionalWithId = 2,
    /// 3: userVerificationRequired.
    Required = 3,
}

impl Protection {
    pub(crate) const fn from_level(level: u64) -> Option<Self> {
        match level {
            1 => Some(Self::Optional),
            2 => Some(Self::OptionalWithId),
            3 => Some(Self::Required),
            _ => None,
        }
    }

    /// Whether a caller may see the credential, by id or by discovery, `verified` or not.
    pub(crate) const fn reveals(self, lookup: Lookup, verified: bool) -> bool {
        match self {
            Self::Optional => true,
            Self::OptionalWithId => verified || matches!(lookup, Lookup::ById),
            Self::Required => verified,
        }
    }
}

/// How a credential is looked up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lookup {
    ById,
    Discovery,
}

/// The features that were agreed on at creation, as a set of bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Features(u8);

impl Features {
    pub(crate) const LARGE_BLOB_KEY: Self = Self(1);
    pub(crate) const THIRD_PARTY_PAYMENT: Self = Self(2);
    pub(crate) const LARGE_BLOB: Self = Self(4);

    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    pub(crate) const fn with(self, other: Self, wanted: bool) -> Self {
        if wanted { Self(self.0 | other.0) } else { self }
    }

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A credential with its secret.
#[derive(Clone)]
pub(crate) struct Credential {
    pub(crate) id: Vec<u8>,
    /// The relying party id; discoverable credentials only.
    pub(crate) rp_id: Option<String>,
    /// The account; discoverable credentials only.
    pub(crate) user: Option<OwnedUser>,
    pub(crate) algorithm: Algorithm,
    /// The private key and the secrets of extensions are derived from it.
    pub(crate) secret: Zeroizing<[u8; 32]>,
    pub(crate) protection: Protection,
    pub(crate) features: Features,
    pub(crate) cred_blob: Vec<u8>,
    /// Counts up with each discoverable credential.
    pub(crate) created: u32,
}

/// Whether the owner was verified: hmac-secret has one secret for each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verified {
    Yes,
    No,
}

impl From<bool> for Verified {
    fn from(verified: bool) -> Self {
        if verified { Self::Yes } else { Self::No }
    }
}

impl Credential {
    pub(crate) fn private_key(&self) -> Result<PrivateKey, PrivateKeyError> {
        PrivateKey::derive(self.algorithm, &self.secret)
    }

    /// CredRandomWithUV or CredRandomWithoutUV (CTAP 2.3, section 12.7).
    pub(crate) fn cred_random(&self, verified: Verified) -> Zeroizing<[u8; 32]> {
        self.expand(match verified {
            Verified::Yes => b"hallway hmac-secret with UV",
            Verified::No => b"hallway hmac-secret without UV",
        })
    }

    /// The key of the largeBlobKey extension.
    pub(crate) fn large_blob_key(&self) -> Option<Vec<u8>> {
        self.features
            .has(Features::LARGE_BLOB_KEY)
            .then(|| self.expand(b"hallway large blob key").to_vec())
    }

    /// A secret of 32 bytes, unique to this credential and `info`.
    pub(crate) fn expand(&self, info: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0; 32]);
        // 32 bytes are far below the limit of HKDF.
        let _ = Hkdf::<Sha256>::new(None, &self.secret[..]).expand(info, &mut out[..]);
        out
    }

    /// The record of a discoverable credential.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(256));
        MapBuilder::new()
            .put(1, &self.id)
            .put_some(2, self.rp_id.as_deref())
            .put_some(3, self.user.as_ref().map(OwnedUser::as_user))
            .put(4, self.algorithm.id())
            .put(5, &self.secret[..])
            .put(6, self.protection as u8)
            .put(7, self.features.bits())
            .put(8, &self.cred_blob)
            .put(9, self.created)
            .encode(&mut out);
        out
    }

    /// Decodes the record; `None` if it is malformed.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let map = Map::parse(bytes, Form::Canonical).ok()?;
        Some(Self {
            id: map.get(1)?.bytes().ok()?.to_vec(),
            rp_id: Some(map.get(2)?.text().ok()?.into()),
            user: Some(User::parse(map.get(3)?).ok()?.into()),
            algorithm: Algorithm::from_id(map.get(4)?.integer().ok()?)?,
            secret: Zeroizing::new(*map.get(5)?.array().ok()?),
            protection: Protection::from_level(map.get(6)?.unsigned().ok()?)?,
            features: Features(small(map.get(7)?)?),
            cred_blob: map.get(8)?.bytes().ok()?.to_vec(),
            created: u32::try_from(map.get(9)?.unsigned().ok()?).ok()?,
        })
    }
}

fn small(value: Value<'_>) -> Option<u8> {
    u8::try_from(value.unsigned().ok()?).ok()
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive() {
        let credential = Credential {
            id: alloc::vec![1; 32],
            rp_id: Some("example.org".into()),
            user: Some(OwnedUser {
                id: alloc::vec![2; 64],
                name: Some("ada".into()),
                display_name: None,
            }),
            algorithm: Algorithm::EdDsa,
            secret: Zeroizing::new([3; 32]),
            protection: Protection::OptionalWithId,
            features: Features::default().with(Features::LARGE_BLOB_KEY, true),
            cred_blob: alloc::vec![4; 32],
            created: 70_000,
        };
        let bytes = credential.encode();
        let again = Credential::decode(&bytes).unwrap();
        assert_eq!(again.encode(), bytes);
        assert!(again.large_blob_key().is_some());
        for end in 0..bytes.len() {
            assert!(Credential::decode(&bytes[..end]).is_none());
        }
    }

    #[test]
    fn protection_hides_as_the_specification_says() {
        use Lookup::{ById, Discovery};
        use Protection::{Optional, OptionalWithId, Required};
        for (protection, lookup, verified, visible) in [
            (Optional, Discovery, false, true),
            (OptionalWithId, Discovery, false, false),
            (OptionalWithId, ById, false, true),
            (OptionalWithId, Discovery, true, true),
            (Required, ById, false, false),
            (Required, Discovery, true, true),
        ] {
            assert_eq!(protection.reveals(lookup, verified), visible);
        }
    }
}
