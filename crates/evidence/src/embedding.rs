//! Evidence inside the file that it is about, or beside it.
//!
//! A device signs any bytes. Where the format of a file has a place that every reader skips, the
//! evidence can travel inside:
//!
//! | format | where | what readers are told |
//! |---|---|---|
//! | JPEG | APP15 segments after the leading APP0 and APP1 (JFIF, Exif) | ITU-T T.81, B.2.4.6: application data |
//! | PNG | a chunk `haWY` after IHDR | PNG (Third Edition), 5.4: ancillary, private, unsafe to copy |
//! | ISO base media (HEIC, AVIF, MP4) | a `uuid` box at the end | ISO/IEC 14496-12, 11.1: a user's extension |
//!
//! All other files have their evidence in a file beside them, `NAME.evidence`: files in which that
//! place is taken or cannot be found, files that others signed as a whole (C2PA), whose signatures
//! would no longer hold, and files in which readers count from the end, where a box would go. **If
//! there is evidence beside a file, it decides**, and it is about all bytes of the file: whatever
//! the file carries inside is then part of what was signed.
//!
//! Taking the evidence out gives back the device's bytes exactly. They may be anything in which the
//! place can be found: a file that is damaged, cut short, or breaks the rules of its format is
//! covered as it is.
//!
//! There is one way to embed a bundle in a file: [`extract`] accepts exactly the bytes that
//! [`embed`] makes of what it gives back, so nobody can show two readers two different things.

mod base_media;
mod jpeg;
mod png;
mod signatures;

use std::ops::Range;

use crate::bundle::{Bundle, BundleError};

/// How every bundle begins: a map of one member, `receipts`.
const BUNDLE_START: &[u8] = b"\xa1\x68receipts";

/// A format with a place for evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A JPEG picture.
    Jpeg,
    /// A PNG picture.
    Png,
    /// A file of boxes that begins with its type: HEIC, AVIF, MP4, QuickTime.
    BaseMedia,
}

/// Why a file cannot carry evidence, or the evidence in it is refused. Offsets count bytes from the
/// start of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmbeddingError {
    /// There is no place for evidence in such bytes.
    #[error("the file cannot carry its evidence inside: {0}")]
    NoPlace(&'static str),
    /// The file has evidence in that place already.
    #[error("the file carries evidence already, at byte {offset}")]
    Occupied {
        /// Where it begins.
        offset: usize,
    },
    /// Evidence where none belongs.
    #[error(
        "there is evidence at byte {offset}, where none belongs: a file has one place for it, and \
         one way to write it; another program put this file together"
    )]
    Misplaced {
        /// Where it is.
        offset: usize,
    },
    /// Evidence inside a file that may have evidence only beside it.
    #[error(
        "there is evidence at byte {offset}, but such a file has its evidence beside it: {why}; \
         another program put this file together"
    )]
    NotInside {
        /// Where it is.
        offset: usize,
        /// Why it cannot be inside.
        why: &'static str,
    },
    /// It is not what [`embed`] writes.
    #[error("the evidence at byte {offset} is not written in the one way that is allowed")]
    OtherForm {
        /// Where it begins.
        offset: usize,
    },
    /// The evidence cannot be read.
    #[error("in the evidence embedded at byte {offset}: {why}")]
    Bundle {
        /// Where it begins.
        offset: usize,
        /// The fault in the evidence.
        why: BundleError,
    },
}

/// The file with `bundle` embedded.
///
/// # Errors
/// [`EmbeddingError::NoPlace`] or [`EmbeddingError::Occupied`]: its evidence lies beside it.
pub fn embed(file: &[u8], bundle: &Bundle) -> Result<Vec<u8>, EmbeddingError> {
    let format = Format::of(file).ok_or(EmbeddingError::NoPlace(
        "its format has no place for evidence",
    ))?;
    let at = format.free_place(file)?;
    let (before, after) = file.split_at(at);
    Ok([before, &format.wrap(bundle), after].concat())
}

