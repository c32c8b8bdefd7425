//! authenticatorGetInfo (CTAP 2.3, section 6.4).

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use hallway_ctap::authenticator_data::MAX_CREDENTIAL_ID;
use hallway_ctap::command::get_info::Response;
use hallway_ctap::cose::Algorithm;

use crate::attestation::Attestation;
use crate::authenticator::{Authenticator, MAX_MESSAGE};
use crate::make_credential::MAX_CRED_BLOB;
use crate::pin;
use crate::platform::Environment;
use crate::signatures::Signatures;

/// Credentials in one list: more than a message holds is never asked for.
pub(crate) const MAX_LIST: usize = 64;

/// The algorithms that every client knows.
const CLASSIC: [Algorithm; 5] = [
    Algorithm::Es256,
    Algorithm::EdDsa,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::Es256K,
];

impl<E: Environment> Authenticator<E> {
    /// Says what the key is and can.
    pub(crate) fn get_info(&self) -> Response {
        let texts =
            |list: &[&str]| -> Vec<String> { list.iter().map(ToString::to_string).collect() };
        let option = |id: &str, value: bool| (id.to_string(), value);
        let limit = usize::from(self.settings.max_discoverable);
        Response {
            versions: texts(&["FIDO_2_0", "FIDO_2_1", "U2F_V2"]),
            extensions: texts(&["credBlob", "credProtect", "hmac-secret", "hmac-secret-mc"]),
            aaguid: self.aaguid(),
            options: vec![
                option("rk", true),
                option("up", true),
                option("plat", false),
                option("clientPin", self.pin.is_set()),
                option("pinUvAuthToken", true),
                option("credMgmt", false),
            ],
            max_message_size: Some(MAX_MESSAGE as u64),
            pin_uv_auth_protocols: vec![2, 1],
            max_credential_count_in_list: Some(MAX_LIST as u64),
            max_credential_id_length: Some(MAX_CREDENTIAL_ID as u64),
            transports: texts(self.settings.transports),
            algorithms: self
                .platform
                .signatures
                .algorithms()
                .iter()
                // Browsers refuse a getInfo with an algorithm that they do not know: newer names
                // for the same keys are taken, not offered.
                .filter(|algorithm| CLASSIC.contains(algorithm))
                .map(|algorithm| algorithm.id())
                .collect(),
            force_pin_change: Some(self.pin.must_change()),
            min_pin_length: Some(u64::from(self.min_pin_length())),
            firmware_version: Some(self.settings.firmware_version),
            max_cred_blob_length: Some(MAX_CRED_BLOB as u64),
            remaining_discoverable_credentials: Some(limit.saturating_sub(self.index.len()) as u64),
            attestation_formats: match self.attestation {
                Attestation::None => texts(&["none"]),
                _ => texts(&["packed", "none"]),
            },
            max_pin_length: Some(pin::MAX_BYTES as u64),
            ..Response::default()
        }
    }
}
