//! Requests for others' bytes: which are accepted, and what of a request counts for its answer.

use http::header::{self, HeaderMap, HeaderName};
use http::{Method, Request};

use crate::dav::IF;
use crate::dav::path::FilePath;
use crate::problem::{Code, Problem};

const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SERVICE_WORKER: HeaderName = HeaderName::from_static("service-worker");

/// What a browser may want bytes for (Fetch, 3.2.6): to hand them to a script of ours, to show them
/// by themselves, or as a picture, a sound or a film. As anything else they would become part of a
/// page.
const WANTED_AS: [&str; 5] = ["empty", "document", "image", "audio", "video"];

/// The headers of a request for files that go on to another party.
const PASSED_ON: [HeaderName; 17] = [
    header::ACCEPT,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::IF_RANGE,
    header::RANGE,
    HeaderName::from_static("depth"),
    HeaderName::from_static("destination"),
    HeaderName::from_static("lock-token"),
    HeaderName::from_static("overwrite"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("timeout"),
    HeaderName::from_static("want-repr-digest"),
    HeaderName::from_static("upload-complete"),
    HeaderName::from_static("upload-length"),
    HeaderName::from_static("upload-offset"),
    HeaderName::from_static("x-oc-mtime"),
];

/// The conditions of RFC 9110, 13.1, and RFC 4918, 10.4. They go on as well: one that got lost on
/// the way would count as fulfilled.
const CONDITIONS: [HeaderName; 5] = [
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    IF,
];

/// A request for others' bytes that may be answered with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub(super) method: Method,
    /// The last segment of the path, decoded.
    pub(super) name: String,
    /// Whether a part of the content is asked for.
    pub(super) ranged: bool,
    /// Whether the client has a copy already.
    pub(super) conditional: bool,
    /// Whether it is about an upload, and not about a file.
    pub(super) of_upload: bool,
}

impl Asked {
    /// Reads what matters of a request.
    ///
    /// # Errors
    /// As [`may_be_sent`].
    pub fn of<B>(request: &Request<B>) -> Result<Self, Problem> {
        Self::new(request.method(), request.uri(), request.headers())
    }

    /// Reads what matters of a request from the parts of its head.
    ///
    /// # Errors
    /// As [`may_be_sent`].
    pub fn new(method: &Method, uri: &http::Uri, headers: &HeaderMap) -> Result<Self, Problem> {
        may_be_sent(headers)?;
        let path = FilePath::from_uri(uri.path());
        let query = uri.query().unwrap_or_default();
        Ok(Self {
            method: method.clone(),
            name: path.map_or_else(|_| String::new(), |path| path.name().to_owned()),
            ranged: headers.contains_key(header::RANGE),
            conditional: headers.contains_key(header::IF_NONE_MATCH)
                || headers.contains_key(header::IF_MODIFIED_SINCE),
            of_upload: query.split('&').any(|pair| pair.starts_with("upload=")),
        })
    }

    pub(super) fn reads(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }
}

/// Whether others' bytes may answer a request at all. Programs always may ask; a browser says what
/// it wants them for (Fetch Metadata), and for whom.
///
/// # Errors
/// 403 `not-a-page`: they would become a script, a style, a frame or a service worker.
/// 403 `cross-site`: a page of another site wants them for itself.
pub fn may_be_sent(headers: &HeaderMap) -> Result<(), Problem> {
    let said = |name| headers.get_all(name).iter().map(|value| value.as_bytes());
    let as_code = headers.contains_key(SERVICE_WORKER)
        || said(SEC_FETCH_DEST).any(|dest| !WANTED_AS.iter().any(|known| known.as_bytes() == dest));
    if as_code {
        return Err(Problem::new(
            Code::NotAPage,
            "a file cannot be used as a script, style or frame of a page: download it",
        ));
    }
    let navigates = said(SEC_FETCH_DEST).next() == Some(b"document".as_slice());
    let elsewhere = |site: &[u8]| site != b"same-origin" && site != b"none";
    if said(SEC_FETCH_SITE).any(elsewhere) && !navigates {
        return Err(Problem::new(
            Code::CrossSite,
            "pages of other sites cannot load files: open them at the gateway",
        ));
    }
    Ok(())
}

/// Whether a header says what has to be so for a request to be carried out (RFC 9110, 13.1, and
/// RFC 4918, 10.4). Code that makes a new request of one has to copy these headers.
#[must_use]
pub fn is_condition(name: &HeaderName) -> bool {
    CONDITIONS.contains(name)
}

/// The headers of a request for files with which it goes on to another party: no cookie, and
/// nothing that tells who asks.
pub(crate) fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let goes_on = |name: &HeaderName| PASSED_ON.contains(name) || is_condition(name);
    let named = headers.iter().filter(|(name, _)| goes_on(name));
    named
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn code(headers: &[(&'static str, &'static str)]) -> Option<String> {
        let headers = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        let headers: HeaderMap = headers.collect();
        may_be_sent(&headers).err().map(|problem| problem.code)
    }

    #[test]
    fn bytes_of_others_become_no_part_of_a_page() {
        for dest in [
            "script",
            "style",
            "serviceworker",
            "worker",
            "sharedworker",
            "audioworklet",
            "paintworklet",
            "manifest",
            "xslt",
            "iframe",
            "frame",
            "fencedframe",
            "embed",
            "object",
            "font",
            "track",
            "report",
            "json",
            "webidentity",
            "speculationrules",
            "Script",
            "",
        ] {
            let asked = code(&[("sec-fetch-dest", dest), ("sec-fetch-site", "same-origin")]);
            assert_eq!(asked.as_deref(), Some("not-a-page"), "{dest}");
        }
        let worker = [("service-worker", "script"), ("sec-fetch-dest", "empty")];
        assert_eq!(code(&worker).as_deref(), Some("not-a-page"));
        let twice = [("sec-fetch-dest", "empty"), ("sec-fetch-dest", "script")];
        assert_eq!(code(&twice).as_deref(), Some("not-a-page"));
    }

    #[test]
    fn programs_and_our_own_pages_get_them() {
        assert_eq!(code(&[]), None);
        for dest in WANTED_AS {
            assert_eq!(
                code(&[("sec-fetch-dest", dest), ("sec-fetch-site", "same-origin")]),
                None
            );
        }
        let by_link = [
            ("sec-fetch-dest", "document"),
            ("sec-fetch-site", "cross-site"),
        ];
        assert_eq!(code(&by_link), None);
        for site in ["cross-site", "same-site", "x"] {
            let asked = code(&[("sec-fetch-dest", "image"), ("sec-fetch-site", site)]);
            assert_eq!(asked.as_deref(), Some("cross-site"), "{site}");
        }
    }

    #[test]
    fn only_headers_that_files_need_are_passed_on() {
        let given = HeaderMap::from_iter([
            (header::COOKIE, HeaderValue::from_static("session=1")),
            (header::AUTHORIZATION, HeaderValue::from_static("Bearer x")),
            (
                header::ORIGIN,
                HeaderValue::from_static("https://a.example"),
            ),
            (header::RANGE, HeaderValue::from_static("bytes=0-1")),
            (header::IF_UNMODIFIED_SINCE, HeaderValue::from_static("x")),
            (IF, HeaderValue::from_static("([\"y\"])")),
        ]);
        let kept = passed_on(&given);
        assert_eq!(kept.len(), 3);
        assert_eq!(kept[header::RANGE], "bytes=0-1");
        assert_eq!(kept[IF], "([\"y\"])");
    }
}
