use super::*;
use crate::credential_id::CredentialId;
use crate::evidence::Evidence;
use crate::log::{Appender, Checkpoint, SigningKey, TlogProof};
use crate::receipt::Receipt;
use crate::signed_statement::{Response, SignedStatement};
use crate::timestamp::Timestamp;

/// A JPEG as far as its segments go: JFIF, Exif, a quantisation table, two scans with a stuffed
/// zero and a restart marker, and bytes behind its end.
fn picture() -> Vec<u8> {
    let mut jpeg = vec![0xff, SOI];
    let mut segment = |marker: u8, data: &[u8]| {
        jpeg.extend([0xff, marker]);
        jpeg.extend((data.len() as u16 + 2).to_be_bytes());
        jpeg.extend(data);
    };
    segment(APP0, b"JFIF\0");
    segment(APP1, b"Exif\0\0");
    segment(0xdb, &[0; 65]);
    segment(SOS, &[1, 2, 3]);
    jpeg.extend([1, 2, 0xff, 0, 0xff, 0xd3, 4, 0xff, 0xff]);
    jpeg.extend([0xc4, 0, 3, 9]);
    jpeg.extend([0xff, SOS, 0, 2, 7, 8, 0xff, EOI]);
    jpeg.extend(b"a preview");
    jpeg
}

/// A bundle with an attestation object of `length` bytes.
fn bundle(length: usize) -> Bundle {
    let key = SigningKey::from_seed("gate.example/log", &[1; 32]).unwrap();
    let evidence = Evidence {
        signed: SignedStatement {
            statement: b"statement".to_vec(),
            credential_id: CredentialId::new(*b"credential").unwrap(),
            response: Response::Registration {
                client_data_json: b"{}".to_vec(),
                attestation_object: vec![7; length],
            },
        },
        accepted: Timestamp::from_ms(5),
    };
    let all = [5, 6, 7, 8].map(|at| Evidence {
        accepted: Timestamp::from_ms(at),
        ..evidence.clone()
    });
    let appended = Appender::new().append(&all.each_ref().map(Evidence::hash));
    let head = Checkpoint::new(key.name(), 4, appended.root).unwrap();
    let logged = all.into_iter().zip(&appended.proofs);
    let mut receipts = logged.rev().map(|(evidence, proof)| Receipt {
        evidence,
        proof: TlogProof::new(proof, head.sign(&key)),
    });
    Bundle::of(receipts.next().unwrap(), receipts).unwrap()
}

#[test]
fn embedding_and_extracting_gives_back_every_byte() {
    let original = picture();
    for length in [1, 20_000, 50_000] {
        let bundle = bundle(length);
        let signed = embed(&original, &bundle).unwrap();
        assert_eq!(
            extract(&signed).unwrap(),
            (original.clone(), Some(bundle.clone()))
        );
        assert_eq!(
            embed(&signed, &bundle),
            Err(JpegError::Occupied { offset: 21 })
        );
    }
    assert_eq!(extract(&original).unwrap(), (original, None));
}

#[test]
fn evidence_stands_behind_jfif_and_exif() {
    let signed = embed(&picture(), &bundle(1)).unwrap();
    assert_eq!(signed[21..23], [0xff, APP15]);
    assert_eq!(&signed[25..33], SIGNATURE);
    assert_eq!(signed[33..35], [1, 1]);
}

#[test]
fn every_cut_of_a_picture_is_refused() {
    let jpeg = picture();
    let end = jpeg.len() - b"a preview".len();
    for cut in 0..end {
        assert!(check(&jpeg[..cut]).is_err(), "cut at {cut}");
    }
    for cut in end..=jpeg.len() {
        assert_eq!(check(&jpeg[..cut]), Ok(()));
    }
}

