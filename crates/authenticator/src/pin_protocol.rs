//! The authenticator's side of PIN/UV auth protocols 1 and 2 (CTAP 2.3, sections 6.5.6, 6.5.7).

use alloc::vec::Vec;

use aes::Aes256;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hallway_ctap::cose::KeyAgreementKey;
use hallway_ctap::status::Status;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use p256::SecretKey;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::platform::{Randomness, RandomnessError};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    One,
    Two,
}

impl Protocol {
    /// The protocol that a request names.
    pub(crate) fn from_id(id: Option<u64>) -> Result<Self, Status> {
        match id {
            Some(1) => Ok(Self::One),
            Some(2) => Ok(Self::Two),
            Some(_) => Err(Status::InvalidParameter),
            None => Err(Status::MissingParameter),
        }
    }

    /// `verify(key, message, signature)`, in constant time.
    pub(crate) fn verify(self, key: &[u8], message: &[&[u8]], tag: &[u8]) -> Result<(), Status> {
        let expected = hmac_sha256(key, message);
        let expected = match self {
            Self::One => &expected[..16],
            Self::Two => &expected[..],
        };
        if bool::from(expected.ct_eq(tag)) {
            Ok(())
        } else {
            Err(Status::PinAuthInvalid)
        }
    }
}

/// HMAC-SHA-256 over the concatenation of `parts`.
pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    // HMAC takes keys of any length: this cannot fail.
    if let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(key) {
        for part in parts {
            mac.update(part);
        }
        out.copy_from_slice(&mac.finalize().into_bytes());
    }
    out
}

/// The authenticator's key agreement key: one for each power cycle, and a new one after each
/// wrong PIN.
pub(crate) struct KeyAgreement {
    secret: SecretKey,
    public: KeyAgreementKey,
}

impl KeyAgreement {
    /// `regenerate()`.
    pub(crate) fn generate(randomness: &mut impl Randomness) -> Result<Self, RandomnessError> {
        // A random string is not a scalar with probability 2^-32.
        for _ in 0..8 {
            let mut bytes = Zeroizing::new([0; 32]);
            randomness.fill(&mut bytes[..])?;
            let Ok(secret) = SecretKey::from_slice(&bytes[..]) else {
                continue;
            };
            let point = secret.public_key().to_sec1_bytes();
            if let Some(public) = KeyAgreementKey::from_sec1(&point) {
                return Ok(Self { secret, public });
            }
        }
        Err(RandomnessError)
    }

    /// `getPublicKey()`.
    pub(crate) const fn public(&self) -> KeyAgreementKey {
        self.public
    }

    /// `decapsulate(peer)`.
    pub(crate) fn shared_secret(
        &self,
        protocol: Protocol,
        peer: &KeyAgreementKey,
    ) -> Result<SharedSecret, Status> {
        let peer = p256::PublicKey::from_sec1_bytes(&peer.to_sec1())
            .map_err(|_| Status::InvalidParameter)?;
        let z = self.secret.diffie_hellman(&peer);
        let z = z.raw_secret_bytes();
        let mut hmac_key = Zeroizing::new([0; 32]);
        let mut aes_key = Zeroizing::new([0; 32]);
        match protocol {
            Protocol::One => {
                hmac_key.copy_from_slice(&Sha256::digest(z));
                aes_key.copy_from_slice(&hmac_key[..]);
            }
            Protocol::Two => {
                let hkdf = Hkdf::<Sha256>::new(Some(&[0; 32]), z);
                hkdf.expand(b"CTAP2 HMAC key", &mut hmac_key[..])
                    .and_then(|()| hkdf.expand(b"CTAP2 AES key", &mut aes_key[..]))
                    .map_err(|_| Status::Other)?;
            }
        }
        Ok(SharedSecret {
            protocol,
            hmac_key,
            aes_key,
        })
    }
}

/// The keys that both sides have after a key agreement.
pub(crate) struct SharedSecret {
    protocol: Protocol,
    hmac_key: Zeroizing<[u8; 32]>,
    aes_key: Zeroizing<[u8; 32]>,
}

