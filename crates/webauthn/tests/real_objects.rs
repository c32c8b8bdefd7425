//! Registrations and assertions that other projects keep in their test suites, most of them from
//! real authenticators, each judged at a time when its certificates were valid. See
//! `data/real/README.md`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::{AuthenticatorData, Flags};
use hallway_ctap::cose::Algorithm;
use hallway_webauthn::explain::{ClientDataGiven, Conclusion, Evidence, explain};
use hallway_webauthn::{
    AndroidKeyLists, AssertionPolicy, AssertionResponse, AttestationKind, BackupEligibility,
    CounterPolicy, CredentialRecord, Outcome, Record, RegistrationPolicy, RegistrationResponse,
    RelyingParty, RequiredTrust, TrustAnchor, TrustAnchors, UnixSeconds, UserPresence,
    UserVerification, verify_assertion_observed, verify_registration_observed,
};
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/real")
}

fn read(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder().join(name)).unwrap()).unwrap()
}

fn text<'v>(object: &'v Value, name: &str) -> &'v str {
    object[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {object}"))
}

fn bytes(object: &Value, name: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text(object, name)).unwrap()
}

fn anchors() -> TrustAnchors {
    let list = read("anchors.json");
    let anchors = list.as_array().unwrap().iter();
    anchors
        .map(|anchor| TrustAnchor::new(text(anchor, "name"), bytes(anchor, "certificate")).unwrap())
        .collect()
}

/// Every object of one kind, with the name of its file and its place in it.
fn objects(kind: &str) -> Vec<(String, Value)> {
    let mut files: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json") && name != "anchors.json")
        .collect();
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let json = read(&file);
        for (place, object) in json[kind].as_array().unwrap().iter().enumerate() {
            let name = format!("{file} {kind}[{place}] {}", object["source"]);
            found.push((name, object.clone()));
        }
    }
    found
}

/// Accepts as much as a policy can: the tests are about what these objects prove.
fn permissive(trust: RequiredTrust) -> RegistrationPolicy {
    RegistrationPolicy {
        trust,
        user_presence: UserPresence::NotRequired,
        user_verification: UserVerification::NotRequired,
        backup: BackupEligibility::Any,
        algorithms: (-65_535..0).filter_map(Algorithm::from_id).collect(),
        android_key: AndroidKeyLists::Either,
        ..RegistrationPolicy::attested(anchors())
    }
}

/// No step is reported again, except as failed.
fn each_step_is_told_once(record: &Record) {
    for (at, seen) in record.0.iter().enumerate() {
        let again = record.0[..at]
            .iter()
            .any(|earlier| earlier.step == seen.step && seen.outcome != Outcome::Failed);
        assert!(!again, "{} twice: {record:#?}", seen.step.number);
    }
}

fn refused(record: &Record) -> String {
    // The step of the format says more than "the statement verifies".
    let failed = record
        .0
        .iter()
        .find(|seen| seen.outcome == Outcome::Failed)
        .unwrap();
    format!("refused at {}", failed.step.number)
}

struct Ceremony {
    rp: RelyingParty,
    challenge: Vec<u8>,
}

impl Ceremony {
    fn of(object: &Value) -> Self {
        Self {
            rp: RelyingParty::new(text(object, "rpId"), text(object, "origin")),
            challenge: bytes(object, "challenge"),
        }
    }

    fn register(&self, object: &Value) -> String {
        let mut record = Record::default();
        let result = verify_registration_observed(
            &self.rp,
            &self.challenge,
            &permissive(RequiredTrust::Any),
            UnixSeconds(object["at"].as_i64().unwrap()),
            &RegistrationResponse::new(
                &bytes(object, "clientDataJSON"),
                &bytes(object, "attestationObject"),
            ),
            &mut record,
        );
        each_step_is_told_once(&record);
        match result.map(|registration| registration.attestation.kind) {
            Ok(AttestationKind::None) => "no attestation".into(),
            Ok(AttestationKind::SelfSigned) => "self attestation".into(),
            Ok(AttestationKind::Certified(certified)) => match certified.anchor {
                Some(anchor) => format!("vouched for by {}", anchor.name),
                None => "certified by an authority that is not listed".into(),
            },
            Err(_) => refused(&record),
        }
    }

