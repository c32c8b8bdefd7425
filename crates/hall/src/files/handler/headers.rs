//! Reading and writing the headers of files.

use std::ops::Range;

use http::HeaderMap;
use http::header::{AsHeaderName, CONTENT_LENGTH, HeaderValue, IF_RANGE, RANGE};

use super::malformed;
use crate::dav::date::{EARLIEST_MS, LATEST_MS};
use crate::dav::digest;
use crate::files::condition::{Condition, Tag};
use crate::files::store::{Depth, Entry, Plan, Sha256};
use crate::problem::Problem;

/// A header's text; `None` without the header, 400 if it is given twice.
pub(in crate::files) fn text(
    headers: &HeaderMap,
    name: impl AsHeaderName,
) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value
            .to_str()
            .map(|value| Some(value.trim()))
            .map_err(|_| malformed("a header is not ASCII")),
        _ => Err(malformed("a header is given twice")),
    }
}

/// Which part of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Bytes(Range<u64>),
    Unsatisfiable,
}

/// The range of bytes (RFC 9110, 14.2). Several ranges, a range that is not understood, and any
/// range of an empty file get the whole file, as the specification allows.
pub(super) fn part(headers: &HeaderMap, entry: &Entry) -> Result<Part, Problem> {
    let Some(spec) = text(headers, RANGE)?.and_then(|range| range.strip_prefix("bytes=")) else {
        return Ok(Part::Whole);
    };
    // By the strong comparison. A date is never strong enough: a file may have changed twice within
    // its second (RFC 9110, 13.1.5 and 8.8.2.2).
    if let Some(wanted) = text(headers, IF_RANGE)? {
        let etag = entry.etag.as_deref();
        let tag = Tag::alone(wanted);
        if !tag.is_some_and(|tag| etag.is_some_and(|etag| tag.is_strongly(etag))) {
            return Ok(Part::Whole);
        }
    }
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let length = entry.bytes;
    // A request for the beginning of an empty file gets all of it, and no refusal.
    if length == 0 {
        return Ok(Part::Whole);
    }
    let Some((first, last)) = spec.split_once('-') else {
        return Ok(Part::Whole);
    };
    let range = match (number(first), number(last)) {
        (Some(first), None) if last.is_empty() => first..length,
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(length),
        (None, Some(suffix)) if first.is_empty() => length.saturating_sub(suffix)..length,
        _ => return Ok(Part::Whole),
    };
    if range.is_empty() {
        return Ok(Part::Unsatisfiable);
    }
    Ok(Part::Bytes(range))
}

/// What the headers of a write say that the file will be.
pub(super) fn plan(headers: &HeaderMap, condition: Condition) -> Result<Plan, Problem> {
    Ok(Plan {
        condition,
        modified_ms: modified(headers)?,
        length: number(headers, CONTENT_LENGTH.as_str())?,
        sha256: repr_digest(headers)?,
    })
}

pub(super) fn number(headers: &HeaderMap, name: &str) -> Result<Option<u64>, Problem> {
    text(headers, name)?
        .map(|value| {
            value
                .parse()
                .map_err(|_| malformed(format!("{name} must be a number of bytes")))
        })
        .transpose()
}

/// `Depth` where a request without the header means everything in a folder (RFC 4918, 10.2).
pub(in crate::files) fn depth(headers: &HeaderMap) -> Result<Depth, Problem> {
    match text(headers, "depth")? {
        None => Ok(Depth::Everything),
        Some(depth) if depth.eq_ignore_ascii_case("infinity") => Ok(Depth::Everything),
        Some("0") => Ok(Depth::Itself),
        _ => Err(malformed("Depth must be 0 or infinity here")),
    }
}

