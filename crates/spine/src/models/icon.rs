//! A model's picture: a `data:` URL in its metadata, served as a file of our own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallway_hall::foreign::MediaType;

/// The most bytes of a picture; the metadata keep no longer `data:` URLs either.
const MAX_ICON_BYTES: usize = 64 * 1024;

/// A picture whose bytes have the format of its media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Icon {
    /// One of the types that are served, never more than the bytes themselves say.
    pub media_type: MediaType,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Icon {
    /// Reads a `data:` URL (RFC 2397) with a PNG, JPEG, GIF, WebP or SVG picture in base64.
    #[must_use]
    pub fn from_data_url(url: &str) -> Option<Self> {
        let (head, body) = url.strip_prefix("data:")?.split_once(',')?;
        let declared = head.strip_suffix(";base64")?;
        if body.len() > MAX_ICON_BYTES * 4 / 3 + 4 {
            return None;
        }
        let plain: String = body.split_ascii_whitespace().collect();
        let bytes = STANDARD.decode(plain).ok()?;
        let media_type = media_type(&bytes, declared)?;
        Some(Self { media_type, bytes })
    }
}

/// The media type, from the first bytes. SVG has no such bytes, so its declared type counts.
fn media_type(bytes: &[u8], declared: &str) -> Option<MediaType> {
    let is_drawing = || declared.starts_with("image/svg+xml") && std::str::from_utf8(bytes).is_ok();
    MediaType::of_picture(bytes).or_else(|| is_drawing().then_some(MediaType::SVG))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(media_type: &str, bytes: &[u8]) -> String {
        format!("data:{media_type};base64,{}", STANDARD.encode(bytes))
    }

    #[test]
    fn the_bytes_decide_the_media_type() {
        let png = b"\x89PNG\r\n\x1a\n....";
        let icon = Icon::from_data_url(&url("image/svg+xml", png)).unwrap();
        assert_eq!(
            (icon.media_type.as_str(), icon.bytes.as_slice()),
            ("image/png", &png[..])
        );
        let svg = Icon::from_data_url(&url("image/svg+xml", b"<svg/>")).unwrap();
        assert_eq!(svg.media_type, MediaType::SVG);
    }

    #[test]
    fn bytes_that_are_no_picture_are_refused() {
        for text in [
            url("text/html", b"<script>"),
            url("image/png", b"<script>"),
            url("image/svg+xml", b"\xff\xfe"),
            url("image/png", &[]),
            "data:image/png,plain".to_owned(),
            "data:image/png;base64,%%%".to_owned(),
            "https://elsewhere.example/icon.png".to_owned(),
            url("image/svg+xml", &[b' '; MAX_ICON_BYTES + 100]),
        ] {
            assert_eq!(Icon::from_data_url(&text), None, "{}", &text[..20]);
        }
    }
}
