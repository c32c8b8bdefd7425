//! Heads of answers, made anew: nothing is copied that was not parsed.

use std::ops::RangeInclusive;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use super::content::disposition;
use super::{Asked, MediaType};
use crate::dav::date::{http_date, parse_http_date};
use crate::dav::digest;
use crate::dav::methods::{CLASSES, CLASSES_WITH_LOCKS, METHODS, METHODS_WITH_LOCKS};
use crate::dav::unmet::Unmet;

/// The longest entity tag that is passed on, in bytes.
const LONGEST_TAG_BYTES: usize = 256;
/// The longest digest that is read, in bytes: base64 of a SHA-256 and what stands around it.
const LONGEST_DIGEST_BYTES: usize = 512;

const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_COMPLETE: HeaderName = HeaderName::from_static("upload-complete");
const DAV: HeaderName = HeaderName::from_static("dav");
const OC_MTIME: HeaderName = HeaderName::from_static("x-oc-mtime");

/// Whether `status`, which is no refusal, can answer what was asked. There are no interim answers
/// and no redirections among files.
pub(super) fn may_answer(status: StatusCode, asked: &Asked) -> bool {
    match (asked.method.as_str(), status) {
        ("GET" | "HEAD", StatusCode::OK) => true,
        ("GET" | "HEAD", StatusCode::PARTIAL_CONTENT) => asked.ranged,
        ("GET" | "HEAD", StatusCode::NOT_MODIFIED) => asked.conditional,
        ("HEAD", StatusCode::NO_CONTENT) => asked.of_upload,
        ("GET" | "HEAD" | "PROPFIND", _) => false,
        (_, StatusCode::OK | StatusCode::CREATED | StatusCode::NO_CONTENT) => true,
        _ => false,
    }
}

/// The headers of an answer, or `None` if it can't be used. `length` is that of its content, where
/// it is known.
pub(super) fn remade(
    status: StatusCode,
    foreign: &HeaderMap,
    length: Option<u64>,
    asked: &Asked,
) -> Option<HeaderMap> {
    let mut made = HeaderMap::new();
    let mut put = |name: HeaderName, value: Option<HeaderValue>| {
        if let Some(value) = value {
            made.insert(name, value);
        }
    };
    if asked.method == Method::OPTIONS {
        let (classes, methods) = match text(foreign, &DAV) {
            Some(CLASSES_WITH_LOCKS) => (CLASSES_WITH_LOCKS, METHODS_WITH_LOCKS),
            _ => (CLASSES, METHODS),
        };
        put(DAV, Some(HeaderValue::from_static(classes)));
        put(header::ALLOW, Some(HeaderValue::from_static(methods)));
        put(
            header::ACCEPT_RANGES,
            Some(HeaderValue::from_static("bytes")),
        );
        return Some(made);
    }
    put(header::ETAG, etag(foreign));
    put(header::LAST_MODIFIED, date(foreign));
    put(REPR_DIGEST, digest(foreign));
    put(
        UPLOAD_OFFSET,
        number(foreign, &UPLOAD_OFFSET).map(HeaderValue::from),
    );
    put(
        UPLOAD_COMPLETE,
        one_of(foreign, &UPLOAD_COMPLETE, &["?0", "?1"]),
    );
    if !asked.reads() {
        put(OC_MTIME, one_of(foreign, &OC_MTIME, &["accepted"]));
    }
    if asked.of_upload {
        put(
            header::CACHE_CONTROL,
            Some(HeaderValue::from_static("no-store")),
        );
    }
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Some(made);
    }
    let said = number(foreign, &header::CONTENT_LENGTH);
    match (said, length) {
        // An answer to HEAD has no content, but says its length.
        (Some(said), _) if asked.method == Method::HEAD => {
            put(header::CONTENT_LENGTH, Some(said.into()));
        }
        (Some(said), Some(length)) if said != length => return None,
        (Some(said), _) => put(header::CONTENT_LENGTH, Some(said.into())),
        (None, _) => {}
    }
    if status == StatusCode::PARTIAL_CONTENT {
        let (range, all) = part(foreign)?;
        let length = range.end() - range.start() + 1;
        if said.is_some_and(|said| said != length) {
            return None;
        }
        let value = format!("bytes {}-{}/{all}", range.start(), range.end());
        put(header::CONTENT_RANGE, HeaderValue::try_from(value).ok());
    }
    if asked.reads() {
        let ranges = one_of(foreign, &header::ACCEPT_RANGES, &["bytes"]);
        put(header::ACCEPT_RANGES, ranges);
    }
    if asked.reads() || said.or(length) != Some(0) {
        let media_type = MediaType::declared(once(foreign, &header::CONTENT_TYPE));
        let value = HeaderValue::from_static(media_type.as_str());
        put(header::CONTENT_TYPE, Some(value));
        let disposition = disposition(media_type, &asked.name);
        put(header::CONTENT_DISPOSITION, Some(disposition));
    }
    Some(made)
}