/// `X-OC-Mtime: SECONDS[.FRACTION]`, as clients of ownCloud send it, with a minus sign before 1970.
pub(super) fn modified(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = text(headers, "x-oc-mtime")? else {
        return Ok(None);
    };
    let wrong = || malformed("X-OC-Mtime must be in seconds since 1970, in the years 1 to 9999");
    let (sign, distance) = match value.strip_prefix('-') {
        Some(distance) => (-1, distance),
        None => (1, value),
    };
    let (seconds, fraction) = distance.split_once('.').unwrap_or((distance, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(seconds) || !is_number(fraction) {
        return Err(wrong());
    }
    let milliseconds: i64 = format!("{fraction:0<3}")
        .get(..3)
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(wrong)?;
    let seconds: i64 = seconds.parse().map_err(|_| wrong())?;
    seconds
        .checked_mul(1000)
        .and_then(|distance| distance.checked_add(milliseconds))
        .map(|distance| sign * distance)
        .filter(|time| (EARLIEST_MS..=LATEST_MS).contains(time))
        .map(Some)
        .ok_or_else(wrong)
}

/// `Repr-Digest: sha-256=:BASE64:` (RFC 9530, 3). Other algorithms are ignored.
fn repr_digest(headers: &HeaderMap) -> Result<Option<Sha256>, Problem> {
    match text(headers, "repr-digest")? {
        Some(value) => digest::read(value).map_err(malformed),
        None => Ok(None),
    }
}

/// Whether the SHA-256 is wanted (RFC 9530, 4): `Want-Repr-Digest: sha-256=1`.
pub(super) fn wants_digest(headers: &HeaderMap) -> Result<bool, Problem> {
    Ok(text(headers, "want-repr-digest")?.is_some_and(|value| {
        value.split(',').any(|item| {
            let (name, weight) = item.trim().split_once('=').unwrap_or((item.trim(), "1"));
            name == "sha-256" && weight != "0"
        })
    }))
}

/// The value of `ETag`.
pub(super) fn etag_value(entry: &Entry) -> Option<HeaderValue> {
    let etag = entry.etag.as_ref()?;
    HeaderValue::try_from(format!("\"{etag}\"")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Kind;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()))
            .collect::<Vec<(http::HeaderName, HeaderValue)>>()
            .into_iter()
            .collect()
    }

    fn entry() -> Entry {
        Entry {
            name: "a".to_owned(),
            kind: Kind::File,
            bytes: 10,
            modified_ms: None,
            etag: Some("tag".to_owned()),
        }
    }

    #[test]
    fn ranges_are_cut_to_the_file() {
        let empty = Entry {
            bytes: 0,
            ..entry()
        };
        for range in ["bytes=0-", "bytes=0-99", "bytes=-5", "bytes=9-"] {
            let part = part(&headers(&[("range", range)]), &empty).unwrap();
            assert_eq!(part, Part::Whole, "{range}");
        }
        let part = |range: &str| part(&headers(&[("range", range)]), &entry()).unwrap();
        assert_eq!(part("bytes=0-3"), Part::Bytes(0..4));
        assert_eq!(part("bytes=4-"), Part::Bytes(4..10));
        assert_eq!(part("bytes=-3"), Part::Bytes(7..10));
        assert_eq!(part("bytes=-30"), Part::Bytes(0..10));
        assert_eq!(part("bytes=9-18446744073709551615"), Part::Bytes(9..10));
        assert_eq!(part("bytes=9-99999999999999999999999"), Part::Bytes(9..10));
        assert_eq!(part("bytes=10-"), Part::Unsatisfiable);
        assert_eq!(part("bytes=-0"), Part::Unsatisfiable);
        for whole in [
            "bytes=",
            "bytes=-",
            "bytes=3-2",
            "bytes=0-1,3-4",
            "lines=1-2",
            "bytes=a-b",
        ] {
            assert_eq!(part(whole), Part::Whole, "{whole}");
        }
    }

    #[test]
    fn a_range_of_another_version_gets_the_whole() {
        let asked = |tag| {
            let headers = headers(&[("range", "bytes=0-3"), ("if-range", tag)]);
            part(&headers, &entry()).unwrap()
        };
        assert_eq!(asked("\"tag\""), Part::Bytes(0..4));
        let date = "Thu, 01 Jan 1970 00:00:00 GMT";
        for other in ["\"other\"", "W/\"tag\"", "\"other\", \"tag\"", "*", date] {
            assert_eq!(asked(other), Part::Whole);
        }
    }

    #[test]
    fn times_and_digests_are_read_strictly() {
        let time = |value| modified(&headers(&[("x-oc-mtime", value)]));
        assert_eq!(time("1700000000").unwrap(), Some(1_700_000_000_000));
        assert_eq!(time("1700000000.25").unwrap(), Some(1_700_000_000_250));
        assert_eq!(
            time("1700000000.123456789").unwrap(),
            Some(1_700_000_000_123)
        );
        assert_eq!(time("0").unwrap(), Some(0));
        assert_eq!(time("-1").unwrap(), Some(-1000));
        assert_eq!(time("-0.5").unwrap(), Some(-500));
        assert_eq!(time("-62135596800").unwrap(), Some(EARLIEST_MS));
        for wrong in [
            "",
            "-",
            "--1",
            "-+1",
            "-62135596800.001",
            "x",
            "1.x",
            "1e9",
            "99999999999999999999",
            "253402300800",
        ] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        let digest = |value: &str| repr_digest(&headers(&[("repr-digest", value)]));
        let value = digest::value(&[7; 32]).unwrap();
        assert_eq!(digest(value.to_str().unwrap()).unwrap(), Some([7; 32]));
        assert_eq!(digest("sha-512=:AA==:").unwrap(), None);
        for wrong in ["sha-256=AA==", "sha-256=:AA==:", "sha-256=:!:"] {
            assert!(digest(wrong).is_err(), "{wrong}");
        }
    }
}
