//! The platform's side of PIN/UV auth protocols 1 and 2 (CTAP 2.3, sections 6.5.6 and 6.5.7).

use aes::Aes256;
use aws_lc_rs::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::{digest, hkdf, hmac};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hallway_ctap::cose::KeyAgreementKey;
use zeroize::Zeroizing;

use crate::error::ClientError;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    One,
    Two,
}

impl Protocol {
    /// The first of the authenticator's protocols that this client knows.
    pub(crate) fn choose(offered: &[u64]) -> Result<Self, ClientError> {
        offered
            .iter()
            .find_map(|id| match id {
                1 => Some(Self::One),
                2 => Some(Self::Two),
                _ => None,
            })
            .ok_or(ClientError::PinProtocol)
    }

    pub(crate) const fn id(self) -> u64 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// `authenticate(key, message)`.
    pub(crate) fn authenticate(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let tag = hmac::sign(&key, message);
        match self {
            Self::One => tag.as_ref()[..16].to_vec(),
            Self::Two => tag.as_ref().to_vec(),
        }
    }
}

/// The shared secret of one key agreement.
pub(crate) struct Session {
    pub(crate) protocol: Protocol,
    /// The platform's public key, from which the authenticator computes the same secret.
    pub(crate) platform_key: KeyAgreementKey,
    hmac_key: Zeroizing<Vec<u8>>,
    aes_key: Zeroizing<Vec<u8>>,
}

impl Session {
    /// `encapsulate(peer)`.
    pub(crate) fn agree(protocol: Protocol, peer: &KeyAgreementKey) -> Result<Self, ClientError> {
        let random = SystemRandom::new();
        let private =
            EphemeralPrivateKey::generate(&ECDH_P256, &random).map_err(|_| ClientError::Crypto)?;
        let public = private
            .compute_public_key()
            .map_err(|_| ClientError::Crypto)?;
        let platform_key =
            KeyAgreementKey::from_sec1(public.as_ref()).ok_or(ClientError::Crypto)?;
        let peer = UnparsedPublicKey::new(&ECDH_P256, peer.to_sec1());
        let secret = agree_ephemeral(private, peer, ClientError::Crypto, |z| {
            Ok(Zeroizing::new(z.to_vec()))
        })?;
        let (hmac_key, aes_key) = match protocol {
            Protocol::One => {
                let key = digest::digest(&digest::SHA256, &secret).as_ref().to_vec();
                (Zeroizing::new(key.clone()), Zeroizing::new(key))
            }
            Protocol::Two => (
                expand(&secret, b"CTAP2 HMAC key")?,
                expand(&secret, b"CTAP2 AES key")?,
            ),
        };
        Ok(Self {
            protocol,
            platform_key,
            hmac_key,
            aes_key,
        })
    }

    pub(crate) fn authenticate(&self, message: &[u8]) -> Vec<u8> {
        self.protocol.authenticate(&self.hmac_key, message)
    }

    /// `encrypt(key, plaintext)`; the length must be a multiple of 16.
    pub(crate) fn encrypt(&self, plaintext: &[u8]) -> Result<Vec<u8>, ClientError> {
        let mut iv = [0; 16];
        let mut out = Vec::new();
        if self.protocol == Protocol::Two {
            SystemRandom::new()
                .fill(&mut iv)
                .map_err(|_| ClientError::Crypto)?;
            out.extend(iv);
        }
        let start = out.len();
        out.extend_from_slice(plaintext);
        cbc::Encryptor::<Aes256>::new_from_slices(&self.aes_key, &iv)
            .map_err(|_| ClientError::Crypto)?
            .encrypt_padded::<NoPadding>(&mut out[start..], plaintext.len())
            .map_err(|_| ClientError::Crypto)?;
        Ok(out)
    }

    /// `decrypt(key, ciphertext)`.
    pub(crate) fn decrypt(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        let (iv, body) = match self.protocol {
            Protocol::One => (&[0; 16], ciphertext),
            Protocol::Two => ciphertext
                .split_first_chunk::<16>()
                .ok_or(ClientError::Incomplete("an initialisation vector"))?,
        };
        let mut out = Zeroizing::new(body.to_vec());
        cbc::Decryptor::<Aes256>::new_from_slices(&self.aes_key, iv)
            .map_err(|_| ClientError::Crypto)?
            .decrypt_padded::<NoPadding>(&mut out)
            .map_err(|_| ClientError::Incomplete("whole blocks"))?;
        Ok(out)
    }
}

struct Length32;

impl hkdf::KeyType for Length32 {
    fn len(&self) -> usize {
        32
    }
}

/// HKDF-SHA-256 with a salt of 32 zero bytes.
fn expand(secret: &[u8], info: &[u8]) -> Result<Zeroizing<Vec<u8>>, ClientError> {
    let mut key = Zeroizing::new(vec![0; 32]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, &[0; 32])
        .extract(secret)
        .expand(&[info], Length32)
        .and_then(|okm| okm.fill(&mut key))
        .map_err(|_| ClientError::Crypto)?;
    Ok(key)
}
