//! Collects the device transactions that wait, and keeps them together: one database transaction,
//! one disk flush, one checkpoint.

use std::collections::HashMap;
use std::sync::Arc;

use hallway_evidence::{DeviceId, Receipt, Timestamp};
use hallway_spine::ledger::{Entry, Ledger, LedgerError};
use hallway_spine::store::{EvidenceRecord, StatementHash, Store, Unit};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tracing::{Instrument, debug_span};

use super::order::{Refused, admit};
use crate::ingest::{IngestError, Outcome, Submission, Waiting};
use crate::store::{Advance, DeviceTables, Standing, Transaction};

/// How many transactions are kept at once.
const MAX_BATCH: usize = 1024;

/// How many attempts a batch and its parts get: enough to find three transactions among
/// [`MAX_BATCH`] that can't be kept. With more, some are told to send again.
const MAX_ATTEMPTS: usize = 64;

/// The one task that keeps device transactions on this gateway.
pub(crate) struct Collector<N> {
    store: Store,
    ledger: Arc<Ledger>,
    now: N,
    /// Receipts that are made anew, beside the batches.
    again: JoinSet<()>,
}

/// The outcome of one transaction of a batch.
enum Verdict {
    /// It is new, and has this number among the new ones of the batch.
    New(usize),
    /// It repeats the new one with this number in the batch.
    Twin(usize),
    /// It was accepted before.
    Known(Arc<EvidenceRecord>),
    /// It is refused.
    Refused(Refused),
}

/// The outcome of a batch that is kept.
struct Kept {
    /// One for each transaction of the batch.
    verdicts: Vec<Verdict>,
    /// One for each that is new.
    receipts: Vec<Receipt>,
}

impl<N: Fn() -> Timestamp + Send + Sync + 'static> Collector<N> {
    pub(crate) fn new(store: Store, ledger: Arc<Ledger>, now: N) -> Self {
        Self {
            store,
            ledger,
            now,
            again: JoinSet::new(),
        }
    }

    /// Works until the queue is closed and empty.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Waiting>, stop: Arc<Notify>) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        loop {
            tokio::select! {
                biased;
                () = stop.notified() => queue.close(),
                taken = queue.recv_many(&mut batch, MAX_BATCH) => {
                    if taken == 0 {
                        break;
                    }
                    self.keep(core::mem::take(&mut batch)).await;
                    while self.again.try_join_next().is_some() {}
                }
            }
        }
        while self.again.join_next().await.is_some() {}
    }

    /// Keeps a batch, then answers everybody in it. One that can't be kept for a reason that may be
    /// in one of its transactions is kept in halves, and so on, until that one is found: it alone
    /// is refused.
    async fn keep(&mut self, mut batch: Vec<Waiting>) {
        // Two transactions of one device that came at once are taken in their order.
        batch.sort_by_key(|waiting| (waiting.submission.device, waiting.submission.sequence));
        let mut parts = vec![batch];
        let mut attempts = MAX_ATTEMPTS;
        while let Some(mut part) = parts.pop() {
            attempts -= 1;
            let (this, all) = (&*self, part.as_slice());
            let span = debug_span!("batch", transactions = all.len());
            for waiting in all {
                span.follows_from(&waiting.request);
            }
            let kept = this
                .store
                .transact(|unit| Box::pin(this.keep_in(unit, all)))
                .instrument(span)
                .await;
            match kept {
                Ok(kept) => self.answer(part, kept),
                Err(error) if error.may_be_of_a_record() && part.len() == 1 => {
                    for waiting in &part {
                        waiting.request.in_scope(|| {
                            tracing::error!(%error, "a device transaction cannot be kept");
                        });
                    }
                    refuse(part, &Refused::Unkeepable.into());
                }
                Err(error) if error.may_be_of_a_record() && attempts > parts.len() + 1 => {
                    tracing::warn!(%error, count = part.len(), "keeping a batch in halves");
                    let later = part.split_off(part.len() / 2);
                    // The earlier half is next: a device's transactions stay in their order.
                    parts.extend([later, part]);
                }
                Err(error) => {
                    tracing::error!(%error, count = part.len(), "device transactions were not kept");
                    refuse(part, &Arc::new(error).into());
                }
            }
        }
    }

    async fn keep_in(&self, unit: &Unit<'_>, batch: &[Waiting]) -> Result<Kept, LedgerError> {
        let statements: Vec<StatementHash> = batch.iter().map(|w| w.statement).collect();
        let mut devices: Vec<DeviceId> = batch.iter().map(|w| w.submission.device).collect();
        devices.dedup();
        let known = unit.evidence().by_statements(&statements).await?;
        let mut standings = unit.standings().get(&devices).await?;
        let (verdicts, new) = decide(batch, known, &mut standings);

        let accepted = (self.now)();
        let entries = new
            .iter()
            .map(|waiting| {
                let signed = waiting.submission.signed.clone();
                Entry::transaction(signed, accepted).of_device(waiting.submission.device)
            })
            .collect();
        let receipts = self.ledger.append_new(unit, entries).await?;
        let transactions = new
            .iter()
            .zip(&receipts)
            .filter_map(|(waiting, receipt)| {
                let standing = standings.get(&waiting.submission.device)?;
                Some(transaction(&waiting.submission, standing, receipt))
            })
            .collect();
        unit.transactions().add_logged(transactions).await?;
        unit.standings().advance(advances(&new, accepted)).await?;
        Ok(Kept { verdicts, receipts })
    }

    fn answer(&mut self, batch: Vec<Waiting>, kept: Kept) {
        let mut before = Vec::new();
        for (waiting, verdict) in batch.into_iter().zip(kept.verdicts) {
            // A device that no longer waits for the answer sends again, and gets the receipt then.
            let _ = match verdict {
                Verdict::New(at) => {
                    let receipt = kept.receipts[at].clone();
                    waiting.answer.send(Ok(Outcome::Accepted(receipt)))
                }
                Verdict::Twin(at) => {
                    let receipt = kept.receipts[at].clone();
                    waiting.answer.send(Ok(Outcome::AlreadyAccepted(receipt)))
                }
                Verdict::Refused(refused) => waiting.answer.send(Err(refused.into())),
                Verdict::Known(record) => {
                    before.push((waiting, record));
                    continue;
                }
            };
        }
        if !before.is_empty() {
            self.answer_again(before);
        }
    }

    /// Answers those whose transactions were accepted before, beside the next batch.
    fn answer_again(&mut self, before: Vec<(Waiting, Arc<EvidenceRecord>)>) {
        let (store, ledger) = (self.store.clone(), Arc::clone(&self.ledger));
        self.again.spawn(async move {
            for (waiting, record) in before {
                let receipt = ledger.receipt_of(store.read(), &record).await;
                let _ = waiting.answer.send(match receipt {
                    Ok(receipt) => Ok(Outcome::AlreadyAccepted(receipt)),
                    Err(error) => Err(Arc::new(error).into()),
                });
            }
        });
    }
}

