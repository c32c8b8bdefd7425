//! The steps of 7.2.

use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::{AuthenticatorData, Flags};
use hallway_ctap::cose::{Algorithm, PublicKey};
use hallway_webauthn::{
    Assertion, AssertionError, AssertionPolicy, AssertionResponse, CeremonyError, CounterPolicy,
    CounterVerdict, CredentialRecord, Record, UserHandle, verify_assertion_observed,
};
use rcgen::SigningKey;

use crate::maker::{CHALLENGE, Credential, ORIGIN, RP_ID, client_data, relying_party, sha256};

/// An assertion under construction.
struct Signed {
    credential: Credential,
    record: CredentialRecord,
    client_data: Vec<u8>,
    authenticator_data: Vec<u8>,
    user_handle: Option<Vec<u8>>,
}

impl Signed {
    fn new(flags: u8, counter: u32) -> Self {
        let credential = Credential::new();
        let record = CredentialRecord {
            id: credential.id.clone(),
            public_key: credential.cose(),
            sign_count: 5,
            backup_eligible: false,
            backed_up: false,
            uv_initialized: true,
            transports: vec![],
            user_handle: b"ada".to_vec(),
            aaguid: Aaguid::ZERO,
        };
        let rp_id_hash: [u8; 32] = sha256(RP_ID.as_bytes()).try_into().unwrap();
        let authenticator_data = AuthenticatorData {
            rp_id_hash: &rp_id_hash,
            flags: Flags::from_bits(flags),
            sign_count: counter,
            attested_credential: None,
            extensions: None,
        };
        Self {
            credential,
            record,
            client_data: client_data("get", ORIGIN),
            authenticator_data: authenticator_data.encode().unwrap(),
            user_handle: None,
        }
    }

    fn verify(&self, policy: &AssertionPolicy) -> Result<Assertion, AssertionError> {
        self.verify_observed(policy).0
    }

    fn verify_observed(
        &self,
        policy: &AssertionPolicy,
    ) -> (Result<Assertion, AssertionError>, Option<&'static str>) {
        let message = [&self.authenticator_data[..], &sha256(&self.client_data)].concat();
        let signature = self.credential.key.sign(&message).unwrap();
        let mut record = Record::default();
        let result = verify_assertion_observed(
            &relying_party(),
            CHALLENGE,
            policy,
            &self.record,
            &AssertionResponse {
                credential_id: &self.credential.id,
                client_data_json: &self.client_data,
                authenticator_data: &self.authenticator_data,
                signature: &signature,
                user_handle: self.user_handle.as_deref(),
            },
            &mut record,
        );
        let failed = record.failed().map(|seen| seen.step.number);
        (result, failed)
    }

    fn fails_at(&self, step: &str) {
        let (result, failed) = self.verify_observed(&AssertionPolicy::default());
        assert!(result.is_err());
        assert_eq!(failed, Some(step));
    }
}

#[test]
fn a_verified_assertion_brings_the_record_up_to_date() {
    let mut signed = Signed::new(0x05, 6);
    let assertion = signed.verify(&AssertionPolicy::default()).unwrap();
    assert!(assertion.user_present && assertion.user_verified);
    assert_eq!(assertion.counter, CounterVerdict::Advanced);
    assertion.update(&mut signed.record);
    assert_eq!(signed.record.sign_count, 6);
}

#[test]
fn another_credential_or_user_is_refused() {
    let mut signed = Signed::new(0x05, 6);
    signed.user_handle = Some(b"ada".to_vec());
    assert!(signed.verify(&AssertionPolicy::default()).is_ok());
    signed.user_handle = Some(b"eve".to_vec());
    signed.fails_at("7.2.6");
    let mut signed = Signed::new(0x05, 6);
    signed.record.id = b"another credential".to_vec();
    signed.fails_at("7.2.6");
    let policy = AssertionPolicy {
        user_handle: UserHandle::Required,
        ..AssertionPolicy::default()
    };
    assert_eq!(
        Signed::new(0x05, 6).verify(&policy),
        Err(AssertionError::UserHandleMissing)
    );
}

#[test]
fn other_origins_types_and_bytes_are_refused() {
    for (data, step) in [
        (client_data("get", "https://evil-gate.example"), "7.2.12"),
        (
            client_data("get", "https://gate.example.evil.test"),
            "7.2.12",
        ),
        (client_data("create", ORIGIN), "7.2.10"),
        (b"[]".to_vec(), "7.2.9"),
    ] {
        let mut signed = Signed::new(0x05, 6);
        signed.client_data = data;
        signed.fails_at(step);
    }
    let mut trailing = Signed::new(0x05, 6);
    trailing.authenticator_data.push(0);
    trailing.fails_at("7.2.7");
    let mut other = Signed::new(0x05, 6);
    other.authenticator_data[31] ^= 0x80;
    other.fails_at("7.2.15");
}

