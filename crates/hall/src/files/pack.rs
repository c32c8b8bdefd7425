//! Many small files in one request, one after the other: a request for each would cost more than
//! its content.
//!
//! Each is a head and its content: the length of the head in four bytes, the most significant
//! first; the head, in JSON; and as many bytes as the head says.

use std::{fmt, io};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

use super::store::ByteStream;

/// The longest file that goes into a pack, in bytes.
pub const LONGEST_PACKED_BYTES: u64 = 128 * 1024;
/// The most files in one pack.
pub const MOST_PACKED_FILES: usize = 1024;
/// The longest head, in bytes: each byte of a path may be six in JSON.
const LONGEST_HEAD_BYTES: usize = 8 * 1024;

/// What is said of a packed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackedHead {
    /// Its path from the folder on that the request names: segments between slashes.
    pub path: String,
    /// Its length, in bytes.
    pub bytes: u64,
    /// The time to show as its last change, unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_ms: Option<i64>,
    /// Its SHA-256, in 64 hexadecimal digits.
    pub sha256: String,
    /// What has to be there, as in `If-Match`; nothing else is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_match: Option<String>,
    /// What must not be there, as in `If-None-Match`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_none_match: Option<String>,
}

/// The list of files that a client wants in a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackWanted {
    /// Their paths from the folder on that the request names.
    pub paths: Vec<String>,
}

/// Adds a file to a pack.
///
/// # Errors
/// The head can't be written as JSON, or is too long.
pub fn add(pack: &mut Vec<u8>, head: &PackedHead, content: &[u8]) -> Result<(), PackError> {
    let head = serde_json::to_vec(head).map_err(|_| PackError::Head)?;
    let length = u32::try_from(head.len()).map_err(|_| PackError::Head)?;
    if head.len() > LONGEST_HEAD_BYTES {
        return Err(PackError::Head);
    }
    pack.extend_from_slice(&length.to_be_bytes());
    pack.extend_from_slice(&head);
    pack.extend_from_slice(content);
    Ok(())
}

/// Why something is no pack.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A head that is too long or malformed.
    #[error("a file's head in a pack is at most {LONGEST_HEAD_BYTES} bytes of JSON")]
    Head,
    /// A file that is too long.
    #[error("a file in a pack has at most {LONGEST_PACKED_BYTES} bytes")]
    Long,
    /// It ends in the middle of a file.
    #[error("the pack ends in the middle of a file")]
    Short,
    /// The body broke off.
    #[error(transparent)]
    Body(io::Error),
}

/// A pack that arrives. At most one file, and what came with it, is held in memory.
pub struct Unpacking {
    body: ByteStream,
    held: BytesMut,
}

impl Unpacking {
    /// Reads the pack in `body`.
    #[must_use]
    pub fn new(body: ByteStream) -> Self {
        Self {
            body,
            held: BytesMut::new(),
        }
    }

    /// The next file; `None` at the end. The caller checks its SHA-256.
    ///
    /// # Errors
    /// [`PackError`]; there is no next one then.
    pub async fn next(&mut self) -> Result<Option<(PackedHead, Bytes)>, PackError> {
        if !self.hold(1).await? {
            return Ok(None);
        }
        self.need(4).await?;
        let mut length = [0; 4];
        length.copy_from_slice(&self.held.split_to(4));
        let length = u32::from_be_bytes(length) as usize;
        if length > LONGEST_HEAD_BYTES {
            return Err(PackError::Head);
        }
        self.need(length).await?;
        let head: PackedHead =
            serde_json::from_slice(&self.held.split_to(length)).map_err(|_| PackError::Head)?;
        if head.bytes > LONGEST_PACKED_BYTES {
            return Err(PackError::Long);
        }
        let bytes = usize::try_from(head.bytes).map_err(|_| PackError::Long)?;
        self.need(bytes).await?;
        Ok(Some((head, self.held.split_to(bytes).freeze())))
    }

    async fn need(&mut self, bytes: usize) -> Result<(), PackError> {
        if self.hold(bytes).await? {
            Ok(())
        } else {
            Err(PackError::Short)
        }
    }

    /// Waits until so many bytes are here; `false` if the body ends before.
    async fn hold(&mut self, bytes: usize) -> Result<bool, PackError> {
        while self.held.len() < bytes {
            match self.body.next().await {
                Some(Ok(more)) => self.held.extend_from_slice(&more),
                Some(Err(error)) => return Err(PackError::Body(error)),
                None => return Ok(false),
            }
        }
        Ok(true)
    }
}

impl fmt::Debug for Unpacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpacking").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn head(path: &str, bytes: u64) -> PackedHead {
        PackedHead {
            path: path.to_owned(),
            bytes,
            modified_ms: Some(7),
            sha256: "0".repeat(64),
            if_match: None,
            if_none_match: None,
        }
    }

    /// The pack, arriving in pieces of `size`.
    fn arriving(pack: &[u8], size: usize) -> Unpacking {
        let pieces: Vec<_> = pack
            .chunks(size)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        Unpacking::new(stream::iter(pieces).boxed())
    }

    #[tokio::test]
    async fn files_come_out_as_they_went_in_whatever_the_pieces() {
        let mut pack = Vec::new();
        add(&mut pack, &head("a/ü", 5), b"hello").unwrap();
        add(&mut pack, &head("empty", 0), b"").unwrap();
        for size in [1, 3, 1000] {
            let mut files = arriving(&pack, size);
            let first = files.next().await.unwrap().unwrap();
            assert_eq!(first, (head("a/ü", 5), Bytes::from("hello")));
            let second = files.next().await.unwrap().unwrap();
            assert_eq!(second, (head("empty", 0), Bytes::new()));
            assert_eq!(files.next().await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn a_malformed_pack_is_refused_without_being_held() {
        let mut whole = Vec::new();
        add(&mut whole, &head("a", 5), b"hello").unwrap();
        for end in 1..whole.len() {
            let short = arriving(&whole[..end], 1000).next().await;
            assert!(matches!(short, Err(PackError::Short)), "{end}");
        }
        let endless = arriving(&u32::MAX.to_be_bytes(), 4).next().await;
        assert!(matches!(endless, Err(PackError::Head)));
        let mut long = Vec::new();
        add(&mut long, &head("a", LONGEST_PACKED_BYTES + 1), b"").unwrap();
        assert!(matches!(
            arriving(&long, 1000).next().await,
            Err(PackError::Long)
        ));
        let far = head(&"\u{1}".repeat(LONGEST_HEAD_BYTES), 0);
        assert!(matches!(add(&mut long, &far, b""), Err(PackError::Head)));
    }
}
