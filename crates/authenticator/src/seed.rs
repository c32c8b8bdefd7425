//! The master seed, and the credentials that are sealed into their own ids.

use alloc::vec::Vec;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hallway_ctap::cose::Algorithm;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::credential::{Credential, Features, Protection};

/// Everything that is derived from the seed.
pub(crate) struct Secrets {
    seal: Zeroizing<[u8; 32]>,
    derive: Zeroizing<[u8; 32]>,
    /// Keys the PIN's verifier, so that storage alone does not tell the PIN.
    pub(crate) pin: Zeroizing<[u8; 32]>,
    /// The key that attests U2F registrations is derived from it.
    pub(crate) u2f: Zeroizing<[u8; 32]>,
    /// Names this authenticator to those who hold its persistent token.
    pub(crate) identifier: [u8; 16],
}

/// The first byte of a sealed credential id: the version of its form.
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
/// Algorithm, protection, features.
const HEAD_BYTES: usize = 6;

impl Secrets {
    /// Expands the seed.
    pub(crate) fn expand(seed: &[u8; 32]) -> Self {
        let hkdf = Hkdf::<Sha256>::new(None, seed);
        let key = |info: &[u8]| {
            let mut key = Zeroizing::new([0; 32]);
            // 32 bytes are far below the limit of HKDF.
            let _ = hkdf.expand(info, &mut key[..]);
            key
        };
        let mut identifier = [0; 16];
        identifier.copy_from_slice(&key(b"hallway device identifier")[..16]);
        Self {
            seal: key(b"hallway credential id seal"),
            derive: key(b"hallway credential secret"),
            pin: key(b"hallway pin verifier"),
            u2f: key(b"hallway u2f attestation"),
            identifier,
        }
    }

    /// Seals a credential into its id. `nonce` must be random: it makes each credential's key
    /// unique.
    pub(crate) fn seal(
        &self,
        rp_id_hash: &[u8; 32],
        nonce: &[u8; NONCE_BYTES],
        algorithm: Algorithm,
        protection: Protection,
        features: Features,
        cred_blob: &[u8],
    ) -> Option<Credential> {
        let mut plain = Vec::with_capacity(HEAD_BYTES + cred_blob.len());
        // All identifiers of COSE signature algorithms fit 32 bits.
        plain.extend(i32::try_from(algorithm.id()).ok()?.to_be_bytes());
        plain.push(protection as u8);
        plain.push(features.bits());
        plain.extend_from_slice(cred_blob);
        let sealed = XChaCha20Poly1305::new((&*self.seal).into())
            .encrypt(
                &XNonce::from(*nonce),
                Payload {
                    msg: &plain,
                    aad: rp_id_hash,
                },
            )
            .ok()?;
        let mut id = Vec::with_capacity(1 + NONCE_BYTES + sealed.len());
        id.push(VERSION);
        id.extend_from_slice(nonce);
        id.extend_from_slice(&sealed);
        Some(Credential {
            id,
            rp_id: None,
            user: None,
            algorithm,
            secret: self.secret_of(nonce, rp_id_hash)?,
            protection,
            features,
            cred_blob: cred_blob.to_vec(),
            created: 0,
        })
    }

    /// Opens a credential id of this authenticator for this relying party; `None` for any other.
    pub(crate) fn unseal(&self, rp_id_hash: &[u8; 32], id: &[u8]) -> Option<Credential> {
        let (&VERSION, rest) = id.split_first()? else {
            return None;
        };
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let plain = XChaCha20Poly1305::new((&*self.seal).into())
            .decrypt(
                &XNonce::from(*nonce),
                Payload {
                    msg: sealed,
                    aad: rp_id_hash,
                },
            )
            .ok()?;
        let (head, cred_blob) = plain.split_first_chunk::<HEAD_BYTES>()?;
        let [a, b, c, d, protection, features] = *head;
        let algorithm = Algorithm::from_id(i64::from(i32::from_be_bytes([a, b, c, d])))?;
        Some(Credential {
            id: id.to_vec(),
            rp_id: None,
            user: None,
            algorithm,
            secret: self.secret_of(nonce, rp_id_hash)?,
            protection: Protection::from_level(u64::from(protection))?,
            features: Features::from_bits(features),
            cred_blob: cred_blob.to_vec(),
            created: 0,
        })
    }

    /// The secret from which a sealed credential's key is derived.
    fn secret_of(
        &self,
        nonce: &[u8; NONCE_BYTES],
        rp_id_hash: &[u8; 32],
    ) -> Option<Zeroizing<[u8; 32]>> {
        let mut secret = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::from_prk(&self.derive[..])
            .ok()?
            .expand_multi_info(&[nonce, rp_id_hash], &mut secret[..])
            .ok()?;
        Some(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(secrets: &Secrets) -> Credential {
        secrets
            .seal(
                &[1; 32],
                &[2; 24],
                Algorithm::Es256,
                Protection::Required,
                Features::default(),
                b"blob",
            )
            .unwrap()
    }

    #[test]
    fn a_sealed_credential_comes_back() {
        let secrets = Secrets::expand(&[7; 32]);
        let credential = sealed(&secrets);
        let again = Secrets::expand(&[7; 32])
            .unseal(&[1; 32], &credential.id)
            .unwrap();
        assert_eq!(again.secret, credential.secret);
        assert_eq!(again.protection, Protection::Required);
        assert_eq!(again.cred_blob, b"blob");
    }

    #[test]
    fn another_relying_party_seed_or_bit_opens_nothing() {
        let secrets = Secrets::expand(&[7; 32]);
        let id = sealed(&secrets).id;
        assert!(secrets.unseal(&[2; 32], &id).is_none());
        assert!(Secrets::expand(&[8; 32]).unseal(&[1; 32], &id).is_none());
        for bit in 0..id.len() * 8 {
            let mut changed = id.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(secrets.unseal(&[1; 32], &changed).is_none(), "bit {bit}");
        }
        for end in 0..id.len() {
            assert!(secrets.unseal(&[1; 32], &id[..end]).is_none());
        }
    }
}
