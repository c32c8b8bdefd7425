//! Appends evidence to the log, in the unit that makes the change which the evidence justifies.

use std::sync::{Mutex, OnceLock, PoisonError};

use hallway_evidence::log::{Appender, Checkpoint, SigningKey, TlogProof, VerifierKey};
use hallway_evidence::{DeviceId, Evidence, Hash, PersonId, Receipt, Timestamp};

use super::error::LedgerError;
use super::hashed::HashedStatement;
use crate::sha256;
use crate::store::{
    EvidenceHash, EvidenceRecord, Ground, LogHead, StatementHash, TRANSACTION_ACT, Unit,
};

/// Evidence that is to be logged, with the person and the device under which it is listed.
#[derive(Clone, Debug)]
pub struct Entry {
    evidence: Evidence,
    /// The encoding of the evidence.
    bytes: Vec<u8>,
    /// SHA-256 of the encoding.
    hash: EvidenceHash,
    /// SHA-256 of the statement.
    statement: StatementHash,
    act: String,
    person: Option<PersonId>,
    device: Option<DeviceId>,
    /// The key under which later evidence that rests on this one finds it.
    ground: Option<Ground>,
}

impl Entry {
    /// A statement of any act but a device's transaction, accepted at this time.
    ///
    /// # Errors
    /// [`LedgerError::Evidence`] when the statement cannot be read.
    pub fn new(signed: HashedStatement, accepted: Timestamp) -> Result<Self, LedgerError> {
        let act = signed.read_statement()?.act;
        let ground = Ground::of(&act, &signed.credential_id);
        Ok(Self {
            act: act.name().to_owned(),
            ground,
            ..Self::transaction(signed, accepted)
        })
    }

    /// A device's transaction, whose statement the caller has read, accepted at this time.
    #[must_use]
    pub fn transaction(signed: HashedStatement, accepted: Timestamp) -> Self {
        let statement = signed.challenge().into();
        let signed = signed.into_signed();
        let evidence = Evidence { signed, accepted };
        let bytes = evidence.encode();
        Self {
            hash: sha256(&bytes).into(),
            bytes,
            statement,
            evidence,
            act: TRANSACTION_ACT.to_owned(),
            person: None,
            device: None,
            ground: None,
        }
    }

    /// SHA-256 of the evidence: what the log commits to.
    #[must_use]
    pub const fn hash(&self) -> EvidenceHash {
        self.hash
    }

    /// Lists the evidence under the person who signed, or whom it is about.
    #[must_use]
    pub fn of_person(mut self, person: PersonId) -> Self {
        self.person = Some(person);
        self
    }

    /// Lists the evidence under the device that signed, or that it is about.
    #[must_use]
    pub fn of_device(mut self, device: DeviceId) -> Self {
        self.device = Some(device);
        self
    }
}

/// The log's writer. Any number of writers, on any number of gateways, may write to one log: each
/// append begins at the head that the database holds, and moves the head only from there.
#[derive(Debug)]
pub struct Ledger {
    key: SigningKey,
    /// The log's right edge as this writer last saw it. It is used only if its root is that of the
    /// head in the current unit, so it may come from a unit that was cancelled.
    edge: Mutex<Option<Appender>>,
    /// The log's first entry, once it was read. It never changes.
    pub(crate) first: OnceLock<Hash>,
}

impl Ledger {
    /// A writer that signs with `key`. The key's name is the log's origin.
    #[must_use]
    pub const fn new(key: SigningKey) -> Self {
        Self {
            key,
            edge: Mutex::new(None),
            first: OnceLock::new(),
        }
    }