#[test]
fn evidence_elsewhere_is_refused() {
    let original = picture();
    let signed = embed(&original, &bundle(1)).unwrap();
    let run = signed[21..signed.len() - (original.len() - 21)].to_vec();
    let insert = |at: usize, into: &[u8]| {
        let mut jpeg = into.to_vec();
        jpeg.splice(at..at, run.iter().copied());
        extract(&jpeg).unwrap_err()
    };
    // Before JFIF, between JFIF and Exif, behind the quantisation table, between the scans.
    assert_eq!(
        insert(2, &original),
        JpegError::Misplaced {
            offset: 2,
            place: 2 + run.len() + 9
        }
    );
    assert!(matches!(
        insert(11, &original),
        JpegError::Misplaced { offset: 11, .. }
    ));
    assert_eq!(
        insert(90, &original),
        JpegError::Misplaced {
            offset: 90,
            place: 21
        }
    );
    assert!(matches!(
        insert(105, &original),
        JpegError::Misplaced {
            offset: 105,
            place: 21
        }
    ));
    // A second run behind the first is read as one run, whose numbers do not fit.
    assert_eq!(
        insert(21, &signed),
        JpegError::Part {
            offset: 21,
            what: "does not agree with the number of segments"
        }
    );
}

#[test]
fn parts_must_be_whole_and_in_order() {
    let signed = embed(&picture(), &bundle(50_000)).unwrap();
    let broken = |offset: usize, value: u8| {
        let mut jpeg = signed.clone();
        jpeg[offset] = value;
        extract(&jpeg).unwrap_err()
    };
    let second = 21 + 65_537;
    assert_eq!(
        broken(33, 2),
        JpegError::Part {
            offset: 21,
            what: "is out of order"
        }
    );
    assert_eq!(
        broken(second + 12, 1),
        JpegError::Part {
            offset: second,
            what: "is out of order"
        }
    );
    assert_eq!(
        broken(second + 13, 2),
        JpegError::Part {
            offset: second,
            what: "does not agree with the number of segments"
        }
    );
    assert_eq!(
        broken(24, 0xfe),
        JpegError::Damaged {
            offset: second - 1,
            what: "a marker is missing"
        }
    );
}

#[test]
fn what_is_not_a_jpeg_is_refused() {
    for bytes in [&b""[..], b"\xff", b"GIF89a", b"\x89PNG\r\n"] {
        assert_eq!(check(bytes), Err(JpegError::NotJpeg));
    }
    let damaged = |jpeg: &[u8]| match check(jpeg).unwrap_err() {
        JpegError::Damaged { what, .. } => what,
        other => panic!("{other}"),
    };
    assert_eq!(
        damaged(b"\xff\xd8"),
        "the file ends before the picture does"
    );
    assert_eq!(damaged(b"\xff\xd8\x00"), "a marker is missing");
    assert_eq!(
        damaged(b"\xff\xd8\xff\xd8"),
        "there is a marker that does not belong there"
    );
    assert_eq!(
        damaged(b"\xff\xd8\xff\xe0\x00\x01"),
        "a segment is shorter than its own length"
    );
    assert_eq!(
        damaged(b"\xff\xd8\xff\xe0\xff\xff"),
        "a segment is longer than the file"
    );
    assert_eq!(
        damaged(b"\xff\xd8\xff\xd9"),
        "the picture ends before any image data"
    );
}

proptest::proptest! {
    #[test]
    fn hostile_bytes_never_panic(tail: Vec<u8>) {
        let mut jpeg = vec![0xff, SOI];
        jpeg.extend(tail);
        let _ = extract(&jpeg);
        let mut jpeg = picture();
        let at = jpeg.len() / 3;
        jpeg.splice(at..at, b"\xff\xef\x00\x0challway\0\x01\x01".iter().copied());
        let _ = extract(&jpeg);
    }

    #[test]
    fn a_changed_byte_shows(at: proptest::sample::Index, bit in 0u8..8) {
        let original = picture();
        let bundle = bundle(300);
        let mut signed = embed(&original, &bundle).unwrap();
        let at = at.index(signed.len());
        signed[at] ^= 1 << bit;
        if let Ok(found) = extract(&signed) {
            proptest::prop_assert_ne!(found, (original, Some(bundle)));
        }
    }
}
