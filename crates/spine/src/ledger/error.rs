//! What can go wrong at the log.

use hallway_evidence::DecodeError;
use hallway_evidence::log::{AppendError, CheckpointError, ProofError};

use crate::store::{EvidenceHash, EvidenceRecord, StoreError, Transient};

/// Why evidence was not logged, or a receipt not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The statement was accepted before. A challenge is used once, whatever the number of
    /// gateways.
    #[error("the statement was accepted before, as entry {} of the log", .existing.log_index)]
    AlreadyAccepted {
        /// The evidence that holds it.
        existing: Box<EvidenceRecord>,
    },
    /// What is to be logged cannot be read.
    #[error("this is not evidence: {0}")]
    Evidence(#[from] DecodeError),
    /// The bytes of the evidence were erased: there is nothing left to give a receipt for.
    #[error("the evidence {0} was erased; the log still holds its hash")]
    Erased(EvidenceHash),
    /// The log's head was not signed with this gateway's log key.
    #[error("the log's head is not one that this gateway's log key signed: {0}")]
    Head(#[from] CheckpointError),
    /// The head's row says something else than the checkpoint in it.
    #[error("the log's head disagrees with its own checkpoint; restore the database from a backup")]
    HeadDiffers,
    /// The log's tiles are damaged.
    #[error(transparent)]
    Tiles(#[from] AppendError),
    /// The log's tiles give no proof.
    #[error("the log's tiles give no proof: {0}")]
    Proof(#[from] ProofError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LedgerError {
    /// Whether the reason may be in one of many records that were written together.
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
