//! The errors of the log.

use hallway_evidence::DecodeError;
use hallway_evidence::log::{AppendError, CheckpointError, ProofError};

use crate::store::{EvidenceHash, EvidenceRecord, StoreError, Transient};

/// Why evidence could not be logged, or a receipt not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The statement was accepted before. A challenge is used once, whatever the number of
    /// gateways.
    #[error("the statement was accepted before, as entry {} of the log", .existing.log_index)]
    AlreadyAccepted {
        /// The logged evidence with the same statement.
        existing: Box<EvidenceRecord>,
    },
    /// The bytes to be logged are not evidence.
    #[error("this is not evidence: {0}")]
    Evidence(#[from] DecodeError),
    /// The bytes of the evidence were erased, so no receipt can be made.
    #[error("the evidence {0} was erased; the log still holds its hash")]
    Erased(EvidenceHash),
    /// The log's head was not signed with this gateway's log key.
    #[error("the log's head is not one that this gateway's log key signed: {0}")]
    Head(#[from] CheckpointError),
    /// The head's row and the checkpoint in it disagree.
    #[error("the log's head disagrees with its own checkpoint; restore the database from a backup")]
    HeadDiffers,
    /// The log's tiles are damaged.
    #[error(transparent)]
    Tiles(#[from] AppendError),
    /// No proof can be made from the log's tiles.
    #[error("no proof can be made from the log's tiles: {0}")]
    Proof(#[from] ProofError),
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LedgerError {
    /// Whether the cause may be one of many records that were written together.
    pub fn may_be_of_a_record(&self) -> bool {
        match self {
            Self::Store(error) => error.may_be_of_a_record(),
            Self::AlreadyAccepted { .. } | Self::Evidence(_) => true,
            _ => false,
        }
    }
}

impl Transient for LedgerError {
    fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            _ => false,
        }
    }
}