/// Answers everybody in a part of a batch with the same error.
fn refuse(part: Vec<Waiting>, error: &IngestError) {
    for waiting in part {
        let _ = waiting.answer.send(Err(error.clone()));
    }
}

/// Decides about each transaction of a batch, in its order; gives the new ones beside. One that is
/// refused has no effect on the others.
fn decide<'b>(
    batch: &'b [Waiting],
    known: Vec<EvidenceRecord>,
    standings: &mut HashMap<DeviceId, Standing>,
) -> (Vec<Verdict>, Vec<&'b Waiting>) {
    let known: HashMap<StatementHash, Arc<EvidenceRecord>> = known
        .into_iter()
        .map(|record| (record.statement, Arc::new(record)))
        .collect();
    let mut new = Vec::with_capacity(batch.len());
    let mut places = HashMap::with_capacity(batch.len());
    let verdicts = batch
        .iter()
        .map(|waiting| {
            if let Some(record) = known.get(&waiting.statement) {
                return Verdict::Known(Arc::clone(record));
            }
            if let Some(at) = places.get(&waiting.statement) {
                return Verdict::Twin(*at);
            }
            let submission = &waiting.submission;
            let admitted = match standings.get_mut(&submission.device) {
                Some(standing) => admit(standing, submission),
                None => Err(Refused::UnknownDevice(submission.device)),
            };
            match admitted {
                Ok(()) => {
                    places.insert(waiting.statement, new.len());
                    new.push(waiting);
                    Verdict::New(new.len() - 1)
                }
                Err(refused) => Verdict::Refused(refused),
            }
        })
        .collect();
    (verdicts, new)
}

fn transaction(submission: &Submission, standing: &Standing, receipt: &Receipt) -> Transaction {
    Transaction {
        log_index: receipt.proof.index(),
        device: submission.device,
        era: standing.era,
        sequence: submission.sequence,
        taken: submission.taken,
        accepted: receipt.evidence.accepted,
        sha256: submission.described.sha256,
        length: submission.described.length,
        media_type: submission.described.media_type.to_string(),
        file_name: submission.described.file_name.to_string(),
        payload: submission.payload.clone(),
    }
}

/// Where each device stands after its last transaction of the batch, which is sorted by device.
fn advances(new: &[&Waiting], accepted: Timestamp) -> Vec<Advance> {
    new.chunk_by(|a, b| a.submission.device == b.submission.device)
        .filter_map(<[_]>::last)
        .map(|waiting| {
            let submission = &waiting.submission;
            Advance {
                device: submission.device,
                credential: submission.signed.credential_id.clone(),
                sequence: submission.sequence,
                taken: submission.taken,
                sign_count: submission.sign_count,
                accepted,
            }
        })
        .collect()
}
