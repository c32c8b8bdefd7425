//! Commands per second in process, beside the bare signature of the same library in the same run.
//!
//! The figure that counts is a ratio: getAssertion at most 1.3 times the bare signature, and with
//! 10,000 discoverable credentials at most 1.2 times as long as with 10.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;
use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use criterion::{Criterion, criterion_group, criterion_main};
use hallway_ctap::authenticator_data::AuthenticatorData;
use hallway_ctap::command::{
    Descriptor, Options, RelyingParty, User, answer, get_assertion, make_credential,
};
use hallway_softkey::{Consent, KeyFile, NewKey, Protection, SoftKey};

const RP: &str = "gate.example";

fn open(folder: &Path, name: &str) -> SoftKey {
    let protection = Protection::OperatorKey([7; 32].into());
    let path = folder.join(name);
    KeyFile::create(&path, &protection, &NewKey::personal()).unwrap();
    SoftKey::open(&path, &protection, Consent::Always).unwrap()
}

fn make(user: &[u8], discoverable: bool) -> Vec<u8> {
    make_credential::Request {
        client_data_hash: &[1; 32],
        rp: RelyingParty { id: RP, name: None },
        user: User {
            id: user,
            name: None,
            display_name: None,
        },
        algorithms: vec![-7],
        exclude: Vec::new(),
        extensions: make_credential::Extensions::default(),
        options: Options {
            discoverable: Some(discoverable),
            ..Options::default()
        },
        pin_uv_auth_param: None,
        pin_uv_auth_protocol: None,
        enterprise_attestation: None,
        attestation_formats: vec!["none"],
    }
    .encode()
}

fn sign(allow: Option<&[u8]>) -> Vec<u8> {
    get_assertion::Request {
        rp_id: RP,
        client_data_hash: &[2; 32],
        allow: allow.map(|id| vec![Descriptor { id }]),
        extensions: get_assertion::Extensions::default(),
        options: Options {
            presence: Some(false),
            ..Options::default()
        },
        pin_uv_auth_param: None,
        pin_uv_auth_protocol: None,
    }
    .encode()
}

fn credential_id(response: &[u8]) -> Vec<u8> {
    let map = answer(response).unwrap().unwrap();
    let made = make_credential::Response::parse(&map).unwrap();
    let data = AuthenticatorData::parse(&made.auth_data).unwrap();
    data.attested_credential.unwrap().credential_id.to_vec()
}

fn succeed(key: &mut SoftKey, request: &[u8]) -> Vec<u8> {
    let response = key.process(request);
    assert_eq!(response[0], 0);
    response
}

fn commands(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut group = c.benchmark_group("ES256 in process");

    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let random = SystemRandom::new();
    // Authenticator data of 37 bytes and the client data hash.
    let message = [3; 69];
    group.bench_function("bare signature", |b| {
        b.iter(|| pair.sign(&random, black_box(&message)).unwrap());
    });

    let mut key = open(folder.path(), "sealed");
    let id = credential_id(&succeed(&mut key, &make(b"ada", false)));
    let request = sign(Some(&id));
    group.bench_function("getAssertion, sealed credential", |b| {
        b.iter(|| succeed(&mut key, black_box(&request)));
    });
    let request = make(b"ada", false);
    group.bench_function("makeCredential, sealed credential", |b| {
        b.iter(|| succeed(&mut key, black_box(&request)));
    });

    let mut key = open(folder.path(), "discoverable");
    let request = sign(None);
    for (from, to) in [(0u32, 10u32), (10, 10_000)] {
        for user in from..to {
            succeed(&mut key, &make(&user.to_be_bytes(), true));
        }
        group.bench_function(format!("getAssertion among {to} discoverable"), |b| {
            b.iter(|| succeed(&mut key, black_box(&request)));
        });
    }
    group.finish();
}

criterion_group!(benches, commands);
criterion_main!(benches);
