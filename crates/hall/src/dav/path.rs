//! Paths of files, checked before anything is done with them.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest path, in bytes: what S3 takes as a key.
pub const LONGEST_PATH_BYTES: usize = 1024;
/// The longest segment, in bytes: what file systems take as a name.
pub const LONGEST_SEGMENT_BYTES: usize = 255;
/// The segment that stores keep for themselves, at any depth.
pub const RESERVED: &str = ".hallway";

/// A path that no file of a store can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Longer than [`LONGEST_PATH_BYTES`].
    #[error("a path has at most {LONGEST_PATH_BYTES} bytes")]
    TooLong,
    /// A segment is longer than [`LONGEST_SEGMENT_BYTES`].
    #[error("a file name has at most {LONGEST_SEGMENT_BYTES} bytes")]
    NameTooLong,
    /// A segment is empty, `.` or `..`.
    #[error("a path must not have a segment that is empty, '.' or '..'")]
    Segment,
    /// A control character, or one that changes the direction of text and so makes one name look
    /// like another.
    #[error("a file name must not have control characters")]
    Control,
    /// [`RESERVED`], or another way to write it.
    #[error("{RESERVED} is a name that stores reserve for themselves, in capitals too")]
    Reserved,
    /// Not UTF-8 after percent-decoding.
    #[error("a path must be UTF-8, percent-encoded where necessary")]
    Encoding,
}

/// A path in a store: segments between slashes, none of which can leave it. Kept byte by byte as
/// it was given: two Unicode forms of one name are two names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(String);

impl FilePath {
    /// The store itself.
    #[must_use]
    pub fn root() -> Self {
        Self(String::new())
    }

    /// From a percent-encoded path of a URI, with or without slashes at its ends.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn from_uri(path: &str) -> Result<Self, PathError> {
        if path.len() > 3 * LONGEST_PATH_BYTES + 2 {
            return Err(PathError::TooLong);
        }
        // Split before decoding, so that %2F can't pass for a slash.
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        if path.is_empty() {
            return Ok(Self::root());
        }
        let mut decoded = String::with_capacity(path.len());
        for segment in path.split('/') {
            let segment = decode(segment)?;
            if segment.contains('/') {
                return Err(PathError::Segment);
            }
            if !decoded.is_empty() {
                decoded.push('/');
            }
            check(&segment)?;
            decoded.push_str(&segment);
        }
        if decoded.len() > LONGEST_PATH_BYTES {
            return Err(PathError::TooLong);
        }
        Ok(Self(decoded))
    }

    /// Percent-encoded, without slashes at its ends.
    #[must_use]
    pub fn to_uri(&self) -> String {
        encode(&self.0)
    }

    /// The path, without slashes at its ends; empty for the store itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the store itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The last segment; empty for the store itself.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The folder that it is in; the store itself for a path of one segment and for itself.
    #[must_use]
    pub fn parent(&self) -> Self {
        Self(
            self.0
                .rsplit_once('/')
                .map_or_else(String::new, |(parent, _)| parent.to_owned()),
        )
    }

    /// `name` in this folder.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn join(&self, name: &str) -> Result<Self, PathError> {
        if name.contains('/') {
            return Err(PathError::Segment);
        }
        if self.is_root() {
            name.parse()
        } else {
            format!("{self}/{name}").parse()
        }
    }

    /// Whether this is `other` or in it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        other.is_root()
            || self
                .0
                .strip_prefix(&other.0)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn check(segment: &str) -> Result<(), PathError> {
    match segment {
        "" | "." | ".." => return Err(PathError::Segment),
        segment if is_reserved(segment) => return Err(PathError::Reserved),
        _ => {}
    }
    if segment.len() > LONGEST_SEGMENT_BYTES {
        return Err(PathError::NameTooLong);
    }
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if segment.chars().any(|c| c.is_control() || turns(c)) {
        return Err(PathError::Control);
    }
    Ok(())
}

/// Whether a file system may take `segment` for [`RESERVED`]: some ignore case (vfat, exFAT, SMB),
/// invisible characters (ext4 with casefold, HFS+), dots and spaces at the end and what follows a
/// colon (NTFS), or give a file a short name besides its own (vfat).
fn is_reserved(segment: &str) -> bool {
    let unseen = |c: char| {
        matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
    };
    let name = segment.split(':').next().unwrap_or_default();
    let seen = name.chars().filter(|c| !unseen(*c));
    let plain: String = seen.map(|c| c.to_ascii_lowercase()).collect();
    plain.trim_end_matches(['.', ' ']) == RESERVED || plain.starts_with("hallwa~")
}

/// Not by the crate percent-encoding, which lets a wrong encoding pass as it is.
fn decode(segment: &str) -> Result<String, PathError> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || {
            let digit = char::from(rest.next()?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        match (digit(), digit()) {
            (Some(high), Some(low)) => bytes.push(high << 4 | low),
            _ => return Err(PathError::Encoding),
        }
    }
    String::from_utf8(bytes).map_err(|_| PathError::Encoding)
}

/// Percent-encodes what is not unreserved (RFC 3986, 2.3), and keeps slashes.
pub(crate) fn encode(path: &str) -> String {
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~')
        .remove(b'/');
    utf8_percent_encode(path, ENCODED).to_string()
}

