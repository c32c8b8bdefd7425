//! The media type of a file, as it stands in a signed statement.

/// The media type of a file: by how its bytes begin, and where that says nothing, by the ending of
/// its name. Bytes count for more than the name: phones write HEIC as `.jpg`.
#[must_use]
pub(crate) fn media_type(name: &str, bytes: &[u8]) -> &'static str {
    let ending = name
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    let ending = ending.as_deref().unwrap_or_default();
    match bytes {
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "image/png",
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => base_media(brand, ending),
        [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => tiff(ending),
        [b'R', b'I', b'F', b'F', _, _, _, _, kind @ ..] if kind.starts_with(b"WAVE") => "audio/wav",
        [b'R', b'I', b'F', b'F', _, _, _, _, kind @ ..] if kind.starts_with(b"WEBP") => {
            "image/webp"
        }
        [b'%', b'P', b'D', b'F', b'-', ..] => "application/pdf",
        _ => match ending {
            "json" => "application/json",
            "csv" => "text/csv",
            "txt" | "log" => "text/plain",
            _ => BYTES,
        },
    }
}

const BYTES: &str = "application/octet-stream";

/// By the file's major brand (ISO/IEC 14496-12, 4.3; ISO/IEC 23008-12, 10.2 and annex B).
fn base_media(brand: &[u8], ending: &str) -> &'static str {
    match brand.first_chunk() {
        Some(b"heic" | b"heix" | b"heim" | b"heis") => "image/heic",
        Some(b"mif1") => "image/heif",
        Some(b"avif") => "image/avif",
        Some(b"qt  ") => "video/quicktime",
        _ if ending == "mp4" => "video/mp4",
        _ => BYTES,
    }
}

/// TIFF is also the frame of most cameras' raw formats, which only the ending tells apart.
fn tiff(ending: &str) -> &'static str {
    match ending {
        "tif" | "tiff" => "image/tiff",
        _ => BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_for_more_than_names() {
        for (name, bytes, expected) in [
            ("a.jpg", &b"\xff\xd8\xff\xe0"[..], "image/jpeg"),
            ("a.thm", b"\xff\xd8\xff\xe1", "image/jpeg"),
            ("a.jpg", b"\0\0\0\x18ftypheic", "image/heic"),
            ("a.jpg", b"no picture", BYTES),
            ("a.JPEG", b"\xff\xd8", BYTES),
            ("a.png", b"\x89PNG\r\n\x1a\n", "image/png"),
            ("a.png", b"", BYTES),
            ("a.mov", b"\0\0\0\x14ftypqt  ", "video/quicktime"),
            ("a.MP4", b"\0\0\0\x14ftypisom", "video/mp4"),
            ("a.mp4", b"no film", BYTES),
            ("a.tif", b"II*\0", "image/tiff"),
            ("a.nef", b"MM\0*", BYTES),
            ("a.wav", b"RIFF\0\0\0\0WAVE", "audio/wav"),
            ("a.CSV", b"1,2", "text/csv"),
            ("log", b"x", BYTES),
        ] {
            assert_eq!(media_type(name, bytes), expected, "{name}");
        }
    }
}
