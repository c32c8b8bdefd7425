mod ancestry;
mod encoding;
mod hall;
mod realm;
mod visit;
mod witness;

use hallway_ctap::authenticator_data::Flags;
use hallway_webauthn::Outcome;

use self::realm::{Story, log, play, statement};
use super::*;
use crate::embedding;
use crate::receipt::Receipt;
use crate::statement::web;

const PAYLOAD: &[u8] = b"the bytes of a picture";

fn judge(evidence: &Bundle, payload: Option<&[u8]>, trust: &TrustFile) -> Report {
    bundle(evidence, payload, trust, Chain::ToSetUp)
}

/// What fails in a story: the section, the step, and what is said.
fn failure(story: &Story) -> (String, String, String) {
    let (all, trust) = play(story, PAYLOAD);
    failure_of(&judge(&all, Some(PAYLOAD), &trust))
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
    let report = judge(&all, Some(PAYLOAD), &trust);
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
    assert_eq!(report.sections.len(), 6);
    assert!(
        text.contains("Emily set up the realm, as its owner, on "),
        "{text}"
    );
    assert!(
        text.contains("It does not show whether somebody named here was suspended"),
        "{text}"
    );
    assert_eq!(report.sections[0].log_index, Some(3));
    // The relying party's own steps are there, numbered as in the specification.
    let numbers: Vec<&str> = report.sections[0]
        .steps
        .iter()
        .map(|seen| seen.step.number)
        .collect();
    assert!(
        numbers.contains(&"7.2.11") && numbers.contains(&"7.2.21"),
        "{numbers:?}"
    );
    // The bytes are taken apart, down to the certificate of the device's enrolment.
    let parts: Vec<&str> = report.parts.iter().map(|part| part.id).collect();
    assert_eq!(
        parts[..5],
        [
            "statement",
            "client-data",
            "authenticator-data",
            "signature",
            "certificate"
        ]
    );
    let challenge = report.parts[1].field("challenge").unwrap();
    assert!(challenge.meaning.starts_with("This is the SHA-256"));
    let valid = report.parts[4].field("Validity").unwrap();
    assert!(valid.meaning.starts_with("It is valid"));
    serde_json::to_string(&(report.sections, report.parts)).unwrap();
}

#[test]
fn without_the_bytes_it_says_so() {
    let (all, trust) = play(&Story::default(), PAYLOAD);
    let report = judge(&all, None, &trust);
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
    let (section, step, what) = failure_of(&judge(&all, Some(&changed), &trust));
    assert_eq!(
        (section.as_str(), step.as_str()),
        ("How the receipts fit together", "chain.1")
    );
    assert!(
        what.starts_with("the bytes outside the evidence were changed"),
        "{what}"
    );
    let (_, step, what) = failure_of(&judge(&all, Some(&changed[1..]), &trust));
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
                order: [1, 2, 0, 3],
                ..Story::default()
            },
            "chain.7",
            "not signed by a person's registered key",
        ),
        (
            Story {
                order: [1, 0, 2, 3],
                ..Story::default()
            },
            "people.5",
            "it is entry 1 of the log",
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
    let (_, step, what) = failure_of(&judge(&all, Some(PAYLOAD), &other));
    assert_eq!(step, "log.1");
    assert!(what.contains("no signature by gate.example/log"), "{what}");
    // Another maker.
    let mut other = trust.clone();
    other.authorities = play(&Story::default(), PAYLOAD).1.authorities;
    let (section, step, _) = failure_of(&judge(&all, Some(PAYLOAD), &other));
    assert_eq!(
        (section.as_str(), step.as_str()),
        ("Receipt 3: the device's enrolment", "7.1.24")
    );
    // No maker at all, another origin, another relying party id.
    for change in [
        (|trust: &mut TrustFile| trust.authorities.clear()) as fn(&mut TrustFile),
        |trust| trust.origins = vec!["https://evil.example".into()],
        |trust| trust.rp_id = "evil.example".into(),
    ] {
        let mut other = trust.clone();
        change(&mut other);
        assert!(!judge(&all, Some(PAYLOAD), &other).holds);
    }
}

#[test]
fn receipts_cannot_be_left_out_or_swapped() {
    let (all, trust) = play(&Story::default(), PAYLOAD);
    for missing in 0..4 {
        let mut fewer = all.to_vec();
        fewer.remove(missing);
        let fewer = Bundle::as_they_stand(fewer);
        assert!(
            !judge(&fewer, Some(PAYLOAD), &trust).holds,
            "without {missing}"
        );
    }
    // The receipts of another device of the same realm do not vouch for this one.
    let (others, _) = play(&Story::default(), PAYLOAD);
    for swapped in 0..4 {
        let mut mixed = all.to_vec();
        mixed[swapped] = others.to_vec()[swapped].clone();
        let mixed = Bundle::as_they_stand(mixed);
        assert!(
            !judge(&mixed, Some(PAYLOAD), &trust).holds,
            "with another {swapped}"
        );
    }
}

#[test]
fn a_claim_is_verified_too_with_the_enrolment_that_it_names() {
    let (all, trust) = play(&Story::default(), PAYLOAD);
    let [_, claim, enrolment, key] = all.to_vec().try_into().unwrap();
    let whole = Bundle::of(claim.clone(), [enrolment.clone(), key.clone()]).unwrap();
    let conclusion = judge(&whole, None, &trust).conclusion.unwrap();
    assert!(conclusion.sentences[0].starts_with("Signed by Emily (owner): At gate.example"));
    assert_eq!(conclusion.transaction, None);
    let about_bytes = judge(&whole, Some(b"x"), &trust);
    assert_eq!(
        failure_of(&about_bytes).2,
        "the evidence is of device.claim, not about bytes"
    );
    let without = Bundle::of(claim, [key]).unwrap();
    let (_, step, what) = failure_of(&judge(&without, None, &trust));
    assert_eq!(step, "chain.3");
    assert!(what.contains("no attested enrolment"), "{what}");
    // A device about itself: nobody allowed its key but its maker.
    let alone = Bundle::of(enrolment, []).unwrap();
    let conclusion = judge(&alone, None, &trust).conclusion.unwrap();
    assert!(conclusion.sentences[0].starts_with("Signed by the device “C-0042”"));
    assert_eq!(conclusion.chain, []);
}

#[test]
fn a_key_without_a_registration_or_with_the_wrong_response_is_refused() {
    let (_, trust) = play(&Story::default(), PAYLOAD);
    let stranger = realm::Key::new(
        b"stranger",
        Flags::USER_PRESENT | Flags::USER_VERIFIED,
        realm::MODEL,
    );
    let sign_in = statement("gate.example", web::SignIn {});
    let receipts = log(vec![
        stranger.assert(&sign_in),
        stranger.register(&sign_in, None),
    ]);
    let (_, step, _) = failure_of(&judge(
        &Bundle::of(receipts[0].clone(), []).unwrap(),
        None,
        &trust,
    ));
    assert_eq!(step, "key.1");
    let (_, step, what) = failure_of(&judge(
        &Bundle::of(receipts[1].clone(), []).unwrap(),
        None,
        &trust,
    ));
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
    let signed = embedding::embed(&original, &all).unwrap();
    let holds = |jpeg: &[u8]| match embedding::extract(jpeg) {
        Ok((payload, Some(found))) => judge(&found, Some(&payload), &trust).holds,
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
    let subject = all.subject();
    let receipt = subject.encode();
    assert_eq!(Receipt::decode(&receipt).as_ref(), Ok(subject));
    assert!(Receipt::decode(&receipt[1..]).is_err());
}