/// The path of a URI in its normal form (RFC 3986, 6.2.2): unreserved characters are not encoded,
/// and the encoding of others is in capitals. A path with an invalid encoding stays as it is.
pub(crate) fn normalized(path: &str) -> String {
    let mut parts = path.split('%');
    let mut normal = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.get(..2).and_then(|digits| {
            let mut byte = [0];
            hex::decode_to_slice(digits, &mut byte).ok()?;
            Some(char::from(byte[0]))
        });
        let rest = part.get(2..).unwrap_or_default();
        match digits {
            Some(c) if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~') => {
                normal.push(c);
                normal.push_str(rest);
            }
            Some(_) => {
                normal.push('%');
                normal.push_str(&part[..2].to_ascii_uppercase());
                normal.push_str(rest);
            }
            None => return path.to_owned(),
        }
    }
    normal
}

impl FromStr for FilePath {
    type Err = PathError;

    /// From a path that is not encoded. Absolute paths are refused.
    fn from_str(path: &str) -> Result<Self, PathError> {
        if path.is_empty() {
            return Ok(Self::root());
        }
        if path.len() > LONGEST_PATH_BYTES {
            return Err(PathError::TooLong);
        }
        path.split('/').try_for_each(check)?;
        Ok(Self(path.to_owned()))
    }
}

impl Serialize for FilePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for FilePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let path = String::deserialize(deserializer)?;
        path.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_as_they_were_given() {
        // e with an accent: one character (NFC), or two (NFD).
        for path in [
            "a",
            "a/b.txt",
            "caf\u{e9}",
            "cafe\u{301}",
            " a ",
            "a\\b",
            "100%",
            "a?b#c",
            "...",
        ] {
            let parsed: FilePath = path.parse().unwrap();
            assert_eq!(parsed.as_str(), path);
            assert_eq!(FilePath::from_uri(&parsed.to_uri()), Ok(parsed));
        }
        assert_ne!(
            FilePath::from_uri("caf%C3%A9"),
            FilePath::from_uri("cafe%CC%81")
        );
    }

    #[test]
    fn nothing_leads_out_of_a_store() {
        for (uri, error) in [
            ("../a", PathError::Segment),
            ("a/../../b", PathError::Segment),
            ("%2e%2e/a", PathError::Segment),
            ("a/%2E%2E", PathError::Segment),
            ("..%2fa", PathError::Segment),
            ("a%2fb", PathError::Segment),
            ("//etc/passwd", PathError::Segment),
            ("%2fetc/passwd", PathError::Segment),
            ("a//b", PathError::Segment),
            ("./a", PathError::Segment),
            ("a%00b", PathError::Control),
            ("a%0Ab", PathError::Control),
            ("a%7F", PathError::Control),
            ("a%C2%85", PathError::Control),
            ("a%E2%80%AEgpj.exe", PathError::Control),
            ("%ff", PathError::Encoding),
            ("%", PathError::Encoding),
            ("%4", PathError::Encoding),
            ("%+1", PathError::Encoding),
            ("%C0%AE%C0%AE", PathError::Encoding),
            (".hallway", PathError::Reserved),
            ("a/.hallway/b", PathError::Reserved),
            ("%2Ehallway/uploads", PathError::Reserved),
            // What some file system takes for the same.
            (".HALLWAY", PathError::Reserved),
            (".Hallway/uploads", PathError::Reserved),
            (".hall%E2%80%8Bway", PathError::Reserved),
            (".hallway%EF%BB%BF", PathError::Reserved),
            (".hallway.", PathError::Reserved),
            (".hallway%20.", PathError::Reserved),
            (".hallway:x", PathError::Reserved),
            ("HALLWA~1", PathError::Reserved),
        ] {
            assert_eq!(FilePath::from_uri(uri), Err(error), "{uri}");
        }
        assert_eq!("/etc/passwd".parse::<FilePath>(), Err(PathError::Segment));
    }

    #[test]
    fn a_path_is_written_in_one_way() {
        for (path, normal) in [
            ("/files/d%61ta/%7ex%2fy", "/files/data/~x%2Fy"),
            ("/a%2561", "/a%2561"),
            ("/%c3%A9", "/%C3%A9"),
            ("/%", "/%"),
            ("/%4", "/%4"),
            ("/%zz%41", "/%zz%41"),
            ("/%%34%31", "/%%34%31"),
            ("", ""),
        ] {
            assert_eq!(normalized(path), normal);
        }
        for kept in [
            ".hallway2",
            "hallway",
            ".hallways/a",
            "x.hallway",
            "halfway~1",
        ] {
            assert!(kept.parse::<FilePath>().is_ok(), "{kept}");
        }
    }

    #[test]
    fn lengths_are_bounded() {
        let name = "n".repeat(LONGEST_SEGMENT_BYTES);
        assert!(FilePath::from_uri(&name).is_ok());
        let error = FilePath::from_uri(&format!("{name}n"));
        assert_eq!(error, Err(PathError::NameTooLong));
        let error = FilePath::from_uri(&"n".repeat(4096));
        assert_eq!(error, Err(PathError::TooLong));
        let deep = ["n"; LONGEST_PATH_BYTES].join("/");
        assert_eq!(FilePath::from_uri(&deep), Err(PathError::TooLong));
        assert_eq!(deep.parse::<FilePath>(), Err(PathError::TooLong));
    }

    #[test]
    fn a_path_knows_its_folder_and_its_name() {
        let path: FilePath = "a/b/c".parse().unwrap();
        assert_eq!((path.name(), path.parent().as_str()), ("c", "a/b"));
        assert_eq!(path.parent().join("c"), Ok(path.clone()));
        assert!(path.join("x/y").is_err() && path.join("..").is_err());
        assert!(path.is_within(&"a".parse().unwrap()) && path.is_within(&FilePath::root()));
        assert!(
            !"ab/c"
                .parse::<FilePath>()
                .unwrap()
                .is_within(&"a".parse().unwrap())
        );
        assert!(FilePath::from_uri("/").unwrap().is_root());
    }
}
