//! A device's transaction, taken apart.

use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::{AttestedCredential, AuthenticatorData, Flags};
use hallway_spine::console::explain;
use hallway_spine::console::view::*;

use super::{HASH, NOW, ago, frame};

fn parts() -> Vec<Part> {
    let mut statement = Vec::new();
    let mut encoder = minicbor::Encoder::new(&mut statement);
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
    let challenge = digest(&statement);
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
    let certificate = parameters
        .self_signed(&rcgen::KeyPair::generate().unwrap())
        .unwrap();
    let signature = [
        &[0x30, 0x44, 0x02, 0x20][..],
        &[0x6f; 32],
        &[0x02, 0x20],
        &[0x2d; 32],
    ]
    .concat();
    vec![
        explain::statement(&statement),
        explain::client_data(json.as_bytes(), challenge.as_ref()),
        explain::authenticator_data(&data, "gate.example"),
        explain::certificate(certificate.der(), 0),
        explain::signature(&signature),
    ]
}

fn groups(failing: Option<usize>) -> Vec<StepGroup> {
    const TITLES: [&str; 24] = [
        "The statement is canonical CBOR and names this realm",
        "The statement is not older than its door allows",
        "The credential is known",
        "The client data are UTF-8",
        "The client data are JSON",
        "The type is webauthn.get",
        "The challenge is the SHA-256 of the statement",
        "The origin is one of the realm's",
        "The page was not inside another site's",
        "The hash of the relying party id is this realm's",
        "The user was present",
        "The user was verified",
        "A credential that may not be backed up is not",
        "Backup eligibility has not changed",
        "The client data hash is computed",
        "The signature verifies with the credential's public key",
        "The signature counter went up",
        "Extension outputs are acceptable",
        "The algorithm is one that was asked for",
        "The certificate chains to a trusted authority",
        "The AAGUID extension agrees with the authenticator data",
        "The serial number is in the subject",
        "The entry is in the log at this index",
        "The checkpoint is signed with the realm's log key",
    ];
    let steps = TITLES
        .iter()
        .enumerate()
        .map(|(i, title)| Step {
            number: format!("7.2.{}", i + 1),
            title: (*title).to_owned(),
            outcome: if failing == Some(i) {
                Outcome::Failed(
                    "The signature does not verify: the authenticator data or the client data \
                     were changed after they were signed."
                        .to_owned(),
                )
            } else if i == 10 {
                Outcome::NotNeeded(
                    "The credential is enrolled as a device, which signs with nobody present."
                        .to_owned(),
                )
            } else {
                Outcome::Passed(if i % 3 == 0 {
                    "https://gate.example".to_owned()
                } else {
                    String::new()
                })
            },
        })
        .collect::<Vec<_>>();
    vec![
        StepGroup {
            title: "Statement".to_owned(),
            sentence: None,
            steps: steps[..2].to_vec(),
        },
        StepGroup {
            title: "Assertion (WebAuthn Level 3, 7.2)".to_owned(),
            sentence: None,
            steps: steps[2..22].to_vec(),
        },
        StepGroup {
            title: "Receipt 2: the device's enrolment".to_owned(),
            sentence: Some("Make this device known, with its attestation.".to_owned()),
            steps: steps[22..].to_vec(),
        },
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
        verdict: failing.map_or(Verdict::Holds, |_| {
            Verdict::Fails("Step 7.2.16: the signature does not verify.".to_owned())
        }),
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
        groups: groups(failing),
        parts: parts(),
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
