//! Signatures by others over all bytes of a file: one more byte would break them.

/// Why a file with a signature by C2PA carries no evidence inside.
pub(super) const CONTENT_CREDENTIALS: &str =
    "it has content credentials (C2PA), which are about all of its bytes";

/// Why a file with a signature by another standard carries no evidence inside.
pub(super) const SIGNED: &str = "it has a signature of its own, which is about all of its bytes";

/// How XMP says where the content credentials of a file are (C2PA, "Embedding a reference to
/// an external manifest"): inside, or elsewhere, in which case nothing else in the file tells.
const PROVENANCE: &[u8] = b"dcterms:provenance";

/// Why the file carries no evidence inside, if it has a signature over all bytes, of a kind that
/// looks alike in all formats.
///
/// Every byte is searched: these marks stand in segments, chunks, boxes and items within boxes. A
/// file that has one by chance gets its evidence beside it, which does no harm.
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

/// Whether a description box, whose kind comes after `before`, is the first in a JUMBF superbox of
/// any label (ISO/IEC 19566-5, annex A): the size of the description box follows the kind of the
/// superbox, or its large size.
fn is_in_superbox(before: &[u8]) -> bool {
    [4, 4 + 8].into_iter().any(|between| {
        before
            .len()
            .checked_sub(between)
            .and_then(|end| before.get(..end))
            .is_some_and(|head| head.ends_with(b"jumb"))
    })
}
