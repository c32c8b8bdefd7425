//! One encoding: nobody makes a second picture out of a verified one without the log's key or a
//! witness's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::sample::Index;

use super::realm::{Story, log_key, play};
use super::{judge, picture};
use crate::bundle::{Bundle, BundleError};
use crate::embedding;
use crate::fields::{DecodeError, Fields, Value};
use crate::log::{Checkpoint, CosigningKey, TlogProof};
use crate::receipt::Receipt;
use crate::timestamp::Timestamp;
use crate::trust::TrustFile;

/// A verified picture, the parts it is made of, and the trust file that it is checked with.
struct Signed {
    original: Vec<u8>,
    bundle: Bundle,
    picture: Vec<u8>,
    trust: TrustFile,
}

fn witness(seed: u8) -> CosigningKey {
    CosigningKey::from_seed("alpha.example/witness", &[seed; 32]).unwrap()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_ms(1_795_000_000_000 + seconds * 1000)
}

impl Signed {
    fn new() -> Self {
        let original = picture();
        let (bundle, mut trust) = play(&Story::default(), &original);
        trust.witnesses = vec![witness(1).cosigner().clone(), witness(2).cosigner().clone()];
        Self {
            picture: embedding::embed(&original, &bundle).unwrap(),
            original,
            bundle,
            trust,
        }
    }

    fn holds(&self, picture: &[u8]) -> bool {
        match embedding::extract(picture) {
            Ok((payload, Some(found))) => judge(&found, Some(&payload), &self.trust).holds,
            _ => false,
        }
    }

    /// The picture with these bytes as its evidence.
    fn carrying(&self, evidence: &[u8]) -> Vec<u8> {
        let mut data = b"hallway\0\x01\x01".to_vec();
        data.extend(evidence);
        let mut run = vec![0xff, 0xef];
        run.extend((data.len() as u16 + 2).to_be_bytes());
        run.extend(data);
        let (before, after) = self.original.split_at(11);
        [before, &run, after].concat()
    }

    /// The picture with receipts in this order, written as CBOR without any of the checks.
    fn stringing(&self, receipts: &[Receipt]) -> Vec<u8> {
        self.carrying(&Bundle::as_they_stand(receipts.iter().cloned()).encode())
    }

    /// The picture whose subject's proof has this text.
    fn proved(&self, text: &str) -> Vec<u8> {
        let mut receipts: Vec<Vec<u8>> = self.bundle.receipts().map(Receipt::encode).collect();
        let evidence = self.bundle.subject().evidence.encode();
        receipts[0] = Fields::default()
            .with("evidence", evidence.as_slice())
            .with("proof", text)
            .encode();
        let list = receipts.iter().map(|one| Value::Bytes(one)).collect();
        self.carrying(
            &Fields::default()
                .with("receipts", Value::List(list))
                .encode(),
        )
    }
}

#[test]
fn the_true_picture_holds_and_is_made_again_byte_for_byte() {
    let signed = Signed::new();
    assert!(signed.holds(&signed.picture));
    let (original, bundle) = embedding::extract(&signed.picture).unwrap();
    let again = embedding::embed(&original, &bundle.unwrap()).unwrap();
    assert_eq!(again, signed.picture);
    // The test's own writers make the same bytes, so that what they change is all that differs.
    assert_eq!(signed.carrying(&signed.bundle.encode()), signed.picture);
    assert_eq!(signed.stringing(&signed.bundle.to_vec()), signed.picture);
    let text = signed.bundle.subject().proof.to_string();
    assert_eq!(signed.proved(&text), signed.picture);
}

#[test]
fn every_byte_that_is_changed_inserted_removed_doubled_or_swapped_is_noticed() {
    let signed = Signed::new();
    let run = 11..signed.picture.len();
    for at in run {
        let (before, after) = signed.picture.split_at(at);
        let changed = [before, &[after[0] ^ 1], &after[1..]].concat();
        let other = match at % 5 {
            0 => [before, &after[1..]].concat(),
            1 => [before, &after[..1], after].concat(),
            2 => [before, b"\xff", after].concat(),
            3 => [before, b"\n", after].concat(),
            _ => match after {
                [one, other, rest @ ..] => [before, &[*other, *one], rest].concat(),
                _ => changed.clone(),
            },
        };
        let enemies = [changed, other];
        for enemy in enemies {
            assert!(
                enemy == signed.picture || !signed.holds(&enemy),
                "byte {at}"
            );
        }
    }
}