#[test]
fn a_u2f_key_answers_for_its_app_id_where_that_was_asked() {
    let app_id = "https://gate.example/app-id.json";
    let mut signed = Signed::new(0x05, 6);
    signed.authenticator_data[..32].copy_from_slice(&sha256(app_id.as_bytes()));
    signed.fails_at("7.2.15");
    let mut policy = AssertionPolicy {
        app_id: Some(app_id.into()),
        ..AssertionPolicy::default()
    };
    assert!(signed.verify(&policy).is_ok());
    assert!(Signed::new(0x05, 6).verify(&policy).is_ok());
    policy.app_id = Some("https://gate.example/other.json".into());
    assert_eq!(signed.verify(&policy), Err(CeremonyError::RpIdHash.into()));
    // An empty AppID is not one.
    policy.app_id = Some(String::new());
    signed.authenticator_data[..32].copy_from_slice(&sha256(b""));
    assert_eq!(signed.verify(&policy), Err(CeremonyError::RpIdHash.into()));
}

#[test]
fn presence_and_verification_are_required_but_of_devices() {
    Signed::new(0x04, 6).fails_at("7.2.16");
    Signed::new(0x01, 6).fails_at("7.2.17");
    let silent = Signed::new(0x00, 6);
    silent.fails_at("7.2.16");
    let assertion = silent
        .verify(&AssertionPolicy::unattended_device())
        .unwrap();
    assert!(!assertion.user_present && !assertion.user_verified);
    // The exception is about presence only.
    let mut other = Signed::new(0x00, 5);
    assert!(other.verify(&AssertionPolicy::unattended_device()).is_err());
    other.record.sign_count = 4;
    other.client_data = client_data("get", "https://evil-gate.example");
    assert!(other.verify(&AssertionPolicy::unattended_device()).is_err());
}

#[test]
fn backup_flags_must_make_sense_and_stay() {
    Signed::new(0x15, 6).fails_at("7.2.18");
    Signed::new(0x0d, 6).fails_at("7.2.19");
    let mut eligible = Signed::new(0x05, 6);
    eligible.record.backup_eligible = true;
    eligible.fails_at("7.2.19");
    let mut synchronised = Signed::new(0x1d, 6);
    synchronised.record.backup_eligible = true;
    let assertion = synchronised.verify(&AssertionPolicy::default()).unwrap();
    assertion.update(&mut synchronised.record);
    assert!(synchronised.record.backed_up);
}

#[test]
fn signatures_by_other_keys_and_keys_of_other_algorithms_are_refused() {
    let mut signed = Signed::new(0x05, 6);
    signed.record.public_key = Credential::new().cose();
    signed.fails_at("7.2.21");
    let (x, y) = signed.credential.coordinates();
    for algorithm in [Algorithm::Es384, Algorithm::Es256K] {
        let public_key = PublicKey::Ec2 { algorithm, x, y }.encode();
        let mut record = signed.record.clone();
        record.public_key = public_key;
        let other = Signed {
            record,
            credential: Credential::new(),
            ..Signed::new(0x05, 6)
        };
        other.fails_at("7.2.21");
    }
    signed.record.public_key.push(0);
    signed.fails_at("7.2.21");
}

#[test]
fn a_counter_that_does_not_advance_is_refused_or_reported() {
    for received in [0, 4, 5] {
        let signed = Signed::new(0x05, received);
        signed.fails_at("7.2.22");
        let report = AssertionPolicy {
            counter: CounterPolicy::Report,
            ..AssertionPolicy::default()
        };
        let assertion = signed.verify(&report).unwrap();
        let stored = 5;
        assert_eq!(
            assertion.counter,
            CounterVerdict::WentBack { stored, received }
        );
    }
    let mut none = Signed::new(0x05, 0);
    none.record.sign_count = 0;
    let assertion = none.verify(&AssertionPolicy::default()).unwrap();
    assert_eq!(assertion.counter, CounterVerdict::Unused);
}

#[test]
fn extension_outputs_are_signed_and_kept() {
    let mut signed = Signed::new(0x85, 6);
    signed.authenticator_data[32] |= 0x80;
    signed.authenticator_data.extend([0xa1, 0x61, 0x78, 0xf5]);
    let assertion = signed.verify(&AssertionPolicy::default()).unwrap();
    assert_eq!(assertion.extensions, [0xa1, 0x61, 0x78, 0xf5]);
    signed.authenticator_data.pop();
    signed.fails_at("7.2.7");
}
