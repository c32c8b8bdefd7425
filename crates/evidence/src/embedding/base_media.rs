//! ISO base media (HEIC, AVIF, MP4, QuickTime): one `uuid` box at the very end.
//!
//! Elsewhere it would move what the file's own tables point to by their offsets (ISO/IEC 14496-12,
//! 8.7.5 and 8.11.3).

use std::ops::Range;

/// Which extension the box is: 8b44d9e0-c4c3-4ce3-9b3b-3d82f2720aa7.
const EXTENSION: [u8; 16] = [
    0x8b, 0x44, 0xd9, 0xe0, 0xc4, 0xc3, 0x4c, 0xe3, 0x9b, 0x3b, 0x3d, 0x82, 0xf2, 0x72, 0x0a, 0xa7,
];

/// What the box has before its evidence: size, `uuid`, and which one.
const HEAD: usize = 4 + 4 + EXTENSION.len();

/// The end of the file, if a box may follow there.
pub(super) fn place(file: &[u8]) -> Result<usize, &'static str> {
    match last_box(file) {
        Boxes::Last(_, b"mfra") => Err("readers look for its index at the very end"),
        Boxes::Last(..) => Ok(file.len()),
        Boxes::Open => Err("its last box has no end of its own"),
        Boxes::Broken => Err("its boxes do not end where the file does"),
    }
}

pub(super) fn run(file: &[u8]) -> Option<Range<usize>> {
    let Boxes::Last(start, b"uuid") = last_box(file) else {
        return None;
    };
    let extension = file.get(start + 8..start + HEAD)?;
    (extension == EXTENSION).then_some(start..file.len())
}

pub(super) fn wrap(evidence: &[u8]) -> Vec<u8> {
    let size = (HEAD + evidence.len()) as u32;
    [size.to_be_bytes().as_slice(), b"uuid", &EXTENSION, evidence].concat()
}

pub(super) fn unwrap(run: &[u8]) -> Vec<u8> {
    run.get(HEAD..).unwrap_or_default().to_vec()
}

/// Whether the boxes end where the file does.
pub(super) fn ends(file: &[u8]) -> bool {
    !matches!(last_box(file), Boxes::Broken)
}

/// What the boxes of a file come to.
enum Boxes<'a> {
    /// They end with the file: where the last one begins, and its kind.
    Last(usize, &'a [u8; 4]),
    /// The last one goes on to the end of the file, however long that is (4.2).
    Open,
    /// A box is longer than the file, or shorter than its own head.
    Broken,
}

/// Walks the boxes of a file, not what is inside them.
fn last_box(file: &[u8]) -> Boxes<'_> {
    let mut at = 0;
    loop {
        let rest = file.get(at..).unwrap_or_default();
        let Some((size, rest)) = rest.split_first_chunk::<4>() else {
            return Boxes::Broken;
        };
        let Some((kind, rest)) = rest.split_first_chunk::<4>() else {
            return Boxes::Broken;
        };
        // The size counts the head, in which a large one has eight bytes more (4.2).
        let (size, head) = match (u32::from_be_bytes(*size), rest.first_chunk()) {
            (0, _) => return Boxes::Open,
            (1, Some(large)) => (u64::from_be_bytes(*large), 16),
            (size, _) => (u64::from(size), 8),
        };
        let end = usize::try_from(size)
            .ok()
            .and_then(|size| at.checked_add(size));
        match end {
            Some(end) if size >= head && end < file.len() => at = end,
            Some(end) if size >= head && end == file.len() => return Boxes::Last(at, kind),
            _ => return Boxes::Broken,
        }
    }
}
