mod hall;
mod realm;
mod visit;
mod witness;

use hallway_ctap::authenticator_data::Flags;
use hallway_webauthn::Outcome;

use self::realm::{Story, log, play, statement};
use super::*;
use crate::jpeg;
use crate::receipt::Receipt;
use crate::statement::Web;

const PAYLOAD: &[u8] = b"the bytes of a picture";

/// What fails in a story: the section, the step, and what is said.
fn failure(story: &Story) -> (String, String, String) {
    let (all, trust) = play(story, PAYLOAD);
    failure_of(&bundle(&all, Some(PAYLOAD), &trust))
}

fn failure_of(report: &Report) -> (String, String, String) {
    assert!(!report.holds);
    assert_eq!(report.conclusion, None);
    let failure = report.failure.clone().unwrap();
    (failure.section, failure.step, failure.what)
}

#[test]
fn a_true_story_holds_and_is_told() {
    let (all, trust) = play(&Story::default(), PAYLOAD);
    let report = bundle(&all, Some(PAYLOAD), &trust);
    assert_eq!(report.failure, None);
    assert!(report.holds);
    let conclusion = report.conclusion.unwrap();
    assert_eq!(
        (conclusion.log.as_str(), conclusion.log_index),
        ("gate.example/log", 3)
    );
    let text = conclusion.sentences.join("\n");
    for part in [
        "These very 22 bytes were signed as “IMG_0007.JPG” by the device with the serial number \
         “C-0042”, model cacacaca-caca-caca-caca-cacacacacaca, attested by Lens & Co.",
        "Emily (owner) enrolled the device on ",
        "taken on 2026-09-21 14:13:20 UTC, as its number 7 (live).",
        "the log gate.example/log holds it at index 3.",
        "It does not show that the scene is real",
    ] {
        assert!(text.contains(part), "{part}\n---\n{text}");
    }
    let facts = conclusion.transaction.unwrap();
    assert!(facts.payload_checked);
    assert_eq!(report.sections.len(), 5);
    assert_eq!(report.sections[0].log_index, Some(3));
    // The relying party's own steps are there, numbered as in the specification.
    let numbers: Vec<&str> = report.sections[0]
        .steps
        .iter()
        .map(|step| step.number.as_str())
        .collect();
    assert!(
        numbers.contains(&"7.2.11") && numbers.contains(&"7.2.21"),
        "{numbers:?}"
    );
    serde_json::to_string(&report.sections).unwrap();
}

#[test]
fn without_the_bytes_it_says_so() {
    let (all, trust) = play(&Story::default(), PAYLOAD);
    let report = bundle(&all, None, &trust);
    assert!(report.holds);
    let conclusion = report.conclusion.unwrap();
    assert!(conclusion.sentences[0].contains("not at hand to compare"));
    assert!(!conclusion.transaction.unwrap().payload_checked);
    assert_eq!(report.sections[4].steps[0].outcome, Outcome::Skipped);
}

#[test]
fn changed_bytes_are_named() {
    let (all, trust) = play(&Story::default(), PAYLOAD);
    let mut changed = PAYLOAD.to_vec();
    changed[3] ^= 1;
    let (section, step, what) = failure_of(&bundle(&all, Some(&changed), &trust));
    assert_eq!(
        (section.as_str(), step.as_str()),
        ("How the receipts fit together", "chain.1")
    );
    assert!(
        what.starts_with("the bytes outside the evidence were changed"),
        "{what}"
    );
    let (_, step, what) = failure_of(&bundle(&all, Some(&changed[1..]), &trust));
    assert_eq!(step, "chain.1");
    assert_eq!(
        what,
        "there are 21 bytes outside the evidence, but 22 were signed"
    );
}

#[test]
fn stories_that_do_not_fit_fail_at_their_step() {
    let cases = [
        (
            Story {
                realm: "other.example",
                ..Story::default()
            },
            "statement.2",
            "other.example",
        ),
        (
            Story {
                serial_in_claim: "C-0043",
                ..Story::default()
            },
            "chain.5",
            "“C-0043”",
        ),
        (
            Story {
                claim_of_this_enrolment: false,
                ..Story::default()
            },
            "chain.4",
            "another enrolment",
        ),
        (
            Story {
                claimed_by_owner: false,
                ..Story::default()
            },
            "chain.7",
            "Emily, who is not",
        ),
        (
            Story {
                order: [0, 2, 1, 3],
                ..Story::default()
            },
            "chain.8",
            "not in this order",
        ),
        (
            Story {
                order: [3, 0, 1, 2],
                ..Story::default()
            },
            "chain.8",
            "not in this order",
        ),
        (
            Story {
                owner_flags: Flags::USER_PRESENT,
                ..Story::default()
            },
            "7.1.16",
            "the flag is not set",
        ),
    ];
    for (story, expected_step, words) in cases {
        let (_, step, what) = failure(&story);
        assert_eq!(step, expected_step, "{what}");
        assert!(what.contains(words), "{what}");
    }
}

