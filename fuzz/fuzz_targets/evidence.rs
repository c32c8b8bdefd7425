//! Input of the verifier: statements, bundles of receipts, pictures with evidence, trust files. The
//! first byte chooses the kind. Everything that can be read is written again in the same bytes, and no
//! changed picture holds.
#![no_main]

use std::sync::LazyLock;

use hallway_evidence::log::{Appender, Checkpoint, SigningKey, TlogProof};
use hallway_evidence::verify::{self, Chain};
use hallway_evidence::{Bundle, Evidence, Receipt, Statement, TrustFile, embedding};
use libfuzzer_sys::fuzz_target;

/// The log's key and the realm of the seeds.
static LOG: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::from_seed("gate.example/log", &[5; 32]).expect("a name"));
static TRUST: LazyLock<TrustFile> = LazyLock::new(|| {
    let seed = include_bytes!("../seeds/evidence/trust-file");
    TrustFile::from_json(&seed[1..]).expect("a trust file")
});

/// A picture that holds under [`TRUST`].
static PICTURE: &[u8] = include_bytes!("../seeds/evidence/picture");

fn statement(bytes: &[u8]) {
    if let Ok(statement) = Statement::decode(bytes) {
        assert_eq!(statement.encode(), bytes);
        assert!(!statement.sentence().is_empty());
    }
}

fn bundle(bytes: &[u8]) {
    if let Ok(bundle) = Bundle::decode(bytes) {
        assert_eq!(bundle.encode(), bytes);
        let _ = verify::bundle(&bundle, None, &TRUST, Chain::ToSetUp);
    }
}

/// Evidence in a log of one entry, signed here, because no fuzzer finds the log's signature.
fn logged(bytes: &[u8]) {
    let Ok(evidence) = Evidence::decode(bytes) else {
        return;
    };
    assert_eq!(evidence.encode(), bytes);
    let appended = Appender::new().append(&[evidence.hash()]);
    let head = Checkpoint::new(LOG.name(), appended.size, appended.root).expect("a line");
    let proof = TlogProof::new(&appended.proofs[0], head.sign(&LOG));
    if let Ok(bundle) = Bundle::of(Receipt { evidence, proof }, []) {
        let _ = verify::bundle(&bundle, Some(b"payload"), &TRUST, Chain::KeyOnly);
    }
}

/// No picture but the seed's holds, after any edits. An edit is a place, a kind and the bytes to write.
fn second_picture(edits: &[u8]) {
    let mut picture = PICTURE[1..].to_vec();
    for edit in edits.as_chunks::<4>().0.iter().take(16) {
        let [high, low, kind, value] = *edit;
        let at = usize::from(u16::from_be_bytes([high, low])) % picture.len().max(1);
        match kind % 5 {
            0 if at < picture.len() => picture[at] = value,
            1 => picture.insert(at, value),
            2 if at < picture.len() => drop(picture.remove(at)),
            3 => {
                let end = picture.len().min(at + usize::from(value));
                let piece = picture[at..end].to_vec();
                picture.splice(end..end, piece);
            }
            _ => {
                let other = at + usize::from(value);
                if other < picture.len() {
                    picture.swap(at, other);
                }
            }
        }
    }
    if let Ok((original, Some(bundle))) = embedding::extract(&picture) {
        let report = verify::bundle(&bundle, Some(&original), &TRUST, Chain::ToSetUp);
        assert!(
            !report.holds || picture == PICTURE[1..],
            "a second picture holds"
        );
    }
}

fn picture(bytes: &[u8]) {
    if let Ok((picture, Some(bundle))) = embedding::extract(bytes) {
        assert_eq!(
            embedding::embed(&picture, &bundle).expect("it was embedded"),
            bytes
        );
    }
}

fn proof(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    if let Ok(proof) = TlogProof::parse(text) {
        assert_eq!(proof.to_string(), text);
    }
}

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((b'b', rest)) => bundle(rest),
        Some((b'e', rest)) => logged(rest),
        Some((b'j', rest)) => picture(rest),
        Some((b'm', rest)) => second_picture(rest),
        Some((b'p', rest)) => proof(rest),
        Some((b's', rest)) => statement(rest),
        Some((b't', rest)) => drop(TrustFile::from_json(rest)),
        _ => {}
    }
});
