//! A witness: somebody who watches how a log grows, and notices when it is rewritten
//! (c2sp.org/tlog-witness).
//!
//! The log sends [`AddCheckpoint`]; the witness [decides](decide) whether to cosign it, given the
//! [`Latest`] checkpoint that it knows of that log; the log reads the [`Answer`]. Nothing here is
//! stored: the caller replaces the latest checkpoint by the new one in one step, with no other
//! request in between, and only then hands out the cosignature.
//!
//! ```
//! use hallway_evidence::Timestamp;
//! use hallway_evidence::log::witness::{AddCheckpoint, decide};
//! use hallway_evidence::log::{Appender, Checkpoint, CosigningKey, SigningKey};
//!
//! let log = SigningKey::from_seed("gate.beta.example/log", &[1; 32])?;
//! let witness = CosigningKey::from_seed("gate.alpha.example/witness", &[2; 32])?;
//! let grown = Appender::new().append(&[[1; 32]]);
//! let note = Checkpoint::new(log.name(), grown.size, grown.root)?.sign(&log);
//!
//! let request = AddCheckpoint::new(0, Vec::new(), note.clone());
//! let received = AddCheckpoint::parse(request.to_string().as_bytes())?;
//! let latest = decide(&received, &log.verifier(), None)?;
//! let line = witness.cosign(latest.checkpoint(), Timestamp::from_ms(1_795_000_000_000));
//! assert!(witness.cosigner().cosigned(&(note + &line)).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod fork;
mod request;

pub use answer::{Answer, AnswerError, MAX_ANSWER_BYTES, SIZE_TYPE};
pub use fork::{Fork, ForkError, Forked};
pub use request::{AddCheckpoint, MAX_CONSISTENCY_LINES, MAX_REQUEST_BYTES, RequestError};

use super::checkpoint::{Checkpoint, CheckpointError};
use super::note::VerifierKey;
use super::proof::{ProofError, consistency_roots, verify_consistency};
use super::tree::empty_root;

/// The last checkpoint of a log that a witness cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    checkpoint: Checkpoint,
    note: String,
}

impl Latest {
    /// Reads a note that the log's `key` signed. Signatures by others are left out.
    ///
    /// # Errors
    /// [`CheckpointError`] says what is wrong.
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, CheckpointError> {
        Ok(Self {
            checkpoint: Checkpoint::open(note, key)?,
            note: key.keep_own(note)?,
        })
    }

    /// The checkpoint.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note that the log signed, without any other signature.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }
}

/// Why a witness does not cosign, in the order in which [`decide`] checks. Each reason begins with
/// the status of the HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 403: not signed by the log. (400 when it is not a checkpoint at all.)
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// 400: it claims to have grown out of a larger log.
    #[error("the old size {old} is above the checkpoint's size {new}")]
    OldAboveNew {
        /// The old size in the request.
        old: u64,
        /// The checkpoint's size.
        new: u64,
    },
    /// The log signed two trees, of which one cannot have grown out of the other. The [`Fork`]
    /// proves it. 409 when both have the same size, else 422.
    #[error("the log signed two trees that cannot be the same log: it was rewritten")]
    Forked {
        /// The proof.
        fork: Box<Fork>,
        /// The size of the last cosigned checkpoint, where the request names another old size: the
        /// answer gives it, as for [`Refusal::Stale`].
        stale: Option<u64>,
    },
    /// 409 with the size: the proof does not begin at the last cosigned checkpoint.
    #[error("the last checkpoint that this witness cosigned has {latest} entries, not {old}")]
    Stale {
        /// The old size in the request.
        old: u64,
        /// The size of the last cosigned checkpoint; 0 when there is none.
        latest: u64,
    },
    /// 422: the proof does not show that the log grew out of the one before.
    #[error("the consistency proof does not hold: {0}")]
    Inconsistent(ProofError),
}

/// Decides whether a witness that last cosigned `latest` of the log of `key` cosigns. Returns the
/// checkpoint that takes the place of `latest`.
///
/// # Errors
/// [`Refusal`] says why not.
pub fn decide(
    request: &AddCheckpoint,
    key: &VerifierKey,
    latest: Option<&Latest>,
) -> Result<Latest, Refusal> {
    let offered = Latest::open(&request.note, key)?;
    let new = &offered.checkpoint;
    if request.old > new.size {
        return Err(Refusal::OldAboveNew {
            old: request.old,
            new: new.size,
        });
    }
    // Two trees of one size are a fork, whatever old size the request names.
    if let Some(latest) = latest
        && latest.checkpoint.size == new.size
        && latest.checkpoint.root != new.root
    {
        return Err(Refusal::Forked {
            fork: Box::new(Fork {
                first: latest.note.clone(),
                second: offered.note,
                proof: Vec::new(),
            }),
            stale: (request.old != new.size).then_some(new.size),
        });
    }
    let (size, root) = latest.map_or((0, empty_root()), |latest| {
        (latest.checkpoint.size, latest.checkpoint.root)
    });
    if request.old != size {
        return Err(Refusal::Stale {
            old: request.old,
            latest: size,
        });
    }
    let Err(error) = verify_consistency(size, &root, new.size, &new.root, &request.proof) else {
        return Ok(offered);
    };
    // A proof that leads to the root that the log signed, but begins with another tree than the one
    // that it signed before, proves a fork.
    if let Some(latest) = latest
        && 0 < size
        && size < new.size
        && let Ok((was, is)) = consistency_roots(size, &root, new.size, &request.proof)
        && is == new.root
        && was != root
    {
        return Err(Refusal::Forked {
            fork: Box::new(Fork {
                first: latest.note.clone(),
                second: offered.note,
                proof: request.proof.clone(),
            }),
            stale: None,
        });
    }
    Err(Refusal::Inconsistent(error))
}

#[cfg(test)]
mod tests;
