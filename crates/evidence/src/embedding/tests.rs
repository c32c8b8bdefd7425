use super::*;
use crate::credential_id::CredentialId;
use crate::evidence::Evidence;
use crate::log::{Appender, Checkpoint, SigningKey, TlogProof};
use crate::receipt::Receipt;
use crate::signed_statement::{Response, SignedStatement};
use crate::timestamp::Timestamp;

/// A JPEG as far as its segments go: JFIF, Exif, a quantisation table, two scans with a stuffed
/// zero and a restart marker, and bytes after its end.
fn picture() -> Vec<u8> {
    let mut jpeg = vec![0xff, 0xd8];
    let mut segment = |marker: u8, data: &[u8]| {
        jpeg.extend([0xff, marker]);
        jpeg.extend((data.len() as u16 + 2).to_be_bytes());
        jpeg.extend(data);
    };
    segment(0xe0, b"JFIF\0");
    segment(0xe1, b"Exif\0\0");
    segment(0xdb, &[0; 65]);
    segment(0xda, &[1, 2, 3]);
    jpeg.extend([1, 2, 0xff, 0, 0xff, 0xd3, 4, 0xff, 0xff]);
    jpeg.extend([0xc4, 0, 3, 9]);
    jpeg.extend([0xff, 0xda, 0, 2, 7, 8, 0xff, 0xd9]);
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
            Err(EmbeddingError::Occupied { offset: 21 })
        );
    }
    assert_eq!(extract(&original).unwrap(), (original, None));
}

#[test]
fn evidence_stands_behind_jfif_and_exif() {
    let signed = embed(&picture(), &bundle(1)).unwrap();
    assert_eq!(signed[21..23], [0xff, 0xef]);
    assert_eq!(&signed[25..33], b"hallway\0");
    assert_eq!(signed[33..35], [1, 1]);
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let named = [kind.as_slice(), data].concat();
    let length = (data.len() as u32).to_be_bytes();
    [
        length.as_slice(),
        &named,
        &crc32fast::hash(&named).to_be_bytes(),
    ]
    .concat()
}

/// A picture of one grey dot.
fn png() -> Vec<u8> {
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]),
        chunk(b"IDAT", &[0x78, 0x9c, 0x63, 0, 0, 0, 2, 0, 1]),
        chunk(b"IEND", b""),
    ]
    .concat()
}

fn boxed(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let size = (8 + data.len() as u32).to_be_bytes();
    [size.as_slice(), kind, data].concat()
}

