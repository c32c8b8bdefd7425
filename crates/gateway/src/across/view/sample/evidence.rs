//! A device's transaction, taken apart.

use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::{AttestedCredential, AuthenticatorData, Flags};
use hallway_evidence::explain::statement;
use hallway_evidence::verify::{Failure, Report, Section};
use hallway_spine::console::view::*;
use hallway_webauthn::explain::{
    Challenge, Part, authenticator_data, certificate, client_data, signature,
};
use hallway_webauthn::{Observed, Outcome, Step, UnixSeconds};

use super::{HASH, NOW, ago, frame};

fn parts() -> Vec<Part> {
    let mut stated = Vec::new();
    let mut encoder = minicbor::Encoder::new(&mut stated);
    encoder.map(4).unwrap();
    encoder.str("act").unwrap().map(4).unwrap();
    encoder.str("kind").unwrap().str("transaction").unwrap();
    encoder.str("sha256").unwrap().bytes(&[0xc4; 32]).unwrap();
    encoder.str("length").unwrap().u64(1_834_221).unwrap();
    encoder.str("sequence").unwrap().u64(1204).unwrap();
    encoder.str("nonce").unwrap().bytes(&[0x3e; 16]).unwrap();
    encoder.str("realm").unwrap().str("gate.example").unwrap();
    encoder.str("issued").unwrap().u64(NOW).unwrap();
    let digest = |bytes: &[u8]| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let challenge = digest(&stated);
    let json = format!(
        r#"{{"type":"webauthn.get","challenge":"{}","origin":"https://gate.example","crossOrigin":false}}"#,
        base64::Engine::encode(
            &base64::engine::general_purpose::URL_SAFE_NO_PAD,
            challenge.as_ref()
        )
    );
    let data = AuthenticatorData {
        rp_id_hash: digest(b"gate.example").as_ref().try_into().unwrap(),
        flags: Flags::USER_PRESENT | Flags::USER_VERIFIED,
        sign_count: 1204,
        attested_credential: Some(AttestedCredential {
            aaguid: Aaguid([0x4c; 16]),
            credential_id: &[0x81; 48],
            public_key: &[0xa0],
        }),
        extensions: None,
    }
    .encode()
    .unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Hallway Camera 2");
    let issued = parameters
        .self_signed(&rcgen::KeyPair::generate().unwrap())
        .unwrap();
    let signed = [
        &[0x30, 0x44, 0x02, 0x20][..],
        &[0x6f; 32],
        &[0x02, 0x20],
        &[0x2d; 32],
    ]
    .concat();
    vec![
        statement(&stated),
        client_data(
            json.as_bytes(),
            Some(Challenge {
                bytes: challenge.as_ref(),
                called: "the SHA-256 of the statement above",
            }),
        ),
        authenticator_data(&data, Some("gate.example")),
        certificate(issued.der(), 0, UnixSeconds::from_ms(NOW)),
        signature(&signed),
    ]
}

fn sections(failing: Option<usize>) -> Vec<Section> {
    const STEPS: [(&str, &str); 24] = [
        (
            "7.2.1",
            "The statement is canonical CBOR and names this realm",
        ),
        ("7.2.2", "The statement is not older than its door allows"),
        ("7.2.3", "The credential is known"),
        ("7.2.4", "The client data are UTF-8"),
        ("7.2.5", "The client data are JSON"),
        ("7.2.6", "The type is webauthn.get"),
        ("7.2.7", "The challenge is the SHA-256 of the statement"),
        ("7.2.8", "The origin is one of the realm's"),
        ("7.2.9", "The page was not inside another site's"),
        ("7.2.10", "The hash of the relying party id is this realm's"),
        ("7.2.11", "The user was present"),
        ("7.2.12", "The user was verified"),
        ("7.2.13", "A credential that may not be backed up is not"),
        ("7.2.14", "Backup eligibility has not changed"),
        ("7.2.15", "The client data hash is computed"),
        (
            "7.2.16",
            "The signature verifies with the credential's public key",
        ),
        ("7.2.17", "The signature counter went up"),
        ("7.2.18", "Extension outputs are acceptable"),
        ("7.2.19", "The algorithm is one that was asked for"),
        ("7.2.20", "The certificate chains to a trusted authority"),
        (
            "7.2.21",
            "The AAGUID extension agrees with the authenticator data",
        ),
        ("7.2.22", "The serial number is in the subject"),
        ("7.2.23", "The entry is in the log at this index"),
        (
            "7.2.24",
            "The checkpoint is signed with the realm's log key",
        ),
    ];
    let steps = STEPS
        .iter()
        .enumerate()
        .map(|(i, (number, title))| {
            let (outcome, detail) = if failing == Some(i) {
                (
                    Outcome::Failed,
                    "The signature does not verify: the authenticator data or the client data were \
                     changed after they were signed.",
                )
            } else if i == 10 {
                (
                    Outcome::Skipped,
                    "The credential is enrolled as a device, which signs with nobody present.",
                )
            } else if i % 3 == 0 {
                (Outcome::Held, "https://gate.example")
            } else {
                (Outcome::Held, "")
            };
            Observed {
                step: Step { number, title },
                outcome,
                detail: detail.to_owned(),
            }
        })
        .collect::<Vec<_>>();
    let section = |title: &str, sentence: Option<&str>, steps: &[Observed]| Section {
        title: title.to_owned(),
        sentence: sentence.map(str::to_owned),
        log_index: None,
        steps: steps.to_vec(),
    };
    vec![
        section("Statement", None, &steps[..2]),
        section("Assertion (WebAuthn Level 3, 7.2)", None, &steps[2..22]),
        section(
            "Receipt 2: the device's enrolment",
            Some("Make this device known, with its attestation."),
            &steps[22..],
        ),
    ]
}

pub(super) fn explanation(failing: Option<usize>) -> ExplanationPage {
    ExplanationPage {
        frame: frame(Some(NavigationEntry::EVIDENCE)),
        hash: HASH.to_owned(),
        receipt: "gate at noon.jpg.evidence".to_owned(),
        sentence: "Device HC-2201-0007 signs 1 834 221 bytes, SHA-256 c4c4c4c4…, as its number \
                   1204 in gate.example."
            .to_owned(),
        accepted: ago(240),
        facts: vec![
            Fact {
                name: "Signed by",
                value: "Camera at the gate".to_owned(),
                href: Some("/devices/0197".to_owned()),
            },
            Fact {
                name: "Enrolled by",
                value: "Emily Gray".to_owned(),
                href: None,
            },
        ],
        picture: Some(Picture {
            size: Size(1_834_221),
            sha256: HASH.to_owned(),
        }),
        report: Report {
            holds: failing.is_none(),
            failure: failing.map(|_| Failure {
                section: "Assertion (WebAuthn Level 3, 7.2)".to_owned(),
                step: "7.2.16".to_owned(),
                what: "the signature does not verify".to_owned(),
            }),
            conclusion: None,
            missing: Vec::new(),
            sections: sections(failing),
            parts: parts(),
        },
        log: Some(LogPlace {
            index: Count(14_822),
            tree_size: Count(14_830),
            leaf: HASH.to_owned(),
            path: vec![HASH.to_owned(); 14],
            checkpoint: "gate.example/log\n14830\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
                         — gate.example/log Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4UYiM8f\
                         xhR5mz+o8oS\n"
                .to_owned(),
        }),
    }
}
