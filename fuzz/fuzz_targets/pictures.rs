//! Files as cameras and phones write them: JPEGs made of the segments of a real one, with typical
//! errors between and in them, and the same for PNG chunks and the boxes of films.
//!
//! Evidence is embedded in everything that begins as a JPEG or a PNG, unless evidence is in it already
//! or other software signed the whole file. Taking the evidence out gives back the signed bytes, and
//! one changed byte anywhere is noticed.
#![no_main]

use std::sync::LazyLock;

use hallway_evidence::embedding::{EmbeddingError, Format, embed, extract, seems_whole};
use hallway_evidence::statement::device::Payload;
use hallway_evidence::{Bundle, Line};
use libfuzzer_sys::fuzz_target;

static BUNDLE: LazyLock<Bundle> = LazyLock::new(|| {
    let seed = include_bytes!("../seeds/evidence/bundle");
    Bundle::decode(&seed[1..]).expect("a bundle")
});

/// The segments of a real picture before its image data, and the beginning of that.
static SEGMENTS: LazyLock<Vec<&[u8]>> = LazyLock::new(|| {
    let jpeg = include_bytes!("../../crates/cli/photographs/cat.jpg");
    let (mut at, mut found) = (2, Vec::new());
    while jpeg[at + 1] != 0xda {
        let end = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        found.push(&jpeg[at..end]);
        at = end;
    }
    found.push(&jpeg[at..at + 200]);
    found.push(b"\xff\xd9");
    found
});

/// Takes numbers and bytes from the input.
struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    fn byte(&mut self) -> u8 {
        let (byte, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *byte
    }

    fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn jpeg(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut parts: Vec<Vec<u8>> = SEGMENTS.iter().map(|segment| segment.to_vec()).collect();
    while !choices.is_empty() && parts.len() < 64 {
        let kind = choices.byte();
        let at = usize::from(choices.byte()) % parts.len();
        let mut part = parts[at].clone();
        match kind % 8 {
            0 => parts.insert(at, choices.bytes().to_vec()),
            1 => parts.insert(at, vec![0xff; usize::from(choices.byte())]),
            // A segment of any kind, with any length.
            2 => {
                let mut segment = vec![0xff, choices.byte(), choices.byte(), choices.byte()];
                segment.extend_from_slice(choices.bytes());
                parts.insert(at, segment);
            }
            3 => parts.insert(at, part),
            4 if part.len() > 3 => {
                (part[2], part[3]) = (choices.byte(), choices.byte());
                parts[at] = part;
            }
            5 => {
                part.truncate(usize::from(choices.byte()));
                parts[at] = part;
            }
            6 if parts.len() > 1 => drop(parts.remove(at)),
            // A segment that resembles ours.
            _ => {
                let mut segment = vec![0xff, 0xef, 0, choices.byte()];
                segment.extend_from_slice(b"hallway\0");
                segment.extend_from_slice(choices.bytes());
                parts.insert(at, segment);
            }
        }
    }
    [b"\xff\xd8".to_vec(), parts.concat()].concat()
}

fn png(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    png.extend_from_slice(&[0; 17]);
    while !choices.is_empty() {
        let kinds = [b"haWY", b"IDAT", b"IEND", b"caBX"];
        let kind = kinds[usize::from(choices.byte() % 4)];
        let length = choices.byte();
        png.extend_from_slice(&[0, 0, 0, length]);
        png.extend_from_slice(kind);
        png.extend_from_slice(choices.bytes());
    }
    png
}

fn film(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut film = b"\0\0\0\x10ftypisom\0\0\0\0".to_vec();
    while !choices.is_empty() {
        let kinds = [b"uuid", b"mdat", b"mfra", b"mpvd"];
        let kind = kinds[usize::from(choices.byte() % 4)];
        let wrong = choices.byte();
        let data = choices.bytes();
        let size = match wrong {
            0..240 => 8 + data.len() as u32,
            _ => u32::from(wrong - 240),
        };
        film.extend_from_slice(&size.to_be_bytes());
        film.extend_from_slice(kind);
        film.extend_from_slice(data);
    }
    film
}

fn covered(file: &[u8], place: u16, bit: u8) {
    let _ = seems_whole(file);
    let bundle = &*BUNDLE;
    let signed = match (embed(file, bundle), Format::of(file)) {
        (Ok(signed), _) => signed,
        (Err(EmbeddingError::Occupied { .. }), _) => return drop(extract(file)),
        (Err(EmbeddingError::NoPlace(_)), None | Some(Format::BaseMedia)) => return,
        (Err(EmbeddingError::NoPlace(why)), _) if why.contains("all of its bytes") => return,
        (Err(error), _) => panic!("{error}"),
    };
    let (original, found) = extract(&signed).expect("it was embedded");
    let line = || Line::new("a").expect("a line");
    let payload = Payload::of(file, line(), line());
    assert!(payload.matches(&original) && found.as_ref() == Some(bundle));
    assert_eq!(
        embed(&original, bundle).as_ref(),
        Ok(&signed),
        "another one is accepted"
    );
    let mut changed = signed;
    let at = usize::from(place) * changed.len() / 65_536;
    changed[at] ^= 1 << (bit % 8);
    if let Ok((original, Some(found))) = extract(&changed) {
        assert!(
            found != *bundle || !payload.matches(&original),
            "byte {at} is not noticed"
        );
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices(bytes);
    let (kind, bit) = (choices.byte(), choices.byte());
    let place = u16::from_be_bytes([choices.byte(), choices.byte()]);
    let file = match kind % 4 {
        0 => jpeg(&mut choices),
        1 => png(&mut choices),
        2 => film(&mut choices),
        _ => choices.0.to_vec(),
    };
    covered(&file, place, bit);
});
