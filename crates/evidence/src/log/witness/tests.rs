use proptest::prelude::*;

use super::*;
use crate::Timestamp;
use crate::hash::Hash;
use crate::log::{Appender, CosigningKey, NoteError, Plan, SigningKey, TileSet};

fn key() -> SigningKey {
    SigningKey::from_seed("gate.beta.example/log", &[1; 32]).unwrap()
}

/// A log whose entries from index `branch` on were rewritten.
struct Log {
    entries: Vec<Hash>,
}

impl Log {
    fn new(size: u64, branch: u64) -> Self {
        let entry = |n: u64| {
            let life = u8::from(n >= branch);
            crate::hash::sha256(&[&n.to_le_bytes()[..], &[life]].concat())
        };
        Self {
            entries: (0..size).map(entry).collect(),
        }
    }

    fn note(&self, size: u64) -> String {
        let grown = Appender::new().append(&self.entries[..size as usize]);
        let head = Checkpoint::new(key().name(), grown.size, grown.root).unwrap();
        head.sign(&key())
    }

    fn latest(&self, size: u64) -> Option<Latest> {
        (size > 0).then(|| Latest::open(&self.note(size), &key().verifier()).unwrap())
    }

    /// The request that an honest log would send.
    fn request(&self, old: u64, new: u64) -> AddCheckpoint {
        let mut tiles = TileSet::default();
        for (tile, bytes) in Appender::new().append(&self.entries[..new as usize]).tiles {
            if tile.level != crate::log::Level::Entries {
                tiles.insert(tile, &bytes).unwrap();
            }
        }
        let proof = Plan::consistency(old, new).unwrap().hashes(&tiles).unwrap();
        AddCheckpoint::new(old, proof, self.note(new))
    }
}

fn decided(request: &AddCheckpoint, latest: Option<&Latest>) -> Result<Latest, Refusal> {
    decide(request, &key().verifier(), latest)
}

