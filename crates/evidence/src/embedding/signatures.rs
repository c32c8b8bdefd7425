//! Signatures of others over all bytes of a file: they do not hold any more once it has a byte more.

/// What is in a file that C2PA signed.
pub(super) const CONTENT_CREDENTIALS: &str =
    "it has content credentials (C2PA), which are about all of its bytes";

/// What is in a file that was signed by another standard.
pub(super) const SIGNED: &str = "it has a signature of its own, which is about all of its bytes";

/// How XMP says where the content credentials of a file are (C2PA, "Embedding a reference to
/// an external manifest"): in it, or elsewhere, so that nothing else in the file tells.
const PROVENANCE: &[u8] = b"dcterms:provenance";

/// Which signature over all bytes is in the file, if there is one that looks alike in all formats.
///
/// It is looked for in every byte: these marks stand in segments, chunks, boxes and items within
/// boxes, and a file that has one by chance does well with its evidence beside it, too.
pub(super) fn over_all(file: &[u8]) -> Option<&'static str> {
    let before = |at| file.get(..at).unwrap_or_default();
    let from = |at| file.get(at..).unwrap_or_default();
    let mut windows = file.windows(4).enumerate();
    windows.find_map(|(at, window)| match window {
        b"jumd" if is_in_superbox(before(at)) => Some(CONTENT_CREDENTIALS),
        b"dcte" if from(at).starts_with(PROVENANCE) => Some(CONTENT_CREDENTIALS),
        // ONVIF Export File Format: the scheme of a protection.
        b"OEFF" if before(at).ends_with(b"schm\0\0\0\0") => Some(SIGNED),
        _ => None,
    })
}

/// Whether a description box whose kind comes next is the first in a JUMBF superbox, of whichever
/// label (ISO/IEC 19566-5, annex A): behind the superbox's own size and kind, or behind its
/// large size, comes the size of the description.
fn is_in_superbox(before: &[u8]) -> bool {
    [4, 4 + 8].into_iter().any(|between| {
        before
            .len()
            .checked_sub(between)
            .and_then(|end| before.get(..end))
            .is_some_and(|head| head.ends_with(b"jumb"))
    })
}
