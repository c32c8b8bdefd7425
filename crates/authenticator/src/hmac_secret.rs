//! The hmac-secret extension (CTAP 2.3, section 12.7), to which WebAuthn's PRF maps.

use alloc::vec::Vec;

use hallway_ctap::command::hmac_secret::Input;
use hallway_ctap::status::Status;
use zeroize::Zeroizing;

use crate::pin_protocol::{KeyAgreement, Protocol, SharedSecret, hmac_sha256};
use crate::platform::Randomness;

/// Decrypted salts, and the shared secret that encrypts the outputs.
pub(crate) struct Salts {
    shared: SharedSecret,
    /// One or two salts of 32 bytes.
    salts: Zeroizing<Vec<u8>>,
}

impl Salts {
    /// Checks and decrypts the extension's input.
    pub(crate) fn open(agreement: &KeyAgreement, input: &Input<'_>) -> Result<Self, Status> {
        let protocol = Protocol::from_id(Some(input.protocol.unwrap_or(1)))?;
        let shared = agreement.shared_secret(protocol, &input.key_agreement)?;
        shared.verify(&[input.salt_enc], input.salt_auth)?;
        let salts = shared
            .decrypt(input.salt_enc)
            .map_err(|_| Status::InvalidLength)?;
        match salts.len() {
            32 | 64 => Ok(Self { shared, salts }),
            _ => Err(Status::InvalidLength),
        }
    }

    /// HMAC-SHA-256 of each salt, encrypted.
    pub(crate) fn evaluate(
        &self,
        cred_random: &[u8; 32],
        randomness: &mut impl Randomness,
    ) -> Result<Vec<u8>, Status> {
        let mut outputs = Zeroizing::new(Vec::with_capacity(64));
        for salt in self.salts.chunks(32) {
            outputs.extend_from_slice(&hmac_sha256(cred_random, &[salt])[..]);
        }
        self.shared.encrypt(&outputs, randomness)
    }
}