impl SharedSecret {
    pub(crate) const fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(crate) fn verify(&self, message: &[&[u8]], tag: &[u8]) -> Result<(), Status> {
        self.protocol.verify(&self.hmac_key[..], message, tag)
    }

    /// `encrypt(key, plaintext)`; the length must be a multiple of 16.
    pub(crate) fn encrypt(
        &self,
        plaintext: &[u8],
        randomness: &mut impl Randomness,
    ) -> Result<Vec<u8>, Status> {
        let mut iv = [0; 16];
        let mut out = Vec::with_capacity(16 + plaintext.len());
        if self.protocol == Protocol::Two {
            randomness.fill(&mut iv).map_err(|_| Status::Other)?;
            out.extend_from_slice(&iv);
        }
        let start = out.len();
        out.extend_from_slice(plaintext);
        cbc::Encryptor::<Aes256>::new_from_slices(&self.aes_key[..], &iv)
            .map_err(|_| Status::Other)?
            .encrypt_padded::<NoPadding>(&mut out[start..], plaintext.len())
            .map_err(|_| Status::Other)?;
        Ok(out)
    }

    /// `decrypt(key, ciphertext)`.
    ///
    /// # Errors
    /// [`Status::InvalidParameter`] for anything but whole blocks.
    pub(crate) fn decrypt(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Status> {
        let (iv, body) = match self.protocol {
            Protocol::One => (&[0; 16], ciphertext),
            Protocol::Two => ciphertext
                .split_first_chunk::<16>()
                .ok_or(Status::InvalidParameter)?,
        };
        let mut out = Zeroizing::new(body.to_vec());
        cbc::Decryptor::<Aes256>::new_from_slices(&self.aes_key[..], iv)
            .map_err(|_| Status::Other)?
            .decrypt_padded::<NoPadding>(&mut out)
            .map_err(|_| Status::InvalidParameter)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(u8);

    impl Randomness for Counting {
        fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
            for byte in bytes {
                self.0 = self.0.wrapping_add(1);
                *byte = self.0;
            }
            Ok(())
        }
    }

    #[test]
    fn both_sides_agree_and_read_each_other() {
        for protocol in [Protocol::One, Protocol::Two] {
            let mut randomness = Counting(0);
            let ours = KeyAgreement::generate(&mut randomness).unwrap();
            let theirs = KeyAgreement::generate(&mut randomness).unwrap();
            let a = ours.shared_secret(protocol, &theirs.public()).unwrap();
            let b = theirs.shared_secret(protocol, &ours.public()).unwrap();
            let sealed = a.encrypt(&[7; 64], &mut randomness).unwrap();
            assert_eq!(b.decrypt(&sealed).unwrap()[..], [7; 64]);
            assert_eq!(
                b.decrypt(&sealed[1..]).err(),
                Some(Status::InvalidParameter)
            );
        }
    }

    #[test]
    fn a_point_off_the_curve_is_refused() {
        let ours = KeyAgreement::generate(&mut Counting(0)).unwrap();
        let peer = KeyAgreementKey {
            x: [1; 32],
            y: [1; 32],
        };
        assert_eq!(
            ours.shared_secret(Protocol::Two, &peer).err(),
            Some(Status::InvalidParameter)
        );
    }

    #[test]
    fn tags_are_cut_under_protocol_one_only() {
        let tag = hmac_sha256(b"key", &[b"mess", b"age"]);
        assert_eq!(
            Protocol::One.verify(b"key", &[b"message"], &tag[..16]),
            Ok(())
        );
        assert_eq!(
            Protocol::Two.verify(b"key", &[b"message"], &tag[..]),
            Ok(())
        );
        for (protocol, tag) in [(Protocol::One, &tag[..]), (Protocol::Two, &tag[..16])] {
            assert_eq!(
                protocol.verify(b"key", &[b"message"], tag),
                Err(Status::PinAuthInvalid)
            );
        }
    }
}