    /// The key that verifies the log.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        self.key.verifier()
    }

    /// Appends `entries` in their order and returns their receipts, which are valid only once the
    /// unit is saved.
    ///
    /// # Errors
    /// [`LedgerError::AlreadyAccepted`] when one of the statements is already in the log; nothing
    /// is appended then. Other errors when the log is damaged or the database fails.
    pub async fn append(
        &self,
        unit: &Unit<'_>,
        entries: Vec<Entry>,
    ) -> Result<Vec<Receipt>, LedgerError> {
        let statements: Vec<StatementHash> = entries.iter().map(|entry| entry.statement).collect();
        if let Some(existing) = unit.evidence().by_statements(&statements).await?.pop() {
            return Err(LedgerError::AlreadyAccepted {
                existing: Box::new(existing),
            });
        }
        self.append_new(unit, entries).await
    }

    /// As [`Ledger::append`], for statements that the unit has already looked for in vain.
    pub async fn append_new(
        &self,
        unit: &Unit<'_>,
        entries: Vec<Entry>,
    ) -> Result<Vec<Receipt>, LedgerError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let mut log = self.resume(unit).await?;
        let hashes: Vec<[u8; 32]> = entries.iter().map(|entry| entry.hash.0).collect();
        let appended = log.append(&hashes);
        let checkpoint = Checkpoint::new(self.key.name(), appended.size, appended.root)?;
        let checkpoint = checkpoint.sign(&self.key);

        let mut records = Vec::with_capacity(entries.len());
        let mut receipts = Vec::with_capacity(entries.len());
        let mut grounds = Vec::new();
        for (entry, proof) in entries.into_iter().zip(&appended.proofs) {
            records.push(EvidenceRecord {
                log_index: proof.index,
                hash: entry.hash,
                statement: entry.statement,
                bytes: Some(entry.bytes),
                act: entry.act,
                person: entry.person,
                device: entry.device,
                accepted: entry.evidence.accepted,
            });
            grounds.extend(entry.ground.map(|ground| (ground, proof.index)));
            receipts.push(Receipt {
                evidence: entry.evidence,
                proof: TlogProof::new(proof, checkpoint.clone()),
            });
        }
        let head = LogHead {
            size: appended.size,
            root: appended.root,
            checkpoint,
        };
        unit.log().move_head(appended.first, &head).await?;
        unit.log().put_tiles(appended.tiles).await?;
        unit.evidence().add_logged(records).await?;
        for (ground, log_index) in &grounds {
            unit.grounds().add_logged(ground, *log_index).await?;
        }
        *self.edge.lock().unwrap_or_else(PoisonError::into_inner) = Some(log);
        Ok(receipts)
    }

    /// The log as the unit sees it, ready for new entries.
    async fn resume(&self, unit: &Unit<'_>) -> Result<Appender, LedgerError> {
        let head = unit.log().head().await?;
        if let Some(edge) = &*self.edge.lock().unwrap_or_else(PoisonError::into_inner)
            && edge.size() == head.size
            && edge.root() == head.root
        {
            return Ok(edge.clone());
        }
        let head = self.open(&head)?;
        let tiles = unit.log().tiles(&Appender::edge(head.size)).await?;
        Ok(Appender::resume(&head, |wanted| {
            let (_, bytes) = tiles.iter().find(|(tile, _)| *tile == wanted)?;
            Some(bytes.clone())
        })?)
    }

    /// Checks that this log's key signed the head.
    pub(crate) fn open(&self, head: &LogHead) -> Result<Checkpoint, LedgerError> {
        if head.size == 0 {
            return Ok(Checkpoint::new(self.key.name(), 0, head.root)?);
        }
        let checkpoint = Checkpoint::open(&head.checkpoint, &self.key.verifier())?;
        if (checkpoint.size, checkpoint.root) != (head.size, head.root) {
            return Err(LedgerError::HeadDiffers);
        }
        Ok(checkpoint)
    }

    /// The signed checkpoint of the current log; that of the empty tree before the first entry.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn checkpoint(&self, store: &Unit<'_>) -> Result<String, LedgerError> {
        let head = store.log().head().await?;
        if head.size == 0 {
            return Ok(self.open(&head)?.sign(&self.key));
        }
        Ok(head.checkpoint)
    }
}
