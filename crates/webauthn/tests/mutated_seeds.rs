//! A short run of the fuzz targets' work on the stable compiler: each kept seed, and changes of it
//! that are the same in every run. Nothing may panic. `scripts/fuzz` goes deeper.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;

use hallway_ctap::authenticator_data::AuthenticatorData;
use hallway_webauthn::device_attestation::{DeviceChallenge, verify_device_attestation};
use hallway_webauthn::explain::{ClientDataGiven, Evidence, Expected, explain};
use hallway_webauthn::metadata::Metadata;
use hallway_webauthn::{
    AuthenticatorExtensions, Framing, RegistrationPolicy, RegistrationResponse, RelyingParty,
    TrustAnchor, TrustAnchors, UnixSeconds, verify_registration,
};

const CHANGES_PER_SEED: usize = 2000;
const NOW: UnixSeconds = UnixSeconds(1_767_225_600);
const CLIENT_DATA: &[u8] =
    br#"{"type":"webauthn.create","challenge":"AAAA","origin":"https://example.org"}"#;

/// xorshift64: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

fn changed(seed: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len() + 1);
        let edge = [0, 1, 0x7f, 0x80, 0xff, 0x5b, 0xbf, numbers.below(256) as u8];
        let value = edge[numbers.below(edge.len())];
        match numbers.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, value),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 => {
                let end = (at + numbers.below(32)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
        }
    }
    bytes
}

fn run(target: &str, work: impl Fn(&[u8])) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    let mut seeds: Vec<_> = fs::read_dir(folder.join(target))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty());
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for seed in seeds {
        let seed = fs::read(seed).unwrap();
        work(&seed);
        for _ in 0..CHANGES_PER_SEED {
            work(&changed(&seed, &mut numbers));
        }
    }
}

#[test]
fn attestation_objects() {
    let rp = RelyingParty::new("example.org", "https://example.org");
    let anchors = TrustAnchors::new();
    run("attestation_object", |bytes| {
        let told = explain(
            bytes,
            &Evidence {
                client_data: ClientDataGiven::Json(CLIENT_DATA),
                expected: Some(Expected {
                    rp: &rp,
                    challenge: &[0; 3],
                    framing: &Framing::SameOrigin,
                }),
                anchors: &anchors,
                now: NOW,
            },
        );
        assert!(!told.summary.is_empty());
        let challenge = DeviceChallenge {
            token: "t",
            key_authorization: "t.k",
        };
        let _ = verify_device_attestation(bytes, &challenge, &anchors, NOW);
    });
}

#[test]
fn client_data() {
    let rp = RelyingParty::new("example.org", "https://example.org");
    let policy = RegistrationPolicy::person();
    run("client_data", |bytes| {
        let response = RegistrationResponse::new(bytes, &[0xa0]);
        assert!(verify_registration(&rp, &[0; 3], &policy, NOW, &response).is_err());
    });
}

#[test]
fn authenticator_data() {
    run("authenticator_data", |bytes| {
        if let Ok(data) = AuthenticatorData::parse(bytes) {
            let _ = AuthenticatorExtensions::parse(data.extensions.unwrap_or_default());
        }
    });
}

#[test]
fn certificates() {
    run("certificate", |bytes| drop(TrustAnchor::new("seed", bytes)));
}

#[test]
fn metadata_statements() {
    run("metadata", |bytes| {
        drop(Metadata::new().add_statement(bytes))
    });
}
