//! Evidence inside the picture that it is about.
//!
//! The evidence stands in a run of APP15 segments right behind the leading APP0 and APP1 segments
//! (JFIF and Exif, which viewers expect first). Each segment holds `hallway\0`, its number from 1,
//! how many there are, and up to 65,523 bytes. Removing the run gives back the camera's bytes
//! exactly, and those are what the device signed. Viewers skip segments that they do not know
//! (ITU-T T.81, B.2.4.6), so any of them opens the picture.
//!
//! There is one way to embed a bundle in a picture. A run elsewhere, a second run, parts cut in
//! another way and fill bytes before a segment of the run are refused, so nobody can show two
//! readers two different things: [`extract`] accepts exactly the bytes that [`embed`] makes. This is
//! about our own segments alone. All others, what stands before and between them and what follows
//! the picture are the camera's bytes, which the device signed as they are.

use std::ops::Range;

use crate::bundle::{Bundle, BundleError};

/// What each segment of the run begins with.
const SIGNATURE: &[u8; 8] = b"hallway\0";

/// Bytes of evidence in one segment: a segment has 65,535, of which two are its length, eight the
/// signature and two the numbers.
const PART: usize = 65_535 - 2 - SIGNATURE.len() - 2;

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP15: u8 = 0xef;

/// Why a picture cannot carry evidence, or the evidence in it is refused. Offsets count bytes from
/// the start of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JpegError {
    /// It does not begin as a JPEG does.
    #[error("not a JPEG: the file does not begin with FF D8")]
    NotJpeg,
    /// The structure breaks.
    #[error("damaged JPEG: at byte {offset}, {what}")]
    Damaged {
        /// Where.
        offset: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// Evidence where none belongs.
    #[error(
        "evidence at byte {offset}, where none belongs: there is one place, at byte {place}; \
         the picture was put together by something else"
    )]
    Misplaced {
        /// Where it is.
        offset: usize,
        /// Where it belongs.
        place: usize,
    },
    /// A segment of the run is not as it should be.
    #[error("the evidence segment at byte {offset} {what}")]
    Part {
        /// Where the segment begins.
        offset: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The evidence cannot be read.
    #[error("in the evidence embedded at byte {offset}: {why}")]
    Bundle {
        /// Where the run begins.
        offset: usize,
        /// What is wrong.
        why: BundleError,
    },
    /// The evidence does not fit in 255 segments.
    #[error("{0} bytes of evidence are too many to embed in a picture")]
    TooLong(usize),
    /// The picture has evidence already.
    #[error("the picture carries evidence already, at byte {offset}")]
    Occupied {
        /// Where.
        offset: usize,
    },
}

/// The picture with `bundle` embedded.
///
/// # Errors
/// [`JpegError`] when `jpeg` is not a whole JPEG, or carries evidence already.
pub fn embed(jpeg: &[u8], bundle: &Bundle) -> Result<Vec<u8>, JpegError> {
    let layout = Layout::read(jpeg)?;
    if !layout.run.is_empty() {
        return Err(JpegError::Occupied {
            offset: layout.run.start,
        });
    }
    let run = run_of(bundle)?;
    let (before, after) = jpeg.split_at(layout.run.start);
    Ok([before, &run, after].concat())
}

/// The run of segments that holds `bundle`.
fn run_of(bundle: &Bundle) -> Result<Vec<u8>, JpegError> {
    let evidence = bundle.encode();
    let parts = evidence.chunks(PART);
    let total = u8::try_from(parts.len()).map_err(|_| JpegError::TooLong(evidence.len()))?;
    let mut out = Vec::with_capacity(evidence.len() + usize::from(total) * 14);
    for (number, part) in (1u8..).zip(parts) {
        let length = (2 + SIGNATURE.len() + 2 + part.len()) as u16;
        out.extend_from_slice(&[0xff, APP15]);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(SIGNATURE);
        out.extend_from_slice(&[number, total]);
        out.extend_from_slice(part);
    }
    Ok(out)
}

/// The camera's own bytes, and the evidence if the picture carries some. The evidence is read, not
/// verified: see [`crate::verify`].
///
/// # Errors
/// [`JpegError`] says what is wrong and at which byte.
pub fn extract(jpeg: &[u8]) -> Result<(Vec<u8>, Option<Bundle>), JpegError> {
    let layout = Layout::read(jpeg)?;
    let run = layout.run;
    if run.is_empty() {
        return Ok((jpeg.to_vec(), None));
    }
    let evidence = join(jpeg, &run)?;
    let bundle = Bundle::decode(&evidence).map_err(|why| JpegError::Bundle {
        offset: run.start,
        why,
    })?;
    // Whatever the parser lets pass, only the bytes that embedding makes are accepted. The place
    // needs no second look: taking the run away leaves the segments before and behind it as they
    // are.
    if jpeg.get(run.clone()) != Some(run_of(&bundle)?.as_slice()) {
        return Err(JpegError::Part {
            offset: run.start,
            what: "is not written in the one way there is, such as with fill bytes before it",
        });
    }
    let original = [
        jpeg.get(..run.start).unwrap_or_default(),
        jpeg.get(run.end..).unwrap_or_default(),
    ]
    .concat();
    Ok((original, Some(bundle)))
}

/// Checks that `jpeg` is whole, from its first marker to its last. Says nothing about the picture.
///
/// # Errors
/// [`JpegError`] says what is wrong and at which byte.
pub fn check(jpeg: &[u8]) -> Result<(), JpegError> {
    Layout::read(jpeg).map(drop)
}

