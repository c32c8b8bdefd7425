//! Hallway's key beside passkey-authenticator and webauthn-authenticator-rs's SoftToken, in one
//! process and in turns: the median of the ratios. ES256, with a user who is always there.
//!
//!     cargo run --release --locked --manifest-path bench/peers/Cargo.toml --bin keys
//!
//! passkey-authenticator and Hallway take the same CTAP request as bytes and give a response as
//! bytes. SoftToken has no CTAP: it is compared at WebAuthn's level, client data and all, with
//! Hallway's client on Hallway's key. Hallway's key keeps its state in an encrypted file, the others
//! keep theirs in memory.

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use hallway_client::{
    AttestationPreference, Client, GetAssertion, MakeCredential, NoPin, Presence, User,
    UserVerification,
};
use hallway_ctap::authenticator_data::AuthenticatorData;
use hallway_ctap::command::{
    Descriptor, Options, RelyingParty, User as UserEntity, get_assertion, make_credential,
};
use hallway_ctap::cose::Algorithm;
use hallway_softkey::{Consent, KeyFile, NewKey, Protection, SoftKey};
use passkey_authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod};
use passkey_crypto::AvailableBackend;
use passkey_types::Passkey;
use passkey_types::ctap2::{Aaguid, Ctap2Error};
use webauthn_authenticator_rs::AuthenticatorBackend;
use webauthn_authenticator_rs::prelude::Url;
use webauthn_authenticator_rs::softtoken::SoftToken;
use webauthn_rs_proto::{PublicKeyCredentialCreationOptions, PublicKeyCredentialRequestOptions};

const RP: &str = "gate.example";
const ORIGIN: &str = "https://gate.example";
/// The number of turns, and the length of each.
const TURNS: usize = 41;
const TURN: Duration = Duration::from_millis(40);

/// A user who is always there.
struct Willing;

#[async_trait::async_trait]
impl UserValidationMethod for Willing {
    type PasskeyItem = Passkey;

    async fn check_user<'a>(
        &self,
        _: UiHint<'a, Passkey>,
        presence: bool,
        verification: bool,
    ) -> Result<UserCheck, Ctap2Error> {
        Ok(UserCheck {
            presence,
            verification,
        })
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }
}

fn creation() -> Vec<u8> {
    make_credential::Request {
        client_data_hash: &[1; 32],
        rp: RelyingParty {
            id: RP,
            name: Some("Gate"),
        },
        user: UserEntity {
            id: b"ada",
            name: Some("ada"),
            display_name: Some("Ada"),
        },
        algorithms: vec![-7],
        exclude: Vec::new(),
        extensions: make_credential::Extensions::default(),
        options: Options {
            discoverable: Some(false),
            presence: Some(true),
            verification: None,
        },
        pin_uv_auth_param: None,
        pin_uv_auth_protocol: None,
        enterprise_attestation: None,
        // passkey-authenticator attests nothing.
        attestation_formats: vec!["none"],
    }
    .encode()
}

fn assertion(id: &[u8]) -> Vec<u8> {
    get_assertion::Request {
        rp_id: RP,
        client_data_hash: &[2; 32],
        allow: Some(vec![Descriptor { id }]),
        extensions: get_assertion::Extensions::default(),
        options: Options {
            discoverable: None,
            presence: Some(true),
            verification: None,
        },
        pin_uv_auth_param: None,
        pin_uv_auth_protocol: None,
    }
    .encode()
}

