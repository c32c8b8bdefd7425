//! A picture with evidence in it, as other programs see it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::process::{Command, Output};

use hallway_evidence::log::{Appender, Checkpoint, SigningKey, TlogProof};
use hallway_evidence::{
    Bundle, CredentialId, Evidence, Receipt, Response, SignedStatement, Timestamp, embedding,
};

/// A photograph of the tour's.
const PHOTOGRAPH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/photographs/cat.jpg");

/// A bundle that fills two segments.
fn bundle() -> Bundle {
    let key = SigningKey::from_seed("gate.example/log", &[1; 32]).unwrap();
    let evidence = |accepted| Evidence {
        signed: SignedStatement {
            statement: b"statement".to_vec(),
            credential_id: CredentialId::new(*b"credential").unwrap(),
            response: Response::Registration {
                client_data_json: b"{}".to_vec(),
                attestation_object: vec![0xff; 40_000],
            },
        },
        accepted: Timestamp::from_ms(accepted),
    };
    let both = [evidence(5), evidence(6)];
    let appended = Appender::new().append(&both.each_ref().map(Evidence::hash));
    let head = Checkpoint::new(key.name(), 2, appended.root).unwrap();
    let receipts = appended.proofs.iter().zip(both).map(|(proof, evidence)| {
        let proof = TlogProof::new(proof, head.sign(&key));
        Receipt { evidence, proof }
    });
    let [earlier, subject] = <[Receipt; 2]>::try_from(receipts.collect::<Vec<_>>()).unwrap();
    Bundle::of(subject, [earlier]).unwrap()
}

fn run(program: &str, arguments: &[&str], file: &Path) -> Output {
    Command::new(program)
        .args(arguments)
        .arg(file)
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed by this test (`make setup`): {error}"))
}

#[test]
fn any_viewer_still_opens_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let (plain_path, signed_path) = (folder.path().join("a.jpg"), folder.path().join("b.jpg"));
    std::fs::copy(PHOTOGRAPH, &plain_path).unwrap();
    // As a camera writes it, with an Exif segment after the JFIF one.
    let camera = [
        "-q",
        "-overwrite_original",
        "-Make=Lens & Co",
        "-Model=C",
        "-Title=cat",
    ];
    assert!(run("exiftool", &camera, &plain_path).status.success());
    let picture = std::fs::read(&plain_path).unwrap();
    let signed = embedding::embed(&picture, &bundle()).unwrap();
    assert!(signed.len() > picture.len() + 80_000);
    std::fs::write(&signed_path, &signed).unwrap();

    // jpeginfo -c decodes the whole picture.
    let checked = run("jpeginfo", &["-c"], &signed_path);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success() && said.contains("OK"), "{said}");

    // The camera's own data are all there.
    let tags = ["-s3", "-Make", "-Model", "-Title", "-ImageSize"];
    let after = run("exiftool", &tags, &signed_path);
    assert_eq!(
        String::from_utf8_lossy(&after.stdout),
        "Lens & Co\nC\ncat\n451x300\n"
    );
    // A strict reader has nothing worse to say than that it does not know our segment.
    let complaints = ["-validate", "-a", "-warning", "-error", "-s3"];
    let before = run("exiftool", &complaints, &plain_path);
    assert_eq!(String::from_utf8_lossy(&before.stdout), "OK\n");
    let after = run("exiftool", &complaints, &signed_path);
    let after = String::from_utf8_lossy(&after.stdout).into_owned();
    assert!(after.starts_with("2 Warnings (all minor)\n"), "{after}");
    for complaint in after.lines().skip(1) {
        assert_eq!(complaint, "[minor] Unknown APP15 'hallway' segment");
    }

    let (original, found) = embedding::extract(&signed).unwrap();
    assert_eq!((original, found), (picture, Some(bundle())));
}
