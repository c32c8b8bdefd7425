//! The request that a log sends to its witness: read exactly or refused. And whatever the proof is, a
//! witness never cosigns a tree that contradicts the tree that it cosigned before.
#![no_main]

use hallway_evidence::log::witness::{AddCheckpoint, decide};
use hallway_evidence::log::{Checkpoint, Latest, Refusal, SigningKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(request) = AddCheckpoint::parse(bytes) else {
        return;
    };
    let text = request.to_string();
    assert_eq!(
        text.as_bytes(),
        bytes,
        "a request is written as it was read"
    );
    // The same request under a valid signature, to a witness that has cosigned a tree before.
    let (head, note) = text.split_once("\n\n").expect("it was read");
    let mut lines = note.lines();
    let (Some(origin), Some(size)) = (lines.next(), request.unverified_size()) else {
        panic!("it was read");
    };
    // The name is also in the signature line, so it may make the note longer than the parser allows.
    if origin.len() > 1000 {
        return;
    }
    let Ok(key) = SigningKey::from_seed(origin, &[1; 32]) else {
        return;
    };
    let root = |seed: u8| [seed; 32];
    let sign = |size, root| {
        let checkpoint = Checkpoint::new(origin, size, root).expect("the origin was read");
        checkpoint.sign(&key)
    };
    let old = head
        .lines()
        .next()
        .and_then(|line| line[4..].parse::<u64>().ok());
    let old = old.expect("it was read");
    let resigned = format!("{head}\n\n{}", sign(size, root(2)));
    let request = AddCheckpoint::parse(resigned.as_bytes()).expect("it was read before");
    for known in [root(1), root(2)] {
        let latest = Latest::open(&sign(old, known), &key.verifier()).expect("just signed");
        match decide(&request, &key.verifier(), Some(&latest)) {
            Ok(now) => {
                assert!(now.checkpoint().size >= old);
                assert!(now.checkpoint().size > old || known == root(2));
            }
            Err(Refusal::Forked { fork, .. }) => {
                assert!(
                    fork.verify(&key.verifier()).is_ok(),
                    "a reported fork verifies"
                );
                assert!(size > old || known != root(2));
            }
            Err(_) => {}
        }
    }
});