#[test]
fn another_realms_trust_file_accepts_nothing() {
    let (all, trust) = play(&Story::default(), PAYLOAD);
    // Another log key under the same name.
    let mut other = trust.clone();
    other.log = crate::log::SigningKey::from_seed("gate.example/log", &[6; 32])
        .unwrap()
        .verifier();
    let (_, step, what) = failure_of(&bundle(&all, Some(PAYLOAD), &other));
    assert_eq!(step, "log.1");
    assert!(what.contains("no signature by gate.example/log"), "{what}");
    // Another maker.
    let mut other = trust.clone();
    other.authorities = play(&Story::default(), PAYLOAD).1.authorities;
    let (section, step, _) = failure_of(&bundle(&all, Some(PAYLOAD), &other));
    assert_eq!(
        (section.as_str(), step.as_str()),
        ("Receipt 2: the device's enrolment", "7.1.24")
    );
    // No maker at all, another origin, another relying party id.
    for change in [
        (|trust: &mut TrustFile| trust.authorities.clear()) as fn(&mut TrustFile),
        |trust| trust.origins = vec!["https://evil.example".into()],
        |trust| trust.rp_id = "evil.example".into(),
    ] {
        let mut other = trust.clone();
        change(&mut other);
        assert!(!bundle(&all, Some(PAYLOAD), &other).holds);
    }
}

#[test]
fn receipts_cannot_be_left_out_or_swapped() {
    let (all, trust) = play(&Story::default(), PAYLOAD);
    for missing in 0..4 {
        let mut fewer = all.clone();
        fewer.0.remove(missing);
        assert!(
            !bundle(&fewer, Some(PAYLOAD), &trust).holds,
            "without {missing}"
        );
    }
    assert!(!bundle(&Bundle::default(), Some(PAYLOAD), &trust).holds);
    // The receipts of another device of the same realm do not vouch for this one.
    let (others, _) = play(&Story::default(), PAYLOAD);
    for swapped in 0..4 {
        let mut mixed = all.clone();
        mixed.0[swapped] = others.0[swapped].clone();
        assert!(
            !bundle(&mixed, Some(PAYLOAD), &trust).holds,
            "with another {swapped}"
        );
    }
}

#[test]
fn a_sign_in_is_verified_too() {
    let (all, trust) = play(&Story::default(), PAYLOAD);
    let signed = bundle(
        &Bundle(vec![all.0[2].clone(), all.0[3].clone()]),
        None,
        &trust,
    );
    let conclusion = signed.conclusion.unwrap();
    assert!(conclusion.sentences[0].starts_with("Signed by Emily (owner): At gate.example"));
    assert_eq!(conclusion.transaction, None);
    let about_bytes = bundle(
        &Bundle(vec![all.0[2].clone(), all.0[3].clone()]),
        Some(b"x"),
        &trust,
    );
    assert_eq!(
        failure_of(&about_bytes).2,
        "the evidence is of device.claim, not about bytes"
    );
}

#[test]
fn a_key_without_a_registration_or_with_the_wrong_response_is_refused() {
    let (_, trust) = play(&Story::default(), PAYLOAD);
    let stranger = realm::Key::new(
        b"stranger",
        Flags::USER_PRESENT | Flags::USER_VERIFIED,
        realm::MODEL,
    );
    let sign_in = statement("gate.example", Web::SignIn);
    let receipts = log(vec![
        stranger.assert(&sign_in),
        stranger.register(&sign_in, None),
    ]);
    let (_, step, _) = failure_of(&bundle(&Bundle(vec![receipts[0].clone()]), None, &trust));
    assert_eq!(step, "key.1");
    let (_, step, what) = failure_of(&bundle(&Bundle(vec![receipts[1].clone()]), None, &trust));
    assert_eq!(
        (step.as_str(), what.as_str()),
        ("statement.3", "it needs an assertion, not a registration")
    );
}

/// A picture that viewers would open, as far as its segments go.
fn picture() -> Vec<u8> {
    let mut jpeg = vec![0xff, 0xd8, 0xff, 0xe0, 0, 7, b'J', b'F', b'I', b'F', 0];
    jpeg.extend([0xff, 0xda, 0, 2, 1, 2, 3, 4, 0xff, 0xd9]);
    jpeg
}

#[test]
fn any_changed_byte_of_a_signed_picture_is_noticed() {
    let original = picture();
    let (all, trust) = play(&Story::default(), &original);
    let signed = jpeg::embed(&original, &all).unwrap();
    let holds = |jpeg: &[u8]| match jpeg::extract(jpeg) {
        Ok((payload, Some(found))) => bundle(&found, Some(&payload), &trust).holds,
        _ => false,
    };
    assert!(holds(&signed));
    for at in 0..signed.len() {
        let mut changed = signed.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(!holds(&changed), "byte {at}");
    }
}

#[test]
fn receipts_and_bundles_are_read_back_and_cuts_refused() {
    let (all, _) = play(&Story::default(), PAYLOAD);
    let bytes = all.encode();
    assert_eq!(Bundle::decode(&bytes).as_ref(), Ok(&all));
    for end in (0..bytes.len()).step_by(7) {
        assert!(Bundle::decode(&bytes[..end]).is_err());
    }
    let receipt = all.0[0].encode();
    assert_eq!(Receipt::decode(&receipt).as_ref(), Ok(&all.0[0]));
    assert!(Receipt::decode(&receipt[1..]).is_err());
    let many = Bundle(vec![all.0[0].clone(); 17]).encode();
    assert!(
        Bundle::decode(&many)
            .unwrap_err()
            .to_string()
            .contains("17 receipts")
    );
    assert!(Bundle::decode(&Bundle::default().encode()).is_err());
}
