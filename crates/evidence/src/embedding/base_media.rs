//! ISO base media (HEIC, AVIF, MP4, QuickTime): one `uuid` box at the very end.
//!
//! Elsewhere it would move what the file's own tables point to by their offsets (ISO/IEC 14496-12,
//! 8.7.5 and 8.11.3).

use std::ops::Range;

use super::signatures::CONTENT_CREDENTIALS;

/// The extended type of the box: 8b44d9e0-c4c3-4ce3-9b3b-3d82f2720aa7.
const EXTENSION: [u8; 16] = [
    0x8b, 0x44, 0xd9, 0xe0, 0xc4, 0xc3, 0x4c, 0xe3, 0x9b, 0x3b, 0x3d, 0x82, 0xf2, 0x72, 0x0a, 0xa7,
];

/// What the box has before its evidence: size, `uuid`, and extended type.
const HEAD_BYTES: usize = 4 + 4 + EXTENSION.len();

/// The extended type of a box with content credentials (C2PA, appendix A):
/// d8fec3d6-1b0e-483c-9297-5828877ec481.
const C2PA: [u8; 16] = [
    0xd8, 0xfe, 0xc3, 0xd6, 0x1b, 0x0e, 0x48, 0x3c, 0x92, 0x97, 0x58, 0x28, 0x87, 0x7e, 0xc4, 0x81,
];

/// The end of the file, if a box may follow there.
pub(super) fn place(file: &[u8]) -> Result<usize, &'static str> {
    let mut obstacle = None;
    let boxes = walk(file, |found| {
        obstacle = obstacle.or_else(|| found.obstacle());
    });
    match (boxes, obstacle) {
        (Boxes::Open, _) => Err("its last box has no end of its own"),
        (Boxes::Broken, _) => Err("its boxes do not end where the file does"),
        (Boxes::Last(_), Some(why)) => Err(why),
        (Boxes::Last(_), None) => Ok(file.len()),
    }
}

pub(super) fn run(file: &[u8]) -> Option<Range<usize>> {
    let Boxes::Last(last) = walk(file, |_| ()) else {
        return None;
    };
    let is_ours = last.kind == b"uuid"
        && file.get(last.start + 8..last.start + HEAD_BYTES) == Some(EXTENSION.as_slice());
    is_ours.then_some(last.start..file.len())
}

pub(super) fn wrap(evidence: &[u8]) -> Vec<u8> {
    let size = (HEAD_BYTES + evidence.len()) as u32;
    [size.to_be_bytes().as_slice(), b"uuid", &EXTENSION, evidence].concat()
}

pub(super) fn unwrap(run: &[u8]) -> Vec<u8> {
    run.get(HEAD_BYTES..).unwrap_or_default().to_vec()
}

/// Whether the boxes end where the file does, or the last one has no end of its own.
pub(super) fn ends(file: &[u8]) -> bool {
    !matches!(walk(file, |_| ()), Boxes::Broken)
}

/// A box of a file that is not inside another one.
struct TopBox<'a> {
    /// Where it begins.
    start: usize,
    kind: &'a [u8; 4],
    /// All bytes of the file after the head of the box.
    content: &'a [u8],
}

impl TopBox<'_> {
    /// Why no box may follow at the end of a file that has this one.
    fn obstacle(&self) -> Option<&'static str> {
        match self.kind {
            b"mfra" => Some("readers look for its index at the very end"),
            // The film of a motion photo (Motion Photo Format 1.0), whose length XMP gives;
            // Samsung's table of what is in it; or in earlier ones, a whole file after the picture.
            [b'm', b'p', b'v', _] | b"sefd" => Some(FILM),
            b"ftyp" if self.start > 0 => Some(FILM),
            b"uuid" if self.content.starts_with(&C2PA) => Some(CONTENT_CREDENTIALS),
            _ => None,
        }
    }
}

/// Why nothing may follow at the end of a motion photo.
const FILM: &str = "readers count from its end to the film in it";

/// How the boxes of a file end.
enum Boxes<'a> {
    /// They end with the file, and this is the last one.
    Last(TopBox<'a>),
    /// The last one goes on to the end of the file, however long that is (4.2).
    Open,
    /// A box is longer than the file, or shorter than its own head.
    Broken,
}

/// Walks the boxes of a file, not what is inside them.
fn walk<'a>(file: &'a [u8], mut visit: impl FnMut(&TopBox<'a>)) -> Boxes<'a> {
    let mut start = 0;
    loop {
        let rest = file.get(start..).unwrap_or_default();
        let Some((size, rest)) = rest.split_first_chunk::<4>() else {
            return Boxes::Broken;
        };
        let Some((kind, rest)) = rest.split_first_chunk::<4>() else {
            return Boxes::Broken;
        };
        // The size counts the head, in which a large one has eight bytes more (4.2).
        let (size, head, content) = match (u32::from_be_bytes(*size), rest.split_first_chunk()) {
            (0, _) => return Boxes::Open,
            (1, Some((large, content))) => (u64::from_be_bytes(*large), 16, content),
            (size, _) => (u64::from(size), 8, rest),
        };
        let end = usize::try_from(size)
            .ok()
            .and_then(|size| start.checked_add(size))
            .filter(|end| size >= head && *end <= file.len());
        let Some(end) = end else {
            return Boxes::Broken;
        };
        let found = TopBox {
            start,
            kind,
            content,
        };
        visit(&found);
        if end == file.len() {
            return Boxes::Last(found);
        }
        start = end;
    }
}
