//! Bytes that others made and that are kept here: what a device sent, a picture in metadata.

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response};
use http_body_util::BodyExt;

use super::data::DataOnly;
use super::{Asked, MediaType, protected};
use crate::body::{AnyBody, Body};

/// The policy of a drawing: some browsers apply it inside a page, too, where it may use styles.
const DRAWING_POLICY: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The headers of an answer with others' bytes that are kept here.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// Their type.
    pub media_type: MediaType,
    /// The name under which a browser keeps them.
    pub name: &'a str,
    /// How many bytes there are.
    pub length: u64,
    /// The value of `Cache-Control`.
    pub cache: &'static str,
}

impl Content<'_> {
    /// The answer to a request for them. `_asked` proves that they may be sent.
    pub fn answer(self, _asked: &Asked, body: impl AnyBody) -> Response<Body> {
        let body = DataOnly::new(body).map_err(std::io::Error::other);
        let mut headers = HeaderMap::new();
        let mut put = |name: HeaderName, value| headers.insert(name, value);
        put(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.media_type.as_str()),
        );
        put(
            header::CONTENT_DISPOSITION,
            disposition(self.media_type, self.name),
        );
        put(header::CACHE_CONTROL, HeaderValue::from_static(self.cache));
        put(header::CONTENT_LENGTH, self.length.into());
        let mut response = Response::new(body.boxed_unsync());
        *response.headers_mut() = headers;
        let mut response = protected(response);
        if self.media_type == MediaType::SVG {
            let policy = HeaderValue::from_static(DRAWING_POLICY);
            (response.headers_mut()).insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

/// `Content-Disposition` (RFC 6266) for a file that a browser saves under a name that somebody else
/// chose.
#[must_use]
pub fn kept_as(name: &str) -> HeaderValue {
    disposition(MediaType::BYTES, name)
}

/// `Content-Disposition` (RFC 6266): pictures and text are shown, everything else is saved.
pub(super) fn disposition(media_type: MediaType, name: &str) -> HeaderValue {
    let kind = if media_type.is_shown() {
        "inline"
    } else {
        "attachment"
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    let safe: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    let value = if name.is_empty() {
        kind.to_owned()
    } else if safe == name {
        format!("{kind}; filename=\"{safe}\"")
    } else {
        let encoded = crate::dav::path::encode(name);
        format!("{kind}; filename=\"{safe}\"; filename*=UTF-8''{encoded}")
    };
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_say_nothing_but_a_name() {
        let of = |name| {
            disposition(MediaType::BYTES, name)
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(of("a.bin"), "attachment; filename=\"a.bin\"");
        assert_eq!(
            of("a\"; x=\r\nü"),
            "attachment; filename=\"a___x____\"; filename*=UTF-8''a%22%3B%20x%3D%0D%0A%C3%BC"
        );
        assert_eq!(of(""), "attachment");
        let shown = disposition(MediaType::JPEG, "a.jpg");
        assert_eq!(shown, "inline; filename=\"a.jpg\"");
        assert_eq!(disposition(MediaType::SVG, ""), "attachment");
    }
}