/// The device's own bytes, and the evidence if the file carries some. The evidence is read, not
/// verified: see [`crate::verify`].
///
/// # Errors
/// [`EmbeddingError`] says what is wrong and at which byte.
pub fn extract(file: &[u8]) -> Result<(Vec<u8>, Option<Bundle>), EmbeddingError> {
    let Some((format, run)) = Format::of(file).and_then(|format| Some((format, format.run(file)?)))
    else {
        let mut windows = file.windows(BUNDLE_START.len());
        return match windows.position(|window| window == BUNDLE_START) {
            Some(offset) => Err(EmbeddingError::Misplaced { offset }),
            None => Ok((file.to_vec(), None)),
        };
    };
    let offset = run.start;
    let written = file.get(run.clone()).unwrap_or_default();
    let bundle = Bundle::decode(&format.unwrap(written))
        .map_err(|why| EmbeddingError::Bundle { offset, why })?;
    if written != format.wrap(&bundle) {
        return Err(EmbeddingError::OtherForm { offset });
    }
    let (before, after) = (file.get(..run.start), file.get(run.end..));
    let original = [before.unwrap_or_default(), after.unwrap_or_default()].concat();
    if Format::of(&original) != Some(format) {
        return Err(EmbeddingError::Misplaced { offset });
    }
    // Where the evidence was found must be where it would be put.
    match format.free_place(&original) {
        Ok(place) if place == offset => Ok((original, Some(bundle))),
        Err(EmbeddingError::NoPlace(why)) => Err(EmbeddingError::NotInside { offset, why }),
        _ => Err(EmbeddingError::Misplaced { offset }),
    }
}

/// Whether a file seems complete, as far as its format tells. An incomplete file may still be on
/// its way, or be damaged; a file whose format tells nothing counts as complete.
#[must_use]
pub fn seems_whole(file: &[u8]) -> bool {
    match Format::of(file) {
        Some(Format::Jpeg) => jpeg::ends(file),
        Some(Format::Png) => png::ends(file),
        Some(Format::BaseMedia) => base_media::ends(file),
        None => true,
    }
}

impl Format {
    /// The format of `file`, told by its first bytes.
    #[must_use]
    pub fn of(file: &[u8]) -> Option<Self> {
        if file.starts_with(jpeg::START) {
            Some(Self::Jpeg)
        } else if png::begins(file) {
            Some(Self::Png)
        } else if file.get(4..8) == Some(b"ftyp") {
            Some(Self::BaseMedia)
        } else {
            None
        }
    }

    /// The offset at which evidence is put into a file that carries none.
    fn free_place(self, file: &[u8]) -> Result<usize, EmbeddingError> {
        if let Some(run) = self.run(file) {
            let offset = run.start;
            return Err(EmbeddingError::Occupied { offset });
        }
        if let Some(why) = signatures::over_all(file) {
            return Err(EmbeddingError::NoPlace(why));
        }
        match self {
            Self::Jpeg => Ok(jpeg::place(file)),
            Self::Png => png::place(file),
            Self::BaseMedia => base_media::place(file),
        }
        .map_err(EmbeddingError::NoPlace)
    }

    /// The bytes of the evidence with its frame, if the file carries some.
    fn run(self, file: &[u8]) -> Option<Range<usize>> {
        match self {
            Self::Jpeg => jpeg::run(file),
            Self::Png => png::run(file),
            Self::BaseMedia => base_media::run(file),
        }
    }

    fn wrap(self, bundle: &Bundle) -> Vec<u8> {
        let evidence = bundle.encode();
        match self {
            Self::Jpeg => jpeg::wrap(&evidence),
            Self::Png => png::wrap(&evidence),
            Self::BaseMedia => base_media::wrap(&evidence),
        }
    }

    /// The evidence in a run.
    fn unwrap(self, run: &[u8]) -> Vec<u8> {
        match self {
            Self::Jpeg => jpeg::unwrap(run),
            Self::Png => png::unwrap(run),
            Self::BaseMedia => base_media::unwrap(run),
        }
    }
}

#[cfg(test)]
mod tests;