#[test]
fn fill_bytes_before_our_segment_are_refused_and_elsewhere_they_are_the_cameras() {
    let signed = Signed::new();
    for fill in 1..4 {
        let mut enemy = signed.picture.clone();
        enemy.splice(11..11, vec![0xff; fill]);
        assert!(matches!(
            embedding::extract(&enemy),
            Err(embedding::EmbeddingError::Misplaced { .. })
        ));
    }
    // Before the segments of the camera: read, and not what was signed.
    for at in [2, signed.picture.len() - 10] {
        let mut enemy = signed.picture.clone();
        enemy.insert(at, 0xff);
        assert!(embedding::extract(&enemy).unwrap().1.is_some());
        assert!(!signed.holds(&enemy));
    }
    // A camera that writes fill bytes has its pictures signed as they are.
    let mut original = picture();
    original.insert(11, 0xff);
    original.insert(2, 0xff);
    let (bundle, trust) = play(&Story::default(), &original);
    let embedded = embedding::embed(&original, &bundle).unwrap();
    let (payload, found) = embedding::extract(&embedded).unwrap();
    assert_eq!(payload, original);
    assert!(judge(&found.unwrap(), Some(&payload), &trust).holds);
}

#[test]
fn segments_receipts_and_runs_have_one_place_each() {
    let signed = Signed::new();
    let run = signed.picture[11..signed.picture.len() - (signed.original.len() - 11)].to_vec();
    let receipts = signed.bundle.to_vec();
    let with = |at: usize, what: &[u8]| {
        let mut enemy = signed.picture.clone();
        enemy.splice(at..at, what.iter().copied());
        enemy
    };
    let thumbnail = {
        // The whole picture once more, as a thumbnail that some application segment carries.
        let mut segment = vec![0xff, 0xe2];
        segment.extend((signed.picture.len() as u16 + 6).to_be_bytes());
        segment.extend(b"MPF\0");
        segment.extend(&signed.picture);
        segment
    };
    let end = signed.picture.len();
    let mut enemies = vec![
        with(2, &run),
        with(11, &run),
        with(11 + run.len(), &run),
        with(end, &run),
        with(end, &signed.picture),
        with(end, b"\xff\xd9"),
        with(11 + run.len(), &thumbnail),
        with(2, &thumbnail),
        // Two segments where one is enough, and an empty one.
        {
            let evidence = signed.bundle.encode();
            let mut enemy = signed.original[..11].to_vec();
            for (number, part) in (1..).zip([&evidence[..9], &evidence[9..]]) {
                let length = part.len() as u16 + 12;
                enemy.extend([0xff, 0xef, (length >> 8) as u8, length as u8]);
                enemy.extend(b"hallway\0");
                enemy.extend([number, 2]);
                enemy.extend(part);
            }
            enemy.extend(&signed.original[11..]);
            enemy
        },
    ];
    for (one, other) in [(1, 2), (2, 3), (1, 3), (0, 1)] {
        let mut shuffled = receipts.clone();
        shuffled.swap(one, other);
        enemies.push(signed.stringing(&shuffled));
    }
    for at in 0..receipts.len() {
        let mut doubled = receipts.clone();
        doubled.insert(at, receipts[at].clone());
        enemies.push(signed.stringing(&doubled));
        doubled.remove(at);
        doubled.push(receipts[at].clone());
        enemies.push(signed.stringing(&doubled));
    }
    for (at, enemy) in enemies.iter().enumerate() {
        assert!(!signed.holds(enemy), "enemy {at}");
    }
}

#[test]
fn other_cbor_for_the_same_receipts_is_refused() {
    let signed = Signed::new();
    let evidence = signed.bundle.encode();
    assert_eq!(evidence[..10], *b"\xa1\x68receipts");
    // A longer head, an indefinite map, an indefinite list, a tag, bytes after the end.
    let longer = [b"\xb8\x01".as_slice(), &evidence[1..]].concat();
    let indefinite = [b"\xbf".as_slice(), &evidence[1..], b"\xff"].concat();
    let list = [
        &evidence[..10],
        b"\x9f".as_slice(),
        &evidence[11..],
        b"\xff",
    ]
    .concat();
    let tagged = [b"\xd9\xd9\xf7".as_slice(), &evidence].concat();
    let behind = [evidence.as_slice(), b"\0"].concat();
    for other in [longer, indefinite, list, tagged, behind] {
        assert!(Bundle::decode(&other).is_err());
        assert!(!signed.holds(&signed.carrying(&other)));
    }
}