proptest! {
    #[test]
    fn a_log_that_only_grows_is_always_cosigned(old in 0u64..40, more in 0u64..40) {
        let log = Log::new(old + more, u64::MAX);
        let latest = log.latest(old);
        let now = decided(&log.request(old, old + more), latest.as_ref()).unwrap();
        prop_assert_eq!(now.checkpoint().size, old + more);
        prop_assert_eq!(now.note(), log.note(old + more));
    }

    /// A witness never accepts a tree that does not begin with the one that it knew, and every
    /// fork that it reports can be verified.
    #[test]
    fn a_log_that_was_rewritten_never_is(
        known in 1u64..40, branch in 0u64..40, size in 0u64..40, old in 0u64..40,
    ) {
        let branch = branch % known;
        let (was, is) = (Log::new(known, u64::MAX), Log::new(40, branch));
        let latest = was.latest(known);
        let old = old.min(size);
        let refused = decided(&is.request(old, size), latest.as_ref());
        if let Err(Refusal::Forked { fork, .. }) = &refused {
            let sizes = Forked { first: known, second: size };
            prop_assert_eq!(fork.verify(&key().verifier()), Ok(sizes));
            let json = serde_json::to_string(fork).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Box<Fork>>(&json).unwrap(), fork);
        }
        match refused {
            Err(Refusal::Forked { .. }) if size == known => {}
            Err(Refusal::Stale { latest, .. }) => prop_assert!(old != known && latest == known),
            // The proof that was sent shows the fork, unless it leaves the old root out.
            Err(Refusal::Forked { .. }) => prop_assert!(old == known && !known.is_power_of_two()),
            Err(Refusal::Inconsistent(_)) => prop_assert!(old == known && known.is_power_of_two()),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn made_up_proofs_are_refused_and_prove_nothing(
        known in 1u64..40, more in 1u64..40, at: prop::sample::Index, bit in 0u8..8,
    ) {
        let log = Log::new(known + more, u64::MAX);
        let latest = log.latest(known);
        let mut request = log.request(known, known + more);
        let at = at.index(request.proof.len());
        request.proof[at][usize::from(bit)] ^= 1 << bit;
        let refused = decided(&request, latest.as_ref());
        prop_assert!(matches!(refused, Err(Refusal::Inconsistent(_))), "{:?}", refused);
        request.proof.push([0; 32]);
        let refused = decided(&request, latest.as_ref());
        let wrong_length = matches!(
            refused,
            Err(Refusal::Inconsistent(ProofError::Length { .. }))
        );
        prop_assert!(wrong_length);
    }

    #[test]
    fn what_is_printed_is_read_back(old in 0u64..30, more in 0u64..30) {
        let request = Log::new(old + more, u64::MAX).request(old, old + more);
        let text = request.to_string();
        prop_assert_eq!(AddCheckpoint::parse(text.as_bytes()), Ok(request));
    }

    #[test]
    fn bytes_of_any_kind_are_read_or_refused(body: Vec<u8>, text in "old [0-9]{1,3}\n(\\PC{0,50}\n){0,6}") {
        for body in [body, text.into_bytes()] {
            if let Ok(request) = AddCheckpoint::parse(&body) {
                prop_assert_eq!(request.to_string().into_bytes(), body);
            }
        }
    }
}

#[test]
fn refusals_come_in_the_order_of_the_specification() {
    let log = Log::new(20, u64::MAX);
    let latest = log.latest(10);
    // A stranger's signature is refused before anything else is checked.
    let stranger = SigningKey::from_seed("gate.beta.example/log", &[9; 32]).unwrap();
    let head = Checkpoint::new(stranger.name(), 5, [0; 32]).unwrap();
    let foreign = AddCheckpoint::new(7, Vec::new(), head.sign(&stranger));
    let unsigned = NoteError::Unsigned("gate.beta.example/log".into());
    assert_eq!(
        decided(&foreign, latest.as_ref()),
        Err(Refusal::Checkpoint(unsigned.into()))
    );
    let mut request = log.request(10, 15);
    request.old = 16;
    assert_eq!(
        decided(&request, latest.as_ref()),
        Err(Refusal::OldAboveNew { old: 16, new: 15 })
    );
    // The witness knows another size: the proof is not even looked at.
    request.old = 9;
    request.proof.push([0; 32]);
    assert_eq!(
        decided(&request, latest.as_ref()),
        Err(Refusal::Stale { old: 9, latest: 10 })
    );
    assert_eq!(
        decided(&request, None),
        Err(Refusal::Stale { old: 9, latest: 0 })
    );
    // A smaller tree never takes the place of a larger one.
    let back = log.request(5, 8);
    assert_eq!(
        decided(&back, latest.as_ref()),
        Err(Refusal::Stale { old: 5, latest: 10 })
    );
    // The same again is cosigned again.
    assert_eq!(
        decided(&log.request(10, 10), latest.as_ref()).ok(),
        latest.clone()
    );
    // Proof lines where there is nothing to prove.
    let mut request = log.request(10, 10);
    request.proof.push([0; 32]);
    assert!(matches!(
        decided(&request, latest.as_ref()),
        Err(Refusal::Inconsistent(_))
    ));
    let head = Checkpoint::new(key().name(), 0, [1; 32]).unwrap();
    let empty = AddCheckpoint::new(0, Vec::new(), head.sign(&key()));
    assert_eq!(
        decided(&empty, None),
        Err(Refusal::Inconsistent(ProofError::Rewritten))
    );
}

/// The example of the specification, word for word. Its signatures are made up.
const EXAMPLE: &str = "old 20852014\n\
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
    jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\
    5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
    /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\
    \n\
    example.com/behind-the-sofa\n\
    20852163\n\
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\
    \n\
    — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
    — example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n";

#[test]
fn the_example_of_the_specification_is_read() {
    let request = AddCheckpoint::parse(EXAMPLE.as_bytes()).unwrap();
    assert_eq!((request.old, request.proof.len()), (20_852_014, 4));
    assert_eq!(request.origin().unwrap(), "example.com/behind-the-sofa");
    assert_eq!(request.to_string(), EXAMPLE);
}

#[test]
fn malformed_requests_are_refused_by_line() {
    let long = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n".repeat(60);
    for (from, to, expected) in [
        ("old 20852014", "old 020852014", RequestError::Line(1)),
        ("old 20852014", "old +20852014", RequestError::Line(1)),
        ("old 20852014", "old  20852014", RequestError::Line(1)),
        ("old 20852014\n", "old 20852014\r\n", RequestError::Line(1)),
        (
            "old 20852014",
            "old 99999999999999999999",
            RequestError::Line(1),
        ),
        ("PlRN", "PlR", RequestError::Line(2)),
        ("kaw=\n", "kaw= \n", RequestError::Line(2)),
        ("kaw=\n", "kax=\n", RequestError::Line(2)),
        ("5+pK", &long, RequestError::Line(64)),
        ("/6WV", &format!("{long}/6WV"), RequestError::TooManyLines),
        ("Kj/0=\n\n", "Kj/0=\n", RequestError::Line(6)),
        ("\n20852163", "\n020852163", CheckpointError::Format.into()),
        (
            "2I=\n\n",
            "2I=\nextension\n\n\n",
            CheckpointError::Format.into(),
        ),
    ] {
        let changed = EXAMPLE.replacen(from, to, 1);
        assert_ne!(changed, EXAMPLE);
        assert_eq!(
            AddCheckpoint::parse(changed.as_bytes()),
            Err(expected),
            "{to}"
        );
    }
    let cut = &EXAMPLE.as_bytes()[..EXAMPLE.len() - 1];
    assert!(AddCheckpoint::parse(cut).is_err());
    assert_eq!(
        AddCheckpoint::parse(&vec![b'x'; MAX_REQUEST_BYTES + 1]),
        Err(RequestError::TooLarge(MAX_REQUEST_BYTES + 1))
    );
}

#[test]
fn an_answer_gives_the_cosignature_and_nothing_else() {
    let log = Log::new(3, u64::MAX);
    let (note, latest) = (log.note(3), log.latest(3).unwrap());
    let witness = CosigningKey::from_seed("gate.alpha.example/witness", &[2; 32]).unwrap();
    let other = CosigningKey::from_seed("elsewhere/witness", &[3; 32]).unwrap();
    let at = Timestamp::from_ms(1_795_000_000_000);
    let line = witness.cosign(latest.checkpoint(), at);
    let stray = other.cosign(latest.checkpoint(), at);
    let read = |status, media_type, body: &str| {
        Answer::read(
            status,
            media_type,
            body.as_bytes(),
            &note,
            witness.cosigner(),
        )
    };
    let cosigned = Answer::Cosigned(format!("{note}{line}"));
    assert_eq!(
        read(200, "text/plain", &format!("{stray}{line}")),
        Ok(cosigned)
    );
    assert!(matches!(
        read(200, "", &stray),
        Err(AnswerError::Cosignature(_))
    ));
    assert!(matches!(
        read(200, "", ""),
        Err(AnswerError::Cosignature(_))
    ));
    // A cosignature of another tree is none of this one.
    let wrong = witness.cosign(log.latest(2).unwrap().checkpoint(), at);
    assert!(matches!(
        read(200, "", &wrong),
        Err(AnswerError::Cosignature(_))
    ));
    // No text can be smuggled below the checkpoint's.
    let text = format!("more\n\n{line}");
    assert!(matches!(
        read(200, "", &text),
        Err(AnswerError::Cosignature(_))
    ));

    assert_eq!(read(409, SIZE_TYPE, "17\n"), Ok(Answer::Stale(17)));
    for body in ["17", "017\n", "-1\n", "\n", ""] {
        assert_eq!(read(409, SIZE_TYPE, body), Err(AnswerError::Size), "{body}");
    }
    let refused = Answer::Refused {
        status: 409,
        words: "rewritten[0m".into(),
    };
    assert_eq!(
        read(409, "text/plain", "rewritten\x1b[0m\nmore"),
        Ok(refused)
    );
}

#[test]
fn extension_lines_are_kept_and_cosigned() {
    let log = Log::new(9, u64::MAX);
    let plain = log.latest(5).unwrap();
    let witness = CosigningKey::from_seed("gate.alpha.example/witness", &[2; 32]).unwrap();
    let at = Timestamp::from_ms(1_795_000_000_000);
    let text = format!(
        "{}extension one\n— two\n",
        log.latest(9).unwrap().checkpoint().text()
    );
    let mut request = log.request(5, 9);
    request.note = key().sign(&text);
    let request = AddCheckpoint::parse(request.to_string().as_bytes()).unwrap();
    let latest = decided(&request, Some(&plain)).unwrap();
    let line = witness.cosign(latest.checkpoint(), at);
    // The cosignature is over the whole note, and so over nothing less.
    assert_eq!(
        witness
            .cosigner()
            .cosigned(&format!("{}{line}", latest.note())),
        Ok(at)
    );
    let without = format!("{}{line}", log.note(9));
    assert!(matches!(
        witness.cosigner().cosigned(&without),
        Err(NoteError::Signature(_))
    ));
    // The log reads the answer, and the witness reads what it kept.
    let answer = Answer::read(200, "", line.as_bytes(), &request.note, witness.cosigner());
    assert_eq!(
        answer,
        Ok(Answer::Cosigned(format!("{}{line}", request.note)))
    );
    assert_eq!(
        Latest::open(latest.note(), &key().verifier()),
        Ok(latest.clone())
    );
    // The same tree with other lines is no fork.
    let bare = log.request(9, 9);
    assert_eq!(decided(&bare, Some(&latest)).ok(), log.latest(9));
}