    fn authenticate(&self, object: &Value) -> String {
        let id = bytes(object, "credentialId");
        let handle = object["userHandle"].as_str();
        let handle = handle.map(|handle| URL_SAFE_NO_PAD.decode(handle).unwrap());
        let data = bytes(object, "authenticatorData");
        let eligible = AuthenticatorData::parse(&data)
            .is_ok_and(|data| data.flags.contains(Flags::BACKUP_ELIGIBLE));
        let stored = CredentialRecord {
            id: id.clone(),
            public_key: bytes(object, "publicKey"),
            sign_count: u32::try_from(object["signCount"].as_u64().unwrap_or(0)).unwrap(),
            backup_eligible: eligible,
            backed_up: false,
            uv_initialized: false,
            transports: vec![],
            user_handle: handle.clone().unwrap_or_default(),
            aaguid: Aaguid::ZERO,
        };
        let policy = AssertionPolicy {
            user_verification: UserVerification::NotRequired,
            counter: CounterPolicy::Refuse,
            ..AssertionPolicy::default()
        };
        let mut record = Record::default();
        let result = verify_assertion_observed(
            &self.rp,
            &self.challenge,
            &policy,
            &stored,
            &AssertionResponse {
                credential_id: &id,
                client_data_json: &bytes(object, "clientDataJSON"),
                authenticator_data: &data,
                signature: &bytes(object, "signature"),
                user_handle: handle.as_deref(),
            },
            &mut record,
        );
        each_step_is_told_once(&record);
        match result {
            Ok(_) => "verified".into(),
            Err(_) => refused(&record),
        }
    }
}

fn check(problems: &mut Vec<String>, name: &str, object: &Value, found: &str) {
    if object["outcome"] != found {
        problems.push(format!("{name}: {found}, expected {}", object["outcome"]));
    }
}

#[test]
fn registrations_end_as_they_should() {
    let mut problems = Vec::new();
    let mut count = 0;
    for (name, object) in objects("registrations") {
        if object["clientDataJSON"].is_null() {
            continue;
        }
        count += 1;
        check(
            &mut problems,
            &name,
            &object,
            &Ceremony::of(&object).register(&object),
        );
    }
    assert!(count >= 76, "{count}");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// What a statement proves where only the hash of the client data is known, or not even that.
#[test]
fn objects_without_client_data_are_explained() {
    let anchors = anchors();
    let mut problems = Vec::new();
    let mut count = 0;
    for (name, object) in objects("registrations") {
        if !object["clientDataJSON"].is_null() {
            continue;
        }
        count += 1;
        let hash: Option<[u8; 32]> = object["clientDataHash"]
            .as_str()
            .map(|_| bytes(&object, "clientDataHash").try_into().unwrap());
        let found = explain(
            &bytes(&object, "attestationObject"),
            &Evidence {
                client_data: hash
                    .as_ref()
                    .map_or(ClientDataGiven::Nothing, ClientDataGiven::Hash),
                expected: None,
                anchors: &anchors,
                now: UnixSeconds(object["at"].as_i64().unwrap()),
            },
        );
        let outcome = match found.conclusion {
            Conclusion::Trusted => found.summary,
            Conclusion::NotChecked => "not checked".into(),
            Conclusion::NoCertificate => "no certificate".into(),
            Conclusion::Untrusted => "certified by an authority that is not listed".into(),
            Conclusion::Invalid | Conclusion::Unreadable => refused(&found.steps),
            Conclusion::Verified => unreachable!("no assertion is among them"),
        };
        check(&mut problems, &name, &object, &outcome);
    }
    assert!(count >= 13, "{count}");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn assertions_end_as_they_should() {
    let mut problems = Vec::new();
    for (name, object) in objects("assertions") {
        check(
            &mut problems,
            &name,
            &object,
            &Ceremony::of(&object).authenticate(&object),
        );
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// None of them passes as an answer to another challenge, from another page, for another relying
/// party.
#[test]
fn each_belongs_to_its_own_ceremony() {
    let registrations = objects("registrations").into_iter().map(|o| (true, o));
    let assertions = objects("assertions").into_iter().map(|o| (false, o));
    for (registration, (name, object)) in registrations.chain(assertions) {
        if object["clientDataJSON"].is_null() || text(&object, "outcome").starts_with("refused") {
            continue;
        }
        let run = |ceremony: &Ceremony| {
            if registration {
                ceremony.register(&object)
            } else {
                ceremony.authenticate(&object)
            }
        };
        let steps = if registration {
            ["7.1.8", "7.1.9", "7.1.14"]
        } else {
            ["7.2.11", "7.2.12", "7.2.15"]
        };
        let mut ceremony = Ceremony::of(&object);
        ceremony.challenge[0] ^= 1;
        assert_eq!(run(&ceremony), format!("refused at {}", steps[0]), "{name}");
        let mut ceremony = Ceremony::of(&object);
        ceremony.rp.origins = vec![text(&object, "origin").replace("://", "://evil-")];
        assert_eq!(run(&ceremony), format!("refused at {}", steps[1]), "{name}");
        let mut ceremony = Ceremony::of(&object);
        ceremony.rp.id = format!("evil-{}", ceremony.rp.id);
        assert_eq!(run(&ceremony), format!("refused at {}", steps[2]), "{name}");
    }
}