/// The headers of a refusal besides its problem: the length of the file, the offset of the upload,
/// or the lock.
pub(super) fn of_refusal(status: StatusCode, foreign: &HeaderMap, made: &mut HeaderMap) {
    if status == StatusCode::RANGE_NOT_SATISFIABLE
        && let Some(all) = text(foreign, &header::CONTENT_RANGE)
            .and_then(|value| value.strip_prefix("bytes */"))
            .and_then(digits)
        && let Ok(value) = HeaderValue::try_from(format!("bytes */{all}"))
    {
        made.insert(header::CONTENT_RANGE, value);
    }
    if let Some(value) = Unmet::of(foreign).and_then(|unmet| unmet.value()) {
        made.insert(Unmet::HEADER, value);
    }
    if status == StatusCode::CONFLICT
        && let Some(offset) = number(foreign, &UPLOAD_OFFSET)
    {
        made.insert(UPLOAD_OFFSET, offset.into());
    }
}

/// A header that is given exactly once.
fn once<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    once(headers, name)?.to_str().ok().map(str::trim)
}

fn digits(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    text(headers, name).and_then(digits)
}

fn one_of(headers: &HeaderMap, name: &HeaderName, known: &[&'static str]) -> Option<HeaderValue> {
    let said = text(headers, name)?;
    let known = known.iter().copied().find(|known| *known == said)?;
    Some(HeaderValue::from_static(known))
}

/// A strong entity tag (RFC 9110, 8.8.3).
fn etag(headers: &HeaderMap) -> Option<HeaderValue> {
    let tag = text(headers, &header::ETAG)?;
    let inner = tag.strip_prefix('"')?.strip_suffix('"')?;
    let fits = inner.len() <= LONGEST_TAG_BYTES;
    let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
    (fits && inner.bytes().all(allowed))
        .then(|| HeaderValue::try_from(format!("\"{inner}\"")).ok())
        .flatten()
}

fn date(headers: &HeaderMap) -> Option<HeaderValue> {
    let seconds = parse_http_date(text(headers, &header::LAST_MODIFIED)?)?;
    let date = http_date(seconds.checked_mul(1000)?)?;
    HeaderValue::try_from(date).ok()
}

/// The SHA-256 among the digests (RFC 9530, 3).
fn digest(headers: &HeaderMap) -> Option<HeaderValue> {
    let said = text(headers, &REPR_DIGEST).filter(|said| said.len() <= LONGEST_DIGEST_BYTES)?;
    let sha256 = digest::read(said).ok()??;
    digest::value(&sha256)
}

/// `bytes A-B/N` (RFC 9110, 14.4).
fn part(headers: &HeaderMap) -> Option<(RangeInclusive<u64>, u64)> {
    let said = text(headers, &header::CONTENT_RANGE)?.strip_prefix("bytes ")?;
    let (range, all) = said.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, all) = (digits(first)?, digits(last)?, digits(all)?);
    (first <= last && last < all).then_some((first..=last, all))
}
