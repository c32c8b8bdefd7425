//! Receipts of what was logged before, and proofs that the log grew.

use hallway_evidence::log::{Checkpoint, InclusionProof, Plan, TileSet, TlogProof};
use hallway_evidence::statement::Hash;
use hallway_evidence::{Evidence, Receipt};

use super::cosigned;
use super::error::LedgerError;
use super::writer::Ledger;
use crate::store::{EvidenceHash, EvidenceRecord, Repositories};

impl Ledger {
    /// The receipt of evidence that was logged before; nothing when there is no such evidence.
    ///
    /// # Errors
    /// [`LedgerError::Erased`], or when the log is damaged or the database fails.
    pub async fn receipt(
        &self,
        store: &dyn Repositories,
        hash: &EvidenceHash,
    ) -> Result<Option<Receipt>, LedgerError> {
        match store.evidence().get(hash).await? {
            Some(record) => self.receipt_of(store, &record).await.map(Some),
            None => Ok(None),
        }
    }

    /// As [`Ledger::receipt`], for evidence that is at hand. Its checkpoint is one that witnesses
    /// cosigned, if there is one that holds the evidence, and the current one otherwise.
    ///
    /// # Errors
    /// [`LedgerError::Erased`], or when the log is damaged or the database fails.
    pub async fn receipt_of(
        &self,
        store: &dyn Repositories,
        record: &EvidenceRecord,
    ) -> Result<Receipt, LedgerError> {
        let note = match cosigned::covering(store, record.log_index + 1).await? {
            Some(cosigned) => cosigned,
            None => store.log().head().await?.checkpoint,
        };
        self.receipt_at(store, record, &note).await
    }

    /// As [`Ledger::receipt_of`], with this checkpoint of the log.
    ///
    /// # Errors
    /// [`LedgerError::Head`] when the log did not sign it, [`LedgerError::Proof`] when it does not
    /// hold the evidence yet; otherwise as [`Ledger::receipt_of`].
    pub async fn receipt_at(
        &self,
        store: &dyn Repositories,
        record: &EvidenceRecord,
        note: &str,
    ) -> Result<Receipt, LedgerError> {
        let bytes = record
            .bytes
            .as_deref()
            .ok_or(LedgerError::Erased(record.hash))?;
        let evidence = Evidence::decode(bytes)?;
        // The checkpoint was read first: tiles only grow, so they hold whatever it says.
        let size = Checkpoint::open(note, &self.verifier())?.size;
        let plan = Plan::inclusion(record.log_index, size)?;
        let proof = InclusionProof {
            index: record.log_index,
            size,
            hashes: hashes(store, &plan).await?,
        };
        Ok(Receipt {
            evidence,
            proof: TlogProof::new(&proof, note.to_owned()),
        })
    }

    /// The proof that the log of `new` entries grew out of the one of `old` (RFC 6962, section
    /// 2.1.2).
    ///
    /// # Errors
    /// [`LedgerError::Proof`] when `old` is larger, or the log is damaged; or the database fails.
    pub async fn growth(
        &self,
        store: &dyn Repositories,
        old: u64,
        new: u64,
    ) -> Result<Vec<Hash>, LedgerError> {
        hashes(store, &Plan::consistency(old, new)?).await
    }
}

async fn hashes(store: &dyn Repositories, plan: &Plan) -> Result<Vec<Hash>, LedgerError> {
    let mut tiles = TileSet::default();
    for (tile, bytes) in store.log().tiles(&plan.tiles()).await? {
        tiles.insert(tile, &bytes)?;
    }
    Ok(plan.hashes(&tiles)?)
}
