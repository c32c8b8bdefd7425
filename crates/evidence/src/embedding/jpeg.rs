//! JPEG: a run of APP15 segments right after the leading APP0 and APP1 segments (JFIF and Exif,
//! which viewers expect first).
//!
//! Each segment holds `hallway\0`, its number from 1, how many there are, and up to 65,523 bytes.
//! Viewers skip segments that they do not know (ITU-T T.81, B.2.4.6). Bytes elsewhere are never
//! looked at: where bytes stand between segments or a length is wrong, viewers go on at the next
//! marker, and cameras append previews.

use std::ops::Range;

use crate::bundle::MAX_BUNDLE_BYTES;

/// SOI and the marker that follows it (ITU-T T.81, B.2.1).
pub(super) const START: &[u8] = &[0xff, 0xd8, 0xff];

/// What each segment of the run begins with.
const SIGNATURE: &[u8; 8] = b"hallway\0";

/// What comes before the evidence in a segment: marker, length, signature, number, count.
const HEAD_BYTES: usize = 2 + 2 + SIGNATURE.len() + 2;

/// The most evidence in one segment, whose length, which does not count the marker, has two bytes.
const PART_BYTES: usize = 65_535 + 2 - HEAD_BYTES;

const _: () = assert!(
    MAX_BUNDLE_BYTES.div_ceil(PART_BYTES) <= 255,
    "segments are numbered in a byte"
);

const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP15: u8 = 0xef;

/// The offset after the leading APP0 and APP1 segments, as far as they are whole. Fill bytes (FF)
/// before a marker belong to its segment (B.1.1.2).
pub(super) fn place(jpeg: &[u8]) -> usize {
    let mut at = 2;
    loop {
        let rest = jpeg.get(at..).unwrap_or_default();
        let fill = rest.iter().take_while(|byte| **byte == 0xff).count();
        let marker = at + fill.saturating_sub(1);
        match segment(jpeg, marker) {
            Some((APP0 | APP1, end)) => at = end,
            _ => return at,
        }
    }
}

pub(super) fn run(jpeg: &[u8]) -> Option<Range<usize>> {
    let start = place(jpeg);
    let mut end = start;
    while let Some((APP15, next)) = segment(jpeg, end)
        && jpeg
            .get(end + 4..next)
            .is_some_and(|data| data.starts_with(SIGNATURE))
    {
        end = next;
    }
    (end > start).then_some(start..end)
}

pub(super) fn wrap(evidence: &[u8]) -> Vec<u8> {
    let parts = evidence.chunks(PART_BYTES);
    // At most 255: see the assertion above.
    let total = parts.len() as u8;
    let mut out = Vec::with_capacity(evidence.len() + parts.len() * HEAD_BYTES);
    for (number, part) in (1u8..=total).zip(parts) {
        let length = (HEAD_BYTES - 2 + part.len()) as u16;
        out.extend_from_slice(&[0xff, APP15]);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(SIGNATURE);
        out.extend_from_slice(&[number, total]);
        out.extend_from_slice(part);
    }
    out
}

/// The parts of the run, joined as they stand.
pub(super) fn unwrap(run: &[u8]) -> Vec<u8> {
    let mut evidence = Vec::with_capacity(run.len());
    let mut at = 0;
    while let Some((_, end)) = segment(run, at) {
        evidence.extend_from_slice(run.get(at + HEAD_BYTES..end).unwrap_or_default());
        at = end;
    }
    evidence
}

/// The marker of the segment that begins exactly at `at`, and where the segment ends; `None` when
/// no whole segment begins there.
fn segment(jpeg: &[u8], at: usize) -> Option<(u8, usize)> {
    let [0xff, marker, high, low] = *jpeg.get(at..)?.first_chunk::<4>()? else {
        return None;
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let end = at + 2 + length;
    (length >= 2 && end <= jpeg.len()).then_some((marker, end))
}

/// Whether the marker that ends a picture comes after some image data. Bytes that are no marker
/// are skipped, image data among them.
pub(super) fn ends(jpeg: &[u8]) -> bool {
    let mut at = 2;
    let mut scans = false;
    while let Some([before, marker]) = jpeg.get(at..).and_then(<[u8]>::first_chunk::<2>) {
        match (*before, *marker) {
            (0xff, EOI) if scans => return true,
            // A stuffed zero, a fill byte, markers that stand alone (B.1.1.3).
            (0xff, 0x00 | 0x01 | 0xd0..=0xd9 | 0xff) | (0..=0xfe, _) => at += 1,
            (0xff, marker) => {
                scans |= marker == SOS;
                let length = jpeg.get(at + 2..).and_then(<[u8]>::first_chunk::<2>);
                let Some(length) = length.map(|length| u16::from_be_bytes(*length)) else {
                    return false;
                };
                at += 2 + usize::from(length);
            }
        }
    }
    false
}
