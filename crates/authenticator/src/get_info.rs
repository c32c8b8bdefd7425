//! authenticatorGetInfo (CTAP 2.3, section 6.4).

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use hallway_ctap::command::get_info::Response;
use hallway_ctap::command::preview_sign;
use hallway_ctap::cose::Algorithm;
use hallway_ctap::status::Status;

use crate::attestation::Attestation;
use crate::authenticator::Authenticator;
use crate::built_in_uv;
use crate::fingerprint_sensor::FingerprintSensor;
use crate::limits::{MAX_CRED_BLOB_BYTES, MAX_LISTED_CREDENTIALS};
use crate::persistent_token::PersistentToken;
use crate::pin;
use crate::platform::Environment;
use crate::policy::MAX_RP_IDS;
use crate::settings::{LargeBlobs, PinUse};
use crate::signatures::Signatures;
use crate::uvm::FINGERPRINT_INTERNAL;

/// The longest id that this key makes: a sealed one with the longest credBlob, and room to grow.
const MAX_OWN_ID_BYTES: usize = 128;

/// The algorithms that every client knows.
const CLASSIC: [Algorithm; 6] = [
    Algorithm::Es256,
    Algorithm::EdDsa,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::Es256K,
    Algorithm::Rs256,
];

impl<E: Environment> Authenticator<E> {
    /// Describes the key and its abilities.
    pub(crate) fn get_info(&mut self) -> Result<Response, Status> {
        let texts =
            |list: &[&str]| -> Vec<String> { list.iter().map(ToString::to_string).collect() };
        let mut versions = texts(&["FIDO_2_0", "FIDO_2_1", "FIDO_2_3"]);
        if !self.policy.always_uv {
            versions.push("U2F_V2".into());
        }
        let sensor = self.platform.fingerprints.info();
        let iv = *self.platform.random::<16>()?;
        let encrypted = |persistent: &PersistentToken, info: &[u8], value: &[u8; 16]| {
            persistent.encrypt(info, value, &iv)
        };
        Ok(Response {
            versions,
            extensions: self.extensions(),
            aaguid: self.aaguid(),
            options: self.options(),
            max_message_size: Some(self.settings.max_message as u64),
            pin_uv_auth_protocols: vec![2, 1],
            max_credential_count_in_list: Some(MAX_LISTED_CREDENTIALS as u64),
            max_credential_id_length: Some(MAX_OWN_ID_BYTES as u64),
            transports: texts(self.settings.transports),
            algorithms: self.advertised(),
            max_serialized_large_blob_array: self
                .settings
                .large_blobs
                .max_array()
                .map(|length| length as u64),
            force_pin_change: Some(self.pin.must_change()),
            min_pin_length: Some(u64::from(self.min_pin_length())),
            firmware_version: Some(self.settings.firmware_version),
            max_cred_blob_length: Some(MAX_CRED_BLOB_BYTES as u64),
            max_rp_ids_for_set_min_pin_length: Some(MAX_RP_IDS as u64),
            remaining_discoverable_credentials: Some(self.room() as u64),
            // `none` goes without saying.
            attestation_formats: match self.attestation {
                Attestation::None => Vec::new(),
                _ => texts(&["packed"]),
            },
            long_touch_for_reset: Some(self.policy.long_touch_for_reset),
            enc_identifier: encrypted(&self.persistent, b"encIdentifier", &self.secrets.identifier),
            enc_cred_store_state: encrypted(
                &self.persistent,
                b"encCredStoreState",
                &self.persistent.store_state,
            ),
            transports_for_reset: texts(self.settings.transports),
            pin_complexity_policy: Some(self.policy.pin_complexity),
            max_pin_length: Some(pin::MAX_BYTES as u64),
            config_commands: self.config_commands(),
            vendor_prototype_config_commands: Vec::new(),
            preferred_platform_uv_attempts: sensor.map(|_| built_in_uv::PREFERRED_ATTEMPTS),
            uv_modality: sensor.map(|_| u64::from(FINGERPRINT_INTERNAL)),
            uv_count_since_last_pin_entry: sensor.map(|_| u64::from(self.uv.since_pin())),
            certifications: self
                .settings
                .certifications
                .iter()
                .map(|(name, level)| ((*name).into(), *level))
                .collect(),
            pin_complexity_policy_url: self
                .settings
                .pin_complexity_policy_url
                .map(|url| url.as_bytes().to_vec()),
        })
    }

    fn extensions(&self) -> Vec<String> {
        let mut extensions = vec![
            "credBlob",
            "credProtect",
            "hmac-secret",
            "hmac-secret-mc",
            match self.settings.large_blobs {
                LargeBlobs::Array { .. } => "largeBlobKey",
                LargeBlobs::WithCredentials { .. } => "largeBlob",
            },
            "minPinLength",
            "pinComplexityPolicy",
            "thirdPartyPayment",
            "uvm",
        ];
        if self.settings.preview_sign {
            extensions.push(preview_sign::ID);
        }
        extensions.iter().map(ToString::to_string).collect()
    }

    fn options(&self) -> Vec<(String, bool)> {
        let mut options = vec![
            ("rk", true),
            ("up", true),
            ("plat", false),
            ("alwaysUv", self.policy.always_uv),
            ("credMgmt", true),
            ("authnrCfg", true),
            ("clientPin", self.pin.is_set()),
            ("makeCredUvNotRqd", !self.policy.always_uv),
            ("perCredMgmtRO", true),
            ("pinUvAuthToken", true),
            ("setMinPINLength", true),
        ];
        if self.settings.large_blobs.max_array().is_some() {
            options.push(("largeBlobs", true));
        }
        if self.platform.fingerprints.info().is_some() {
            options.push(("uv", self.has_built_in_uv()));
            options.push(("bioEnroll", self.has_built_in_uv()));
        }
        if self.settings.pin_use == PinUse::Management {
            options.push(("noMcGaPermissionsWithClientPin", true));
        }
        if self.has_enterprise_attestation() {
            options.push(("ep", self.policy.enterprise_attestation));
        }
        options
            .into_iter()
            .map(|(id, value)| (id.to_string(), value))
            .collect()
    }

    /// Some browsers refuse a getInfo that lists an algorithm that they do not know. So newer names
    /// for the same keys are accepted but not listed; post-quantum ones are listed only if the
    /// maker says so.
    fn advertised(&self) -> Vec<i64> {
        let post_quantum = |algorithm: &Algorithm| algorithm.ml_dsa_public_key_length().is_some();
        self.platform
            .signatures
            .algorithms()
            .iter()
            .filter(|algorithm| {
                CLASSIC.contains(algorithm)
                    || self.settings.advertise_post_quantum && post_quantum(algorithm)
            })
            .map(|algorithm| algorithm.id())
            .collect()
    }
}
