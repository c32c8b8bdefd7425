//! Receipts whose log was witnessed.

use hallway_webauthn::Outcome;

use super::PAYLOAD;
use super::realm::{Story, log_key, play};
use crate::log::{Checkpoint, Cosigned, CosigningKey, TlogProof};
use crate::timestamp::Timestamp;
use crate::verify::{self, Report};
use crate::{Bundle, TrustFile};

const AT: Timestamp = Timestamp::from_ms(1_795_000_000_000);

fn witness(seed: u8) -> CosigningKey {
    CosigningKey::from_seed("alpha.example/witness", &[seed; 32]).unwrap()
}

/// A story whose subject stands on a checkpoint that `lines` cosign, checked by who trusts
/// `witness(1)`.
fn checked(lines: impl Fn(&Checkpoint) -> String) -> Report {
    let (Bundle(mut receipts), mut trust) = play(&Story::default(), PAYLOAD);
    let note = receipts[0].proof.checkpoint();
    let head = Checkpoint::open(note, &log_key().verifier()).unwrap();
    let text = format!("{}{}", receipts[0].proof, lines(&head));
    receipts[0].proof = TlogProof::parse(&text).unwrap();
    trust.witnesses = vec![witness(1).cosigner().clone()];
    let json = trust.to_json().unwrap();
    let trust = TrustFile::from_json(json.as_bytes()).unwrap();
    verify::bundle(&Bundle(receipts), Some(PAYLOAD), &trust)
}

fn outcome(report: &Report) -> Outcome {
    let mut steps = report.sections[0].steps.iter();
    steps.find(|step| step.number == "log.3").unwrap().outcome
}

#[test]
fn who_cosigned_is_told() {
    let report = checked(|head| witness(1).cosign(head, AT));
    assert!(report.holds);
    assert_eq!(outcome(&report), Outcome::Held);
    let conclusion = report.conclusion.unwrap();
    let cosigned = Cosigned {
        witness: "alpha.example/witness".into(),
        at_ms: AT,
    };
    assert_eq!(conclusion.cosigned, [cosigned]);
    let told = "That log was cosigned at 4 entries by alpha.example/witness on \
                2026-11-18 11:06:40 UTC.";
    assert!(conclusion.sentences.iter().any(|said| said == told));
}

#[test]
fn nobody_and_a_stranger_count_the_same_and_break_nothing() {
    for report in [
        checked(|_| String::new()),
        checked(|head| witness(2).cosign(head, AT)),
    ] {
        assert!(report.holds);
        assert_eq!(outcome(&report), Outcome::Skipped);
        assert_eq!(report.conclusion.unwrap().cosigned, []);
    }
}

#[test]
fn a_cosignature_of_another_tree_fails_where_it_stands() {
    let report = checked(|head| {
        let other = Checkpoint {
            root: [9; 32],
            ..head.clone()
        };
        witness(1).cosign(&other, AT)
    });
    let failure = report.failure.unwrap();
    assert_eq!(failure.step, "log.3");
    assert!(failure.what.contains("alpha.example/witness"));
}
