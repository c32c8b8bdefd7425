//! What somebody hands in or over, to be checked: statements, bundles of receipts, pictures that
//! carry them, trust files. The first byte picks which; whatever is read is written again as it was.
#![no_main]

use std::sync::LazyLock;

use hallway_evidence::log::{Appender, Checkpoint, SigningKey, TlogProof};
use hallway_evidence::{Bundle, Evidence, Receipt, Statement, TrustFile, jpeg, verify};
use libfuzzer_sys::fuzz_target;

/// The key of the log in the seeds, and the realm that they are of.
static LOG: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::from_seed("gate.example/log", &[5; 32]).expect("a name"));
static TRUST: LazyLock<TrustFile> = LazyLock::new(|| {
    let seed = include_bytes!("../seeds/evidence/trust-file");
    TrustFile::from_json(&seed[1..]).expect("a trust file")
});

fn statement(bytes: &[u8]) {
    if let Ok(statement) = Statement::decode(bytes) {
        assert_eq!(statement.encode(), bytes);
        assert!(!statement.sentence().is_empty());
    }
}

fn bundle(bytes: &[u8]) {
    if let Ok(bundle) = Bundle::decode(bytes) {
        assert_eq!(bundle.encode(), bytes);
        let _ = verify::bundle(&bundle, None, &TRUST);
    }
}

/// Evidence in a log of which it is the only entry: no fuzzer finds the log's signature.
fn logged(bytes: &[u8]) {
    let Ok(evidence) = Evidence::decode(bytes) else {
        return;
    };
    assert_eq!(evidence.encode(), bytes);
    let appended = Appender::new().append(&[evidence.hash()]);
    let head = Checkpoint::new(LOG.name(), appended.size, appended.root).expect("a line");
    let proof = TlogProof::new(&appended.proofs[0], head.sign(&LOG));
    let bundle = Bundle(vec![Receipt { evidence, proof }]);
    let _ = verify::bundle(&bundle, Some(b"payload"), &TRUST);
}

fn picture(bytes: &[u8]) {
    if let Ok((picture, Some(bundle))) = jpeg::extract(bytes) {
        assert_eq!(
            jpeg::embed(&picture, &bundle).expect("it was embedded"),
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
        Some((b'p', rest)) => proof(rest),
        Some((b's', rest)) => statement(rest),
        Some((b't', rest)) => drop(TrustFile::from_json(rest)),
        _ => {}
    }
});
