//! PNG: one chunk `haWY` right after IHDR, which is always first (PNG, Third Edition, 5.6).
//!
//! Its name says: ancillary (readers skip it), private, and unsafe to copy (an editor that changes
//! the picture drops it).

use std::ops::Range;

use super::signatures::{CONTENT_CREDENTIALS, SIGNED};

/// What every PNG begins with, up to the name of its first chunk, IHDR, which has 13 bytes.
const START: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR";

/// The offset after IHDR: the signature has 8 bytes, the chunk 25.
const OFFSET: usize = 8 + FRAME_BYTES + 13;

const KIND: &[u8; 4] = b"haWY";

/// The parts of a chunk besides its data: length, name, checksum.
const FRAME_BYTES: usize = 4 + 4 + 4;

pub(super) fn begins(file: &[u8]) -> bool {
    file.starts_with(START) && file.len() >= OFFSET
}

/// The offset after IHDR, unless the file is signed as a whole: by C2PA (appendix A), or by `dSIG`
/// chunks after IHDR and before IEND, which cover all between them (Extensions to the PNG
/// Specification).
pub(super) fn place(png: &[u8]) -> Result<usize, &'static str> {
    let signed = chunks(png).find_map(|(kind, _)| match kind {
        b"caBX" => Some(CONTENT_CREDENTIALS),
        b"dSIG" => Some(SIGNED),
        _ => None,
    });
    signed.map_or(Ok(OFFSET), Err)
}

pub(super) fn run(png: &[u8]) -> Option<Range<usize>> {
    match chunk(png, OFFSET)? {
        (KIND, end) => Some(OFFSET..end),
        _ => None,
    }
}

pub(super) fn wrap(evidence: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(evidence.len() + FRAME_BYTES);
    out.extend_from_slice(&(evidence.len() as u32).to_be_bytes());
    out.extend_from_slice(KIND);
    out.extend_from_slice(evidence);
    let checksum = crc32fast::hash(out.get(4..).unwrap_or_default());
    out.extend_from_slice(&checksum.to_be_bytes());
    out
}

pub(super) fn unwrap(run: &[u8]) -> Vec<u8> {
    run.get(8..run.len() - 4).unwrap_or_default().to_vec()
}

/// Whether the last chunk, IEND, is there.
pub(super) fn ends(png: &[u8]) -> bool {
    chunks(png).any(|(kind, _)| kind == b"IEND")
}

/// The chunks that are whole, each with its name and where it ends, up to the first that is not.
fn chunks(png: &[u8]) -> impl Iterator<Item = (&[u8; 4], usize)> {
    let first = chunk(png, START.len() - 8);
    std::iter::successors(first, |(_, end)| chunk(png, *end))
}

/// The name of the chunk at `at`, and where the chunk ends; `None` when it is not whole.
fn chunk(png: &[u8], at: usize) -> Option<(&[u8; 4], usize)> {
    let rest = png.get(at..)?;
    let length = u32::from_be_bytes(*rest.first_chunk()?);
    let kind = rest.get(4..)?.first_chunk()?;
    let end = at.checked_add(length as usize)?.checked_add(FRAME_BYTES)?;
    (end <= png.len()).then_some((kind, end))
}