#[test]
fn a_proof_has_one_text() {
    let signed = Signed::new();
    let text = signed.bundle.subject().proof.to_string();
    let (head, note) = text.split_once("\n\n").unwrap();
    let (tree, own) = note.split_once("\n\n").unwrap();
    let head_of = Checkpoint::open(note, &log_key().verifier()).unwrap();
    let (one, two) = (
        witness(1).cosign(&head_of, at(0)),
        witness(2).cosign(&head_of, at(0)),
    );
    let made_of = |lines: &[&str]| format!("{head}\n\n{tree}\n\n{}", lines.concat());
    let mut lines = [one.as_str(), &two];
    lines.sort_unstable_by_key(|line| {
        let encoded = line.trim_end().rsplit(" ").next();
        STANDARD.decode(encoded.unwrap()).unwrap()
    });
    let [first, second] = lines;
    for honest in [
        vec![own],
        vec![own, first],
        vec![own, second],
        vec![own, first, second],
    ] {
        assert!(signed.holds(&signed.proved(&made_of(&honest))));
    }
    let later = witness(1).cosign(&head_of, at(1));
    let respelled = first.replacen("alpha.example", "Alpha.example", 1);
    let padded = first.trim_end().to_owned() + "=\n";
    let enemies = [
        made_of(&[own, own]),
        made_of(&[own, second, first]),
        made_of(&[first, own]),
        made_of(&[first, own, second]),
        made_of(&[own, first, first]),
        made_of(&[own, &one, &later]),
        made_of(&[own, &later, &one]),
        made_of(&[own, "— mallory AAAAAAAA\n"]),
        made_of(&[own, "— gate.example/log AAAAAAAA\n"]),
        made_of(&[own, first, "— zzz AAAAAAAA\n"]),
        made_of(&[own, &respelled]),
        made_of(&[own, &padded]),
        made_of(&[own, "\n"]),
        made_of(&["\n", own]),
        made_of(&[own.trim_end()]),
        text.replacen("index 3", "index 03", 1),
        text.replacen("index 3", "index 3 ", 1),
        text.replacen("index 3\n", "extra AA==\nindex 3\n", 1),
        text.replacen('\n', "\r\n", 1),
        format!("\u{feff}{text}"),
        text.replacen(
            "gate.example/log\n4\n",
            "gate.example/log\n4\nextension\n",
            1,
        ),
        text.replacen("gate.example/log\n4\n", "gate.example/log\n04\n", 1),
        format!("{text}\n"),
        format!("{text}x"),
    ];
    for (at, enemy) in enemies.iter().enumerate() {
        assert_ne!(*enemy, text, "enemy {at}");
        assert!(!signed.holds(&signed.proved(enemy)), "enemy {at}: {enemy}");
    }
    // That text is read as a proof of another application, but not as a receipt's.
    let mut receipt = signed.bundle.subject().clone();
    receipt.proof = TlogProof::parse(&enemies[17]).unwrap();
    assert_eq!(receipt.proof.extra(), Some([0].as_slice()));
    let refused = Receipt::decode(&receipt.encode()).unwrap_err();
    assert!(matches!(refused, DecodeError::ExtraData), "{refused}");
}

/// ECDSA signatures have two forms, r and s or r and n - s. Both verify; the log holds one.
#[test]
fn the_other_form_of_an_ecdsa_signature_is_not_what_was_logged() {
    use crate::signed_statement::Response;

    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let signed = Signed::new();
    let mut receipts = signed.bundle.to_vec();
    let Response::Assertion { signature, .. } = &mut receipts[0].evidence.signed.response else {
        panic!("a transaction is an assertion");
    };
    let r = usize::from(signature[3]);
    let s = signature[6 + r..].to_vec();
    let mut other = [0; 33];
    other[1..].copy_from_slice(&ORDER);
    let mut borrow = 0;
    for (at, digit) in other.iter_mut().rev().enumerate() {
        let taken = s.iter().rev().nth(at).copied().unwrap_or(0);
        let value = i32::from(*digit) - i32::from(taken) - borrow;
        borrow = i32::from(value < 0);
        *digit = (value & 0xff) as u8;
    }
    let start = other.iter().take_while(|byte| **byte == 0).count();
    let mut digits = other[start..].to_vec();
    if digits[0] >= 0x80 {
        digits.insert(0, 0);
    }
    let mut changed = vec![0x30, (4 + r + digits.len()) as u8];
    changed.extend(&signature[2..4 + r]);
    changed.extend([2, digits.len() as u8]);
    changed.extend(digits);
    assert_ne!(*signature, changed);
    *signature = changed;
    let bundle = Bundle::as_they_stand(receipts);
    let report = judge(&bundle, Some(&signed.original), &signed.trust);
    assert_eq!(report.failure.unwrap().step, "log.2");
    // The signature itself verifies all the same.
    let steps = &report.sections[0].steps;
    let verified = steps
        .iter()
        .find(|seen| seen.step.number == "7.2.21")
        .unwrap();
    assert_eq!(verified.outcome, hallway_webauthn::Outcome::Held);
}