/// Joins the parts of the run. They must be numbered without a gap, and all but the last be full.
fn join(jpeg: &[u8], run: &Range<usize>) -> Result<Vec<u8>, JpegError> {
    let mut evidence = Vec::new();
    let mut at = run.start;
    let mut number = 1u8;
    while at < run.end {
        let wrong = |what| JpegError::Part { offset: at, what };
        let segment = Segment::read(jpeg, at)?;
        let data = segment.data(jpeg);
        let ([part, total], bytes) = data
            .get(SIGNATURE.len()..)
            .and_then(<[u8]>::split_first_chunk::<2>)
            .ok_or_else(|| wrong("is cut short"))?;
        let last = segment.end == run.end;
        if *part != number {
            return Err(wrong("is out of order"));
        }
        if last != (part == total) {
            return Err(wrong("does not agree with the number of segments"));
        }
        if bytes.is_empty() || (!last && bytes.len() != PART) {
            return Err(wrong("does not have the length that it must have"));
        }
        evidence.extend_from_slice(bytes);
        number = number
            .checked_add(1)
            .ok_or_else(|| wrong("is one too many"))?;
        at = segment.end;
    }
    Ok(evidence)
}

/// Where the evidence is, or would be.
struct Layout {
    /// Empty when there is no evidence.
    run: Range<usize>,
}

impl Layout {
    /// Walks all segments from SOI to EOI. What follows EOI belongs to the picture's bytes but is
    /// not looked at: cameras append previews there.
    fn read(jpeg: &[u8]) -> Result<Self, JpegError> {
        if jpeg.get(..2) != Some(&[0xff, SOI]) {
            return Err(JpegError::NotJpeg);
        }
        let mut at = 2;
        let mut segment = Segment::read(jpeg, at)?;
        while matches!(segment.marker, APP0 | APP1) {
            at = segment.end;
            segment = Segment::read(jpeg, at)?;
        }
        let start = at;
        while segment.is_evidence(jpeg) {
            at = segment.end;
            segment = Segment::read(jpeg, at)?;
        }
        let run = start..at;
        if !run.is_empty() && matches!(segment.marker, APP0 | APP1) {
            return Err(JpegError::Misplaced {
                offset: start,
                place: segment.end,
            });
        }
        Self::read_rest(jpeg, at, &run)?;
        Ok(Self { run })
    }

    /// Walks the segments behind the run, which hold no evidence, up to EOI.
    fn read_rest(jpeg: &[u8], mut at: usize, run: &Range<usize>) -> Result<(), JpegError> {
        let mut scans = 0u32;
        loop {
            let segment = Segment::read(jpeg, at)?;
            if segment.is_evidence(jpeg) {
                return Err(JpegError::Misplaced {
                    offset: at,
                    place: run.start,
                });
            }
            at = segment.end;
            match segment.marker {
                EOI if scans == 0 => {
                    return Err(JpegError::Damaged {
                        offset: at,
                        what: "the picture ends before any image data",
                    });
                }
                EOI => return Ok(()),
                SOS => {
                    scans += 1;
                    at = skip_scan(jpeg, at)?;
                }
                _ => {}
            }
        }
    }
}

/// The offset of the marker that ends the entropy-coded data at `at`: FF followed by anything but
/// a stuffed zero or a restart marker (ITU-T T.81, B.1.1.5).
fn skip_scan(jpeg: &[u8], at: usize) -> Result<usize, JpegError> {
    let rest = jpeg.get(at..).unwrap_or_default();
    rest.windows(2)
        .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff | 0xd0..=0xd7))
        .map(|found| at + found)
        .ok_or(JpegError::Damaged {
            offset: jpeg.len(),
            what: "the file ends within the image data",
        })
}

/// A marker with what belongs to it.
struct Segment {
    marker: u8,
    /// The bytes behind the length.
    data: Range<usize>,
    /// Behind the segment.
    end: usize,
}

impl Segment {
    /// Reads the segment at `at`. Fill bytes (FF) before a marker belong to it.
    fn read(jpeg: &[u8], at: usize) -> Result<Self, JpegError> {
        let damaged = |what| JpegError::Damaged { offset: at, what };
        let ends = || damaged("the file ends before the picture does");
        let rest = jpeg.get(at..).unwrap_or_default();
        if *rest.first().ok_or_else(ends)? != 0xff {
            return Err(damaged("a marker is missing"));
        }
        let fill = rest.iter().take_while(|byte| **byte == 0xff).count();
        let marker = *rest.get(fill).ok_or_else(ends)?;
        let behind = at + fill + 1;
        match marker {
            EOI | 0x01 | 0xd0..=0xd7 => Ok(Self {
                marker,
                data: behind..behind,
                end: behind,
            }),
            0x00 | SOI => Err(damaged("there is a marker that does not belong there")),
            _ => {
                let length = jpeg
                    .get(behind..)
                    .and_then(<[u8]>::first_chunk::<2>)
                    .ok_or_else(ends)?;
                let end = behind + usize::from(u16::from_be_bytes(*length));
                if end < behind + 2 {
                    return Err(damaged("a segment is shorter than its own length"));
                }
                if end > jpeg.len() {
                    return Err(damaged("a segment is longer than the file"));
                }
                Ok(Self {
                    marker,
                    data: behind + 2..end,
                    end,
                })
            }
        }
    }

    fn data<'a>(&self, jpeg: &'a [u8]) -> &'a [u8] {
        jpeg.get(self.data.clone()).unwrap_or_default()
    }

    fn is_evidence(&self, jpeg: &[u8]) -> bool {
        self.marker == APP15 && self.data(jpeg).starts_with(SIGNATURE)
    }
}

#[cfg(test)]
mod tests;