fn microseconds(work: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    let mut calls = 0u32;
    while start.elapsed() < TURN {
        for _ in 0..8 {
            work();
        }
        calls += 8;
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn compare(what: &str, peer: &str, mut ours: impl FnMut(), mut theirs: impl FnMut()) {
    let turns: Vec<(f64, f64)> = (0..TURNS)
        .map(|_| (microseconds(&mut ours), microseconds(&mut theirs)))
        .collect();
    let ratio = median(turns.iter().map(|(a, b)| b / a).collect());
    let ours = median(turns.iter().map(|turn| turn.0).collect());
    let theirs = median(turns.iter().map(|turn| turn.1).collect());
    println!("{what:<26} {ours:9.2} us   {peer:<22} {theirs:9.2} us   {ratio:6.2} times");
}

fn soft_key(folder: &tempfile::TempDir, name: &str) -> SoftKey {
    let path = folder.path().join(name);
    let protection = Protection::OperatorKey([7; 32].into());
    KeyFile::create(&path, &protection, &NewKey::personal()).expect("a key file");
    SoftKey::open(&path, &protection, Consent::Always).expect("it opens")
}

fn succeeded(response: Vec<u8>) -> Vec<u8> {
    assert_eq!(response[0], 0, "CTAP status {:#x}", response[0]);
    response
}

/// A CTAP request as bytes in, the response as bytes out.
fn at_ctap_level(folder: &tempfile::TempDir) {
    let mut key = soft_key(folder, "ctap.key");
    let mut peer = Authenticator::new(
        Aaguid::new_empty(),
        None::<Passkey>,
        Willing,
        AvailableBackend,
    );
    let create = creation();
    compare(
        "makeCredential, sealed",
        "passkey-authenticator",
        || drop(black_box(succeeded(key.process(&create)))),
        || {
            let request = ciborium::from_reader(&create[1..]).expect("a request");
            let made = pollster::block_on(peer.make_credential(request)).expect("a credential");
            let mut response = vec![0];
            ciborium::into_writer(&made, &mut response).expect("a response");
            black_box(response);
        },
    );

    let response = succeeded(key.process(&create));
    let map = hallway_ctap::command::answer(&response).expect("an answer");
    let made = make_credential::Response::parse(&map.expect("a map")).expect("a response");
    let data = AuthenticatorData::parse(&made.auth_data).expect("authenticator data");
    let ours = assertion(
        data.attested_credential
            .expect("a credential")
            .credential_id,
    );
    let request = ciborium::from_reader(&create[1..]).expect("a request");
    let made = pollster::block_on(peer.make_credential(request)).expect("a credential");
    let data = made
        .auth_data
        .attested_credential_data
        .expect("a credential");
    let theirs = assertion(data.credential_id());
    compare(
        "getAssertion",
        "passkey-authenticator",
        || drop(black_box(succeeded(key.process(&ours)))),
        || {
            let request = ciborium::from_reader(&theirs[1..]).expect("a request");
            let signed = pollster::block_on(peer.get_assertion(request)).expect("an assertion");
            let mut response = vec![0];
            ciborium::into_writer(&signed, &mut response).expect("a response");
            black_box(response);
        },
    );

    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key pair");
    let message = [7; 69];
    compare(
        "getAssertion",
        "the bare signature",
        || drop(black_box(succeeded(key.process(&ours)))),
        || {
            black_box(
                pair.sign(&SystemRandom::new(), &message)
                    .expect("a signature"),
            );
        },
    );
}

/// A WebAuthn ceremony with its client data.
fn at_webauthn_level(folder: &tempfile::TempDir) {
    let mut client = Client::new(soft_key(folder, "webauthn.key"), ORIGIN);
    let (mut peer, _) = SoftToken::new(false).expect("a token");
    let origin = Url::parse(ORIGIN).expect("an origin");
    let asked = MakeCredential {
        rp_id: RP,
        rp_name: "Gate",
        user: User {
            id: b"ada",
            name: "ada",
            display_name: "Ada",
        },
        challenge: &[3; 32],
        algorithms: &[Algorithm::Es256],
        discoverable: false,
        user_verification: UserVerification::Discouraged,
        exclude: &[],
        attestation: AttestationPreference::Direct,
    };
    let challenge = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM";
    let options: PublicKeyCredentialCreationOptions = serde_json::from_value(serde_json::json!({
        "rp": { "id": RP, "name": "Gate" },
        "user": { "id": "YWRh", "name": "ada", "displayName": "Ada" },
        "challenge": challenge,
        "pubKeyCredParams": [{ "type": "public-key", "alg": -7 }],
        "attestation": "direct",
    }))
    .expect("options");
    compare(
        "registration, attested",
        "SoftToken",
        || {
            let made = client.make_credential(&asked, &mut NoPin);
            black_box(made.expect("a credential"));
        },
        || {
            let made = peer.perform_register(origin.clone(), options.clone(), 1000);
            black_box(made.expect("a credential"));
        },
    );

    let made = client.make_credential(&asked, &mut NoPin);
    let allow = [made.expect("a credential").credential_id];
    let asked = GetAssertion {
        rp_id: RP,
        challenge: &[3; 32],
        allow: &allow,
        user_verification: UserVerification::Discouraged,
        presence: Presence::Required,
    };
    let made = peer
        .perform_register(origin.clone(), options, 1000)
        .expect("a credential");
    let options: PublicKeyCredentialRequestOptions = serde_json::from_value(serde_json::json!({
        "rpId": RP,
        "challenge": challenge,
        "allowCredentials": [{ "type": "public-key", "id": made.id }],
        "userVerification": "discouraged",
    }))
    .expect("options");
    compare(
        "sign-in",
        "SoftToken",
        || {
            let signed = client.get_assertion(&asked, &mut NoPin);
            black_box(signed.expect("an assertion"));
        },
        || {
            let signed = peer.perform_auth(origin.clone(), options.clone(), 1000);
            black_box(signed.expect("an assertion"));
        },
    );
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    at_ctap_level(&folder);
    at_webauthn_level(&folder);
}
