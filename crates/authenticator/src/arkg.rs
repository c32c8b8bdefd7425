//! ARKG-P256 as the holder of the private seed computes it (draft-bradleylundberg-cfrg-arkg,
//! sections 2, 3.1 to 3.3 and 4.1): anyone with the public seed can derive public keys from it;
//! only the holder of the private seed can derive the private keys that belong to them.

use hallway_ctap::cose::{Algorithm, ArkgPublicSeed, KeyAgreementKey};
use hkdf::Hkdf;
use p256::elliptic_curve::consts::U48;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::hash2curve::{ExpandMsgXmd, hash_to_scalar};
use p256::{NistP256, NonZeroScalar, PublicKey, Scalar, SecretKey};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::pin_protocol::hmac_sha256;
use crate::signatures::PrivateKey;

/// The separation tags of key blinding and of encapsulation: `DST_ext`, and `DST_aug`.
const BLINDING: &[u8] = b"ARKG-P256";
const ENCAPSULATION: &[u8] = b"ARKG-ECDH.ARKG-P256";
const MAX_CONTEXT_BYTES: usize = 64;
/// The tag that starts a key handle; an uncompressed point follows.
const TAG_BYTES: usize = 16;
const POINT_BYTES: usize = 65;

/// Why ARKG gives no private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArkgError {
    #[error("the context is longer than 64 bytes")]
    ContextTooLong,
    #[error("the key handle does not belong to this seed and context")]
    KeyHandle,
    /// Happens with probability 2^-256.
    #[error("the derived number is zero")]
    Zero,
}

/// The private seed: `sk_bl` and `sk_kem`. Both are overwritten on drop.
pub(crate) struct PrivateSeed {
    blinding: SecretKey,
    encapsulation: SecretKey,
}

impl PrivateSeed {
    /// ARKG-Derive-Seed, from two strings of 32 random or pseudorandom bytes each.
    pub(crate) fn derive(blinding: &[u8; 32], encapsulation: &[u8; 32]) -> Result<Self, ArkgError> {
        Ok(Self {
            blinding: private_key(hash_to_field(blinding, &[b"ARKG-BL-EC-KG.", BLINDING])?)?,
            encapsulation: private_key(hash_to_field(
                encapsulation,
                &[b"ARKG-KEM-ECDH-KG.", ENCAPSULATION],
            )?)?,
        })
    }

    /// Never `None`: neither point is the point at infinity.
    pub(crate) fn public(&self) -> Option<ArkgPublicSeed> {
        let point = |key: &SecretKey| {
            KeyAgreementKey::from_sec1(key.public_key().to_sec1_point(false).as_bytes())
        };
        let blinding = point(&self.blinding)?;
        Some(ArkgPublicSeed {
            blinding_x: blinding.x,
            blinding_y: blinding.y,
            encapsulation: point(&self.encapsulation)?,
        })
    }

    /// ARKG-Derive-Private-Key: the ESP256 key whose public key was derived with this handle.
    pub(crate) fn derive_private_key(
        &self,
        key_handle: &[u8],
        context: &[u8],
    ) -> Result<PrivateKey, ArkgError> {
        let context = Context::new(context)?;
        let tau_material = self.decapsulate(key_handle, context)?;
        let tau = blinding_factor(&tau_material, context)?;
        let sum = Zeroizing::new(*self.blinding.to_nonzero_scalar() + *tau);
        let bytes = Zeroizing::new(<[u8; 32]>::from(sum.to_bytes()));
        PrivateKey::new(Algorithm::Esp256, &bytes[..]).map_err(|_| ArkgError::Zero)
    }

    /// KEM-Decaps.
    fn decapsulate(
        &self,
        key_handle: &[u8],
        context: Context<'_>,
    ) -> Result<Zeroizing<[u8; 32]>, ArkgError> {
        let (tag, point) = key_handle
            .split_first_chunk::<TAG_BYTES>()
            .filter(|(_, point)| point.len() == POINT_BYTES)
            .ok_or(ArkgError::KeyHandle)?;
        let peer = PublicKey::from_sec1_bytes(point).map_err(|_| ArkgError::KeyHandle)?;
        let shared = self.encapsulation.diffie_hellman(&peer);
        let shared = Encapsulated::new(shared.raw_secret_bytes(), context)?;
        if bool::from(shared.tag(point)[..].ct_eq(tag)) {
            Ok(shared.secret)
        } else {
            Err(ArkgError::KeyHandle)
        }
    }
}

/// `ctx`, checked to be short enough.
#[derive(Clone, Copy)]
struct Context<'a> {
    length: [u8; 1],
    bytes: &'a [u8],
}

impl<'a> Context<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, ArkgError> {
        match u8::try_from(bytes.len()) {
            Ok(length) if bytes.len() <= MAX_CONTEXT_BYTES => Ok(Self {
                length: [length],
                bytes,
            }),
            _ => Err(ArkgError::ContextTooLong),
        }
    }
}

/// The two secrets that both sides of an encapsulation derive.
struct Encapsulated {
    mac_key: Zeroizing<[u8; 32]>,
    secret: Zeroizing<[u8; 32]>,
}

impl Encapsulated {
    /// From the x coordinate that ECDH gave.
    fn new(shared: &[u8], context: Context<'_>) -> Result<Self, ArkgError> {
        let hkdf = Hkdf::<Sha256>::new(None, shared);
        let expand = |label: &[u8]| {
            let mut key = Zeroizing::new([0; 32]);
            let info = [
                label,
                ENCAPSULATION,
                b"ARKG-Derive-Key-KEM.",
                &context.length,
                context.bytes,
            ];
            // 32 bytes are far below the limit of HKDF.
            hkdf.expand_multi_info(&info, &mut key[..])
                .map_err(|_| ArkgError::KeyHandle)?;
            Ok(key)
        };
        Ok(Self {
            mac_key: expand(b"ARKG-KEM-HMAC-mac.")?,
            secret: expand(b"ARKG-KEM-HMAC-shared.")?,
        })
    }

    /// HMAC-SHA-256-128.
    fn tag(&self, point: &[u8]) -> [u8; TAG_BYTES] {
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&hmac_sha256(&self.mac_key[..], &[point])[..TAG_BYTES]);
        tag
    }
}

/// BL-PRF.
fn blinding_factor(
    material: &[u8; 32],
    context: Context<'_>,
) -> Result<Zeroizing<Scalar>, ArkgError> {
    let domain = [
        b"ARKG-BL-EC.",
        BLINDING,
        b"ARKG-Derive-Key-BL.",
        &context.length,
        context.bytes,
    ];
    hash_to_field(material, &domain)
}

/// hash_to_field of RFC 9380, section 5.2, for the scalars of P-256, with the parameters of
/// P256_XMD:SHA-256_SSWU_RO_.
fn hash_to_field(message: &[u8; 32], domain: &[&[u8]]) -> Result<Zeroizing<Scalar>, ArkgError> {
    hash_to_scalar::<NistP256, ExpandMsgXmd<Sha256>, U48>(&[message], domain)
        .map(Zeroizing::new)
        // Fails only for an empty domain.
        .map_err(|_| ArkgError::Zero)
}

fn private_key(scalar: Zeroizing<Scalar>) -> Result<SecretKey, ArkgError> {
    Option::<NonZeroScalar>::from(NonZeroScalar::new(*scalar))
        .map(SecretKey::from)
        .ok_or(ArkgError::Zero)
}

#[cfg(test)]
mod tests;