/// A film as far as its boxes go, one with a large size.
fn film() -> Vec<u8> {
    let large = [&b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x12"[..], b"ab"].concat();
    [boxed(b"ftyp", b"isom\0\0\0\0"), large, boxed(b"moov", b"x")].concat()
}

/// The bytes that [`embed`] puts in, and where.
fn run_in(signed: &[u8], original: &[u8]) -> (usize, Vec<u8>) {
    let at = Format::of(original).unwrap().free_place(original).unwrap();
    (at, signed[at..at + signed.len() - original.len()].to_vec())
}

#[test]
fn every_format_has_one_place() {
    for (original, place) in [(picture(), 21), (png(), 33), (film(), film().len())] {
        for length in [1, 50_000] {
            let bundle = bundle(length);
            let signed = embed(&original, &bundle).unwrap();
            let (at, run) = run_in(&signed, &original);
            assert_eq!(at, place);
            assert_eq!(
                extract(&signed),
                Ok((original.clone(), Some(bundle.clone())))
            );
            assert_eq!(
                embed(&signed, &bundle),
                Err(EmbeddingError::Occupied { offset: at })
            );
            // The run anywhere else, and twice.
            for elsewhere in 0..=signed.len() {
                let mut enemy = signed.clone();
                enemy.splice(elsewhere..elsewhere, run.iter().copied());
                let found = extract(&enemy);
                assert_ne!(
                    found,
                    Ok((original.clone(), Some(bundle.clone()))),
                    "{elsewhere}"
                );
                if length > 1 && elsewhere > 200 {
                    break;
                }
            }
            for elsewhere in 0..=original.len() {
                let mut enemy = original.clone();
                enemy.splice(elsewhere..elsewhere, run.iter().copied());
                if elsewhere != at && enemy != signed {
                    assert!(extract(&enemy).is_err(), "{elsewhere}");
                }
            }
        }
    }
}

#[test]
fn bytes_between_segments_are_covered_as_they_are() {
    let whole = picture();
    for (at, junk) in [
        (11, &b"\0\0\0"[..]),
        (21, b"junk"),
        (21, b"\xff"),
        (21, b"\xff\xff\xff"),
        (21, b"\xff\xe1\0\0"),
        (21, b"\xff\xe1\0\x01abc"),
        (21, b"\xff\xef\0\x0challway"),
        (21, b"\xff\xd8"),
        (90, b"\0\xff\0"),
        (whole.len(), b"\xff\xd9trailer"),
    ] {
        let mut original = whole.clone();
        original.splice(at..at, junk.iter().copied());
        let bundle = bundle(1);
        let signed = embed(&original, &bundle).unwrap();
        assert_eq!(
            extract(&signed),
            Ok((original.clone(), Some(bundle))),
            "{junk:x?}"
        );
        assert!(seems_whole(&original) && seems_whole(&signed), "{junk:x?}");
    }
    // Cut anywhere after its first marker, and with a length that leads beyond the end.
    for end in 3..whole.len() {
        let cut = &whole[..end];
        let signed = embed(cut, &bundle(1)).unwrap();
        assert_eq!(extract(&signed).unwrap().0, cut);
    }
    let mut long = whole.clone();
    long[4..6].copy_from_slice(b"\xff\xff");
    let signed = embed(&long, &bundle(60_000)).unwrap();
    assert_eq!(extract(&signed).unwrap().0, long);
}

#[test]
fn fill_bytes_before_the_run_are_refused() {
    let signed = embed(&picture(), &bundle(1)).unwrap();
    let mut enemy = signed.clone();
    enemy.insert(21, 0xff);
    assert!(matches!(
        extract(&enemy),
        Err(EmbeddingError::Misplaced { .. })
    ));
}

#[test]
fn parts_must_be_whole_and_in_order() {
    let signed = embed(&picture(), &bundle(50_000)).unwrap();
    let second = 21 + 65_537;
    for at in [33, 34, second + 12, second + 13] {
        let mut jpeg = signed.clone();
        jpeg[at] ^= 3;
        assert_eq!(
            extract(&jpeg),
            Err(EmbeddingError::OtherForm { offset: 21 }),
            "{at}"
        );
    }
    let mut jpeg = signed.clone();
    jpeg[24] = 0xfe;
    assert!(matches!(
        extract(&jpeg),
        Err(EmbeddingError::Bundle { offset: 21, .. })
    ));
}

#[test]
fn a_file_without_a_place_for_evidence_is_refused_with_the_reason() {
    let film = film();
    for (file, why) in [
        (b"".to_vec(), "its format"),
        (b"II*\0".to_vec(), "its format"),
        (b"\xff\xd8".to_vec(), "its format"),
        (png()[..32].to_vec(), "its format"),
        (film[..film.len() - 1].to_vec(), "do not end where"),
        ([&film[..], b"\0"].concat(), "do not end where"),
        ([&film[..], b"\0\0\0\x07free"].concat(), "do not end where"),
        (
            [&film[..], b"\0\0\0\x01free\0\0\0\0\0\0\0\x0f"].concat(),
            "do not end where",
        ),
        ([&film[..], &[0xff; 16]].concat(), "do not end where"),
        ([&film[..], b"\0\0\0\0mdat"].concat(), "no end of its own"),
        ([&film[..], &boxed(b"mfra", b"")].concat(), "index"),
        (
            [&film[..], &boxed(b"mpvd", &film)].concat(),
            "the film in it",
        ),
        (
            [&film[..], &boxed(b"mpv2", &film)].concat(),
            "the film in it",
        ),
        (
            [&film[..], &boxed(b"sefd", b"SEFT")].concat(),
            "the film in it",
        ),
        (
            [&film[..], &boxed(b"mpvd", b""), &boxed(b"free", b"")].concat(),
            "the film in it",
        ),
        ([&film[..], &film].concat(), "the film in it"),
    ] {
        let refused = embed(&file, &bundle(1)).unwrap_err();
        assert!(refused.to_string().contains(why), "{refused}: {file:x?}");
        assert_eq!(extract(&file), Ok((file.clone(), None)));
    }
}

/// A JUMBF superbox with a label, as C2PA and JPEG Trust have them.
fn superbox(label: &str) -> Vec<u8> {
    let described = [
        &b"c2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03"[..],
        label.as_bytes(),
        b"\0",
    ]
    .concat();
    boxed(
        b"jumb",
        &[boxed(b"jumd", &described), boxed(b"cbor", b"\xa0")].concat(),
    )
}

/// The parts of a JPEG's APP11 segment with a box (ISO/IEC 18477-3, B.2).
fn app11(inside: &[u8]) -> Vec<u8> {
    let data = [b"JP\0\x01\0\0\0\x01", inside].concat();
    let length = (data.len() as u16 + 2).to_be_bytes();
    [&[0xff, 0xeb][..], &length, &data].concat()
}

/// XMP that says where the content credentials of a file are.
const ELSEWHERE: &[u8] = br#"<rdf:Description dcterms:provenance="https://a.example/m.c2pa"/>"#;

fn with(original: &[u8], at: usize, part: &[u8]) -> Vec<u8> {
    [&original[..at], part, &original[at..]].concat()
}

/// Files whose bytes others signed, all of them.
fn signed_by_others() -> Vec<Vec<u8>> {
    let (picture, png, film) = (picture(), png(), film());
    let xmp = [b"http://ns.adobe.com/xap/1.0/\0", ELSEWHERE].concat();
    let xmp = [b"\xff\xe1\0", &[xmp.len() as u8 + 2][..], &xmp].concat();
    let c2pa = b"\xd8\xfe\xc3\xd6\x1b\x0e\x48\x3c\x92\x97\x58\x28\x87\x7e\xc4\x81";
    let manifest = boxed(
        b"uuid",
        &[&c2pa[..], b"\0\0\0\0manifest\0", &[0; 8]].concat(),
    );
    let large = [&b"\0\0\0\x01uuid\0\0\0\0\0\0\0\x20"[..], c2pa].concat();
    let large_jumbf = b"\0\0\0\x01jumb\0\0\0\0\0\0\0\x18\0\0\0\x08jumd";
    let scheme = boxed(b"schm", b"\0\0\0\0OEFF\0\x01\0\0");
    let export = boxed(b"ipro", &boxed(b"sinf", &scheme));
    vec![
        // After Exif, where our segment would be, and after the tables.
        with(&picture, 21, &app11(&superbox("c2pa"))),
        with(&picture, 90, &app11(&superbox("c2pa"))),
        with(&picture, 21, &app11(&superbox("org.jpeg.trust"))),
        with(&picture, 21, &app11(large_jumbf)),
        with(&picture, 21, &xmp),
        with(&png, 33, &chunk(b"caBX", b"manifest")),
        with(&png, png.len() - 12, &chunk(b"caBX", &superbox("c2pa"))),
        with(&png, 33, &chunk(b"dSIG", b"")),
        with(
            &png,
            33,
            &chunk(
                b"iTXt",
                &[b"XML:com.adobe.xmp\0\0\0\0\0", ELSEWHERE].concat(),
            ),
        ),
        with(&film, 16, &manifest),
        with(&film, film.len(), &large),
        with(&film, 16, &boxed(b"jumb", &superbox("c2pa")[8..])),
        with(&film, 16, &boxed(b"uuid", ELSEWHERE)),
        with(
            &film,
            film.len(),
            &boxed(b"meta", &[&[0; 4], &export[..]].concat()),
        ),
    ]
}

#[test]
fn a_file_that_others_signed_as_a_whole_keeps_its_bytes() {
    let bundle = bundle(1);
    for file in signed_by_others() {
        let refused = embed(&file, &bundle).unwrap_err();
        assert!(
            matches!(refused, EmbeddingError::NoPlace(why) if why.contains("all of its bytes")),
            "{refused:?}: {file:x?}"
        );
        assert_eq!(extract(&file), Ok((file.clone(), None)));
        // Evidence that something else put inside is refused, wherever that would be.
        let format = Format::of(&file).unwrap();
        let run = format.wrap(&bundle);
        for at in 0..=file.len() {
            let found = extract(&with(&file, at, &run));
            assert!(found.is_err(), "{at}: {found:?}");
        }
        let place = match format {
            Format::Jpeg => jpeg::place(&file),
            Format::Png => 33,
            Format::BaseMedia => file.len(),
        };
        assert!(
            matches!(extract(&with(&file, place, &run)), Err(EmbeddingError::NotInside { offset, .. }) if offset == place),
            "{file:x?}"
        );
    }
}

#[test]
fn a_file_that_only_looks_signed_carries_its_evidence() {
    let (picture, film) = (picture(), film());
    for file in [
        // JPEG XT has boxes in such segments, too.
        with(&picture, 21, &app11(&boxed(b"SPEC", b"jumd"))),
        with(&picture, 21, &app11(&boxed(b"jumb", b""))),
        with(&picture, 21, b"dcterms:provenanc"),
        with(&film, 16, &boxed(b"uuid", &[7; 16])),
        with(&film, 16, &boxed(b"free", b"OEFF jumd mpvd")),
    ] {
        let bundle = bundle(1);
        let signed = embed(&file, &bundle).unwrap();
        assert_eq!(extract(&signed), Ok((file, Some(bundle))));
    }
}

#[test]
fn a_file_that_is_still_being_written_does_not_seem_whole() {
    let jpeg = picture();
    let end = jpeg.len() - b"a preview".len();
    for cut in 3..jpeg.len() {
        assert_eq!(seems_whole(&jpeg[..cut]), cut >= end, "{cut}");
    }
    let png = png();
    for cut in 33..=png.len() {
        assert_eq!(seems_whole(&png[..cut]), cut == png.len(), "{cut}");
    }
    let film = film();
    for cut in 8..=film.len() {
        // Between two boxes nothing tells that there are more.
        assert_eq!(
            seems_whole(&film[..cut]),
            [16, 34, 43].contains(&cut),
            "{cut}"
        );
    }
    // A preview in Exif has an end of its own.
    let preview = [
        &b"\xff\xd8\xff\xe1\0\x0cExif\0\0\xff\xd9"[..],
        b"\xff\xda\0\x02",
    ]
    .concat();
    assert!(!seems_whole(&preview) && seems_whole(b"no picture"));
}

proptest::proptest! {
    #[test]
    fn whatever_begins_as_a_jpeg_is_covered(tail: Vec<u8>, junk: Vec<u8>, at: proptest::sample::Index) {
        let mut jpeg = b"\xff\xd8\xff".to_vec();
        jpeg.extend(tail);
        let mut other = picture();
        let at = 3 + at.index(other.len() - 3);
        other.splice(at..at, junk);
        for original in [jpeg, other] {
            let bundle = bundle(1);
            let signed = embed(&original, &bundle).unwrap();
            proptest::prop_assert_eq!(extract(&signed).unwrap(), (original, Some(bundle)));
        }
    }

    #[test]
    fn hostile_bytes_never_panic(tail: Vec<u8>, kind in 0usize..3) {
        let start = [&b"\xff\xd8\xff\xef\0\x0challway\0\x01\x01"[..], &png()[..33], b"\0\0\0\x08ftyp"];
        let file = [start[kind], &tail].concat();
        let _ = (extract(&file), seems_whole(&file));
    }

    #[test]
    fn a_changed_byte_shows(at: proptest::sample::Index, bit in 0u8..8, kind in 0usize..3) {
        let original = [picture(), png(), film()][kind].clone();
        let bundle = bundle(300);
        let mut signed = embed(&original, &bundle).unwrap();
        let at = at.index(signed.len());
        signed[at] ^= 1 << bit;
        if let Ok(found) = extract(&signed) {
            proptest::prop_assert_ne!(found, (original, Some(bundle)));
        }
    }
}
