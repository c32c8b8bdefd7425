//! Receipts for logged evidence, and proofs that the log only grew.

use hallway_evidence::log::tree::leaf_hash;
use hallway_evidence::log::{Checkpoint, InclusionProof, Plan, TileSet, TlogProof};
use hallway_evidence::{Evidence, Hash, Receipt};

use super::cosigned;
use super::error::LedgerError;
use super::writer::Ledger;
use crate::store::{EvidenceHash, EvidenceRecord, Unit};

impl Ledger {
    /// The receipt of logged evidence; `None` when there is no such evidence.
    ///
    /// # Errors
    /// [`LedgerError::Erased`], or when the log is damaged or the database fails.
    pub async fn receipt(
        &self,
        store: &Unit<'_>,
        hash: &EvidenceHash,
    ) -> Result<Option<Receipt>, LedgerError> {
        match store.evidence().get(hash).await? {
            Some(record) => self.receipt_of(store, &record).await.map(Some),
            None => Ok(None),
        }
    }

    /// As [`Ledger::receipt`], for a record that was loaded before, with the checkpoint that
    /// [`Ledger::checkpoint_for`] gives.
    ///
    /// # Errors
    /// [`LedgerError::Erased`], or when the log is damaged or the database fails.
    pub async fn receipt_of(
        &self,
        store: &Unit<'_>,
        record: &EvidenceRecord,
    ) -> Result<Receipt, LedgerError> {
        let note = self.checkpoint_for(store, record).await?;
        self.receipt_at(store, record, &note).await
    }

    /// The checkpoint for the receipts of this evidence and of everything before it: one that
    /// witnesses cosigned, if it covers the evidence, and otherwise the current one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn checkpoint_for(
        &self,
        store: &Unit<'_>,
        record: &EvidenceRecord,
    ) -> Result<String, LedgerError> {
        Ok(
            match cosigned::covering(store, record.log_index + 1).await? {
                Some(cosigned) => cosigned,
                None => store.log().head().await?.checkpoint,
            },
        )
    }

    /// As [`Ledger::receipt_of`], with this checkpoint of the log.
    ///
    /// # Errors
    /// [`LedgerError::Head`] when the log did not sign the checkpoint, [`LedgerError::Proof`] when
    /// the checkpoint does not cover the evidence; otherwise as [`Ledger::receipt_of`].
    pub async fn receipt_at(
        &self,
        store: &Unit<'_>,
        record: &EvidenceRecord,
        note: &str,
    ) -> Result<Receipt, LedgerError> {
        let bytes = record
            .bytes
            .as_deref()
            .ok_or(LedgerError::Erased(record.hash))?;
        let evidence = Evidence::decode(bytes)?;
        // The checkpoint was read first: tiles only grow, so they hold all of its entries.
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

    /// The log's first entry, by which the realm was set up; `None` while the log is empty. The
    /// evidence's row is not trusted: the entry is proven under the log's own signature.
    ///
    /// # Errors
    /// [`LedgerError::Proof`] when the row and the log disagree; or the database fails.
    pub async fn first_entry(&self, store: &Unit<'_>) -> Result<Option<Hash>, LedgerError> {
        if let Some(first) = self.first.get() {
            return Ok(Some(*first));
        }
        // The head is read first: tiles only grow, so they hold all of its entries.
        let head = self.open(&store.log().head().await?)?;
        let Some(record) = store.evidence().at(0).await?.filter(|_| head.size > 0) else {
            return Ok(None);
        };
        let proof = InclusionProof {
            index: 0,
            size: head.size,
            hashes: hashes(store, &Plan::inclusion(0, head.size)?).await?,
        };
        proof.verify(&leaf_hash(&record.hash.0), &head.root)?;
        Ok(Some(*self.first.get_or_init(|| record.hash.0)))
    }

    /// The proof that the log of `new` entries extends the one of `old` entries (RFC 6962, section
    /// 2.1.2).
    ///
    /// # Errors
    /// [`LedgerError::Proof`] when `old` is larger, or the log is damaged; or the database fails.
    pub async fn growth(
        &self,
        store: &Unit<'_>,
        old: u64,
        new: u64,
    ) -> Result<Vec<Hash>, LedgerError> {
        hashes(store, &Plan::consistency(old, new)?).await
    }
}

async fn hashes(store: &Unit<'_>, plan: &Plan) -> Result<Vec<Hash>, LedgerError> {
    let mut tiles = TileSet::default();
    for (tile, bytes) in store.log().tiles(&plan.tiles()).await? {
        tiles.insert(tile, &bytes)?;
    }
    Ok(plan.hashes(&tiles)?)
}
