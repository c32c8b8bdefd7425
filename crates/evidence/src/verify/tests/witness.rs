//! Receipts whose log was witnessed.

use hallway_webauthn::Outcome;

use super::PAYLOAD;
use super::realm::{Story, log_key, play};
use crate::log::{Checkpoint, Cosigned, CosigningKey, TlogProof};
use crate::timestamp::Timestamp;
use crate::verify::{self, Chain, Report};
use crate::{Bundle, TrustFile};

const AT: Timestamp = Timestamp::from_ms(1_795_000_000_000);

fn witness(seed: u8) -> CosigningKey {
    CosigningKey::from_seed("alpha.example/witness", &[seed; 32]).unwrap()
}

/// A story whose subject stands on a checkpoint that `lines` cosign, checked with a trust file that
/// names `witness(1)`.
fn checked(lines: impl Fn(&Checkpoint) -> String) -> Report {
    let (bundle, mut trust) = play(&Story::default(), PAYLOAD);
    let mut receipts = bundle.to_vec();
    let note = receipts[0].proof.checkpoint();
    let head = Checkpoint::open(note, &log_key().verifier()).unwrap();
    let text = format!("{}{}", receipts[0].proof, lines(&head));
    receipts[0].proof = TlogProof::parse(&text).unwrap();
    trust.witnesses = vec![witness(1).cosigner().clone()];
    let json = trust.to_json().unwrap();
    let trust = TrustFile::from_json(json.as_bytes()).unwrap();
    verify::bundle(
        &Bundle::as_they_stand(receipts),
        Some(PAYLOAD),
        &trust,
        Chain::ToSetUp,
    )
}

fn outcome(report: &Report) -> Outcome {
    let mut steps = report.sections[0].steps.iter();
    steps
        .find(|seen| seen.step.number == "log.3")
        .unwrap()
        .outcome
}

#[test]
fn the_report_names_the_cosigners() {
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
fn evidence_without_cosignatures_holds() {
    let report = checked(|_| String::new());
    assert!(report.holds);
    assert_eq!(outcome(&report), Outcome::Skipped);
    assert_eq!(report.conclusion.unwrap().cosigned, []);
}

#[test]
fn a_signature_by_an_unknown_key_is_refused_by_name() {
    let stranger = CosigningKey::from_seed("mallory.example/witness", &[3; 32]).unwrap();
    for report in [
        checked(|head| stranger.cosign(head, AT)),
        checked(|_| "— mallory AAAAAAAA\n".to_owned()),
        // The name of a witness, with another key.
        checked(|head| witness(2).cosign(head, AT)),
    ] {
        let failure = report.failure.unwrap();
        assert_eq!(failure.step, "log.4");
        assert!(
            failure
                .what
                .contains("no witness that the trust file names")
        );
    }
}

#[test]
fn a_former_witness_may_cosign_and_does_not_count() {
    let (bundle, mut trust) = play(&Story::default(), PAYLOAD);
    let mut receipts = bundle.to_vec();
    let note = receipts[0].proof.checkpoint();
    let head = Checkpoint::open(note, &log_key().verifier()).unwrap();
    let cosigned = |head: &Checkpoint| {
        let text = format!("{}{}", receipts[0].proof, witness(1).cosign(head, AT));
        TlogProof::parse(&text).unwrap()
    };
    let elsewhere = Checkpoint {
        root: [9; 32],
        ..head.clone()
    };
    let (right, wrong) = (cosigned(&head), cosigned(&elsewhere));
    trust.former_witnesses = vec![witness(1).cosigner().clone()];
    let mut judge = |proof: TlogProof| {
        receipts[0].proof = proof;
        let bundle = Bundle::as_they_stand(receipts.clone());
        verify::bundle(&bundle, Some(PAYLOAD), &trust, Chain::ToSetUp)
    };
    let report = judge(right);
    assert!(report.holds, "{:?}", report.failure);
    assert_eq!(report.conclusion.unwrap().cosigned, []);
    assert_eq!(judge(wrong).failure.unwrap().step, "log.4");
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
