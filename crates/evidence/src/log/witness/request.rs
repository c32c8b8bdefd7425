//! The body of `add-checkpoint`.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::checkpoint::{Checkpoint, CheckpointError};
use super::super::note::MAX_NOTE_BYTES;
use crate::count::Count;
use crate::hash::Hash;

/// The most hashes of a consistency proof that a client may send (c2sp.org/tlog-witness).
pub const MAX_CONSISTENCY_LINES: usize = 63;

/// The longest request that is read, in bytes.
pub const MAX_REQUEST_BYTES: usize = MAX_NOTE_BYTES;

/// A new checkpoint and the proof that it grew out of an earlier one. Prints as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    pub(super) old: u64,
    pub(super) proof: Vec<Hash>,
    pub(super) note: String,
}

/// Why bytes are not a request: 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Longer than [`MAX_REQUEST_BYTES`].
    #[error("the request has {0} bytes; at most 65536 are allowed")]
    TooLarge(usize),
    /// A line above the checkpoint is wrong.
    #[error("line {0} of the request does not follow c2sp.org/tlog-witness")]
    Line(usize),
    /// More than [`MAX_CONSISTENCY_LINES`] lines of proof.
    #[error("the consistency proof has more than 63 lines")]
    TooManyLines,
    /// The text below the proof is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl AddCheckpoint {
    /// The request to cosign `note`, a signed checkpoint, with the proof (RFC 6962, section 2.1.2)
    /// that it grew out of the tree of `old` entries. The proof is empty when `old` is 0.
    #[must_use]
    pub const fn new(old: u64, proof: Vec<Hash>, note: String) -> Self {
        Self { old, proof, note }
    }

    /// Reads a request exactly as it is written; nothing in it is verified.
    ///
    /// # Errors
    /// [`RequestError`] says what is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        if body.len() > MAX_REQUEST_BYTES {
            return Err(RequestError::TooLarge(body.len()));
        }
        let body = core::str::from_utf8(body).map_err(|_| CheckpointError::Format)?;
        let (old, mut rest) = body.split_once('\n').ok_or(RequestError::Line(1))?;
        let old = old.strip_prefix("old ").and_then(size);
        let old = old.ok_or(RequestError::Line(1))?;
        let mut proof = Vec::new();
        let note = loop {
            let number = proof.len() + 2;
            let (line, below) = rest.split_once('\n').ok_or(RequestError::Line(number))?;
            if line.is_empty() {
                break below;
            }
            if proof.len() == MAX_CONSISTENCY_LINES {
                return Err(RequestError::TooManyLines);
            }
            let hash = STANDARD.decode(line).ok();
            let hash = hash.and_then(|hash| Hash::try_from(hash).ok());
            proof.push(hash.ok_or(RequestError::Line(number))?);
            rest = below;
        };
        Checkpoint::unverified_origin(note)?;
        Ok(Self {
            old,
            proof,
            note: note.to_owned(),
        })
    }

    /// The origin that the checkpoint states, unverified: it decides whose key must have signed.
    ///
    /// # Errors
    /// [`CheckpointError`]; never for a request that was parsed.
    pub fn origin(&self) -> Result<String, CheckpointError> {
        Checkpoint::unverified_origin(&self.note)
    }

    /// The number of entries that the checkpoint states, unverified.
    #[must_use]
    pub fn unverified_size(&self) -> Option<u64> {
        Checkpoint::unverified_size(&self.note)
    }
}

/// A size in decimal: no sign, no leading zero.
pub(super) fn size(text: &str) -> Option<u64> {
    let size: Count = text.parse().ok()?;
    (size.to_string() == text).then_some(size.get())
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        for hash in &self.proof {
            writeln!(f, "{}", STANDARD.encode(hash))?;
        }
        write!(f, "\n{}", self.note)
    }
}