#[test]
fn a_bundle_is_put_in_order_and_nothing_else_is_one() {
    let signed = Signed::new();
    let all = signed.bundle.to_vec();
    let shuffled = [
        all[3].clone(),
        all[1].clone(),
        all[2].clone(),
        all[1].clone(),
    ];
    assert_eq!(
        Bundle::of(all[0].clone(), shuffled),
        Ok(signed.bundle.clone())
    );
    assert_eq!(
        Bundle::of(all[1].clone(), [all[0].clone()]),
        Err(BundleError::Order { at: 2 })
    );
    let many = Bundle::as_they_stand(vec![all[0].clone(); 129]).encode();
    assert_eq!(Bundle::decode(&many), Err(BundleError::Count(129)));
    let none = Fields::default()
        .with("receipts", Value::List(Vec::new()))
        .encode();
    assert_eq!(Bundle::decode(&none), Err(BundleError::Count(0)));
    let got = crate::MAX_RECEIPT_BYTES + 1;
    let long = Fields::default()
        .with("receipts", Value::List(vec![Value::Bytes(&vec![0; got])]))
        .encode();
    let too_long = BundleError::TooLong { at: 1, got };
    assert_eq!(Bundle::decode(&long), Err(too_long));
    let twice = Bundle::as_they_stand(vec![all[0].clone(); 2]).encode();
    assert_eq!(Bundle::decode(&twice), Err(BundleError::Order { at: 2 }));
}

#[test]
fn proofs_of_the_log_are_of_the_log_alone() {
    let signed = Signed::new();
    let text = signed.bundle.subject().proof.to_string();
    assert!(TlogProof::parse(&text).is_ok());
    let own = text.rsplit_once("\n\n").unwrap().1;
    assert!(TlogProof::parse(&format!("{text}{own}")).is_err());
}

/// The fuzzer begins with a picture that holds: after a change of the format,
/// `HALLWAY_WRITE_SEEDS=1` makes its seeds anew.
#[test]
fn the_picture_that_the_fuzzer_changes_holds() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/evidence");
    if std::env::var_os("HALLWAY_WRITE_SEEDS").is_some() {
        let signed = Signed::new();
        let write = |name: &str, kind: u8, bytes: &[u8]| {
            std::fs::write(folder.join(name), [&[kind], bytes].concat()).unwrap();
        };
        write("picture", b'j', &signed.picture);
        write("picture-plain", b'j', &signed.original);
        write("bundle", b'b', &signed.bundle.encode());
        let proof = signed.bundle.subject().proof.to_string();
        write("proof", b'p', proof.as_bytes());
        write(
            "trust-file",
            b't',
            signed.trust.to_json().unwrap().as_bytes(),
        );
        for (name, receipt) in ["transaction", "claim", "enrolment", "key"]
            .iter()
            .zip(signed.bundle.receipts())
        {
            let evidence = &receipt.evidence;
            write(&format!("evidence-{name}"), b'e', &evidence.encode());
            write(
                &format!("statement-{name}"),
                b's',
                &evidence.signed.statement,
            );
        }
    }
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap()[1..].to_vec();
    let trust = TrustFile::from_json(&read("trust-file")).unwrap();
    let (original, bundle) = embedding::extract(&read("picture")).unwrap();
    let report = judge(&bundle.unwrap(), Some(&original), &trust);
    assert!(report.holds, "{:?}", report.failure);
}

/// What an enemy does with the bytes of a picture.
#[derive(Debug, Clone)]
enum Edit {
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Swap(Index, Index),
    Copy(Index, Index, Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, to)| Edit::Set(at, to)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, to)| Edit::Insert(at, to)),
        any::<Index>().prop_map(Edit::Remove),
        (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Edit::Swap(a, b)),
        (any::<Index>(), any::<Index>(), any::<Index>()).prop_map(|(a, b, c)| Edit::Copy(a, b, c)),
    ]
}

fn apply(bytes: &mut Vec<u8>, edit: &Edit) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match edit {
        Edit::Set(at, to) => bytes[at.index(length)] = *to,
        Edit::Insert(at, to) => bytes.insert(at.index(length), *to),
        Edit::Remove(at) => drop(bytes.remove(at.index(length))),
        Edit::Swap(one, other) => bytes.swap(one.index(length), other.index(length)),
        Edit::Copy(from, to, at) => {
            let (from, to) = (from.index(length), to.index(length));
            let piece = bytes[from.min(to)..from.max(to)].to_vec();
            let at = at.index(length);
            bytes.splice(at..at, piece);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_edits_make_a_second_picture(edits in proptest::collection::vec(edit(), 1..6)) {
        let signed = Signed::new();
        let mut enemy = signed.picture.clone();
        edits.iter().for_each(|edit| apply(&mut enemy, edit));
        prop_assert!(enemy == signed.picture || !signed.holds(&enemy));
        // Anything that is read at all is exactly what would be written.
        if let Ok((original, Some(bundle))) = embedding::extract(&enemy) {
            prop_assert_eq!(embedding::embed(&original, &bundle).unwrap(), enemy);
        }
    }
}
