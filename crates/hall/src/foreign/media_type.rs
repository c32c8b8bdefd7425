//! The types under which browsers get others' bytes: only those that can't run anything.

use http::HeaderValue;

/// The media type.
pub const PACK: &str = "application/vnd.hallway.pack";

/// One of the types that others' bytes may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaType(&'static str);

/// Types that a browser shows; everything else is saved as a file.
const SHOWN: [&str; 6] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "text/plain; charset=utf-8",
];

/// Types that a browser saves as a file.
const KEPT: [&str; 6] = [
    "application/pdf",
    "application/json",
    "application/cbor",
    "text/csv; charset=utf-8",
    "application/octet-stream",
    PACK,
];

impl MediaType {
    /// Bytes of which nothing is known.
    pub const BYTES: Self = Self("application/octet-stream");
    /// A JPEG picture.
    pub const JPEG: Self = Self("image/jpeg");
    /// Evidence, which is in CBOR.
    pub const CBOR: Self = Self("application/cbor");
    /// A drawing, which is inert inside a page and nowhere else: it is never shown by itself.
    pub const SVG: Self = Self("image/svg+xml");

    /// By the ending of a file's name; bytes, if nothing better is known. Pages and scripts are
    /// plain text.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        Self(match ending.to_ascii_lowercase().as_str() {
            "png" => "image/png",
            "jpg" | "jpeg" => "image/jpeg",
            "gif" => "image/gif",
            "webp" => "image/webp",
            "avif" => "image/avif",
            "pdf" => "application/pdf",
            "json" => "application/json",
            "csv" => "text/csv; charset=utf-8",
            "txt" | "log" | "md" | "toml" | "yaml" | "yml" | "ini" | "conf" | "sql" | "rs"
            | "py" | "sh" | "html" | "htm" | "svg" | "xml" | "js" | "css" => {
                "text/plain; charset=utf-8"
            }
            _ => "application/octet-stream",
        })
    }

    /// What another party says, if it is on our list; bytes otherwise. Its parameters do not count:
    /// text is always UTF-8.
    #[must_use]
    pub fn declared(value: Option<&HeaderValue>) -> Self {
        let essence = |text: &str| {
            let essence = text.split(';').next().unwrap_or_default().trim();
            essence.to_ascii_lowercase()
        };
        let Some(said) = value.and_then(|value| value.to_str().ok()).map(essence) else {
            return Self::BYTES;
        };
        let known = SHOWN.iter().chain(&KEPT);
        known
            .copied()
            .find(|known| essence(known) == said)
            .map_or(Self::BYTES, Self)
    }

    /// A picture of one of the types that are shown, by its first bytes.
    #[must_use]
    pub fn of_picture(bytes: &[u8]) -> Option<Self> {
        Some(Self(match bytes {
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => "image/png",
            [0xff, 0xd8, 0xff, ..] => "image/jpeg",
            [b'G', b'I', b'F', b'8', ..] => "image/gif",
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => "image/webp",
            _ => return None,
        }))
    }

    /// The type, as `Content-Type` names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// Whether a browser may show it by itself.
    #[must_use]
    pub fn is_shown(self) -> bool {
        SHOWN.contains(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_scripts_are_plain_text() {
        for name in ["a.html", "a.SVG", "a.js", "x.htm"] {
            assert_eq!(
                MediaType::of_name(name).as_str(),
                "text/plain; charset=utf-8"
            );
        }
        assert_eq!(MediaType::of_name("a.JPG"), MediaType::JPEG);
        for name in ["a", "", ".", "a.exe", "png", "a.xhtml", "a.mht", "a.svgz"] {
            assert_eq!(MediaType::of_name(name), MediaType::BYTES);
        }
    }

    #[test]
    fn every_type_by_name_is_on_the_list() {
        for ending in [
            "png", "jpg", "gif", "webp", "avif", "pdf", "json", "csv", "txt", "html", "",
        ] {
            let of_name = MediaType::of_name(&format!("a.{ending}"));
            let value = HeaderValue::from_static(of_name.as_str());
            assert_eq!(MediaType::declared(Some(&value)), of_name);
        }
    }

    #[test]
    fn a_type_that_others_state_counts_only_if_it_is_on_the_list() {
        let declared = |text| MediaType::declared(Some(&HeaderValue::from_static(text))).as_str();
        assert_eq!(
            declared("text/plain; charset=utf-7"),
            "text/plain; charset=utf-8"
        );
        assert_eq!(
            declared("Text/Plain;charset=iso-2022-jp"),
            "text/plain; charset=utf-8"
        );
        assert_eq!(declared("image/png"), "image/png");
        for hostile in [
            "text/html",
            "text/html; charset=utf-8",
            " text/html",
            "text/plain, text/html",
            "application/xhtml+xml",
            "image/svg+xml",
            "text/xml",
            "application/xml",
            "text/xsl",
            "text/javascript",
            "application/javascript",
            "application/wasm",
            "text/css",
            "multipart/x-mixed-replace; boundary=a",
            "multipart/related",
            "message/rfc822",
            "application/x-shockwave-flash",
            "application/manifest+json",
            "text/cache-manifest",
            "text/event-stream",
            "application/signed-exchange;v=b3",
            "application/webbundle",
            "*/*",
            "",
        ] {
            assert_eq!(declared(hostile), "application/octet-stream", "{hostile}");
        }
        assert_eq!(MediaType::declared(None), MediaType::BYTES);
    }
}
