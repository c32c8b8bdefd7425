//! The way in for device transactions.

pub mod collector;
pub mod keyring;
pub mod order;

use std::sync::Arc;

use hallway_evidence::statement::device::Payload;
use hallway_evidence::{DeviceId, Receipt, Timestamp};
use hallway_spine::ledger::{HashedStatement, Ledger, LedgerError};
use hallway_spine::store::{StatementHash, Store};
use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::Span;

use crate::ingest::collector::Collector;
use crate::ingest::order::Refused;
use crate::store::PayloadLocation;

/// How many submissions wait in the queue. If it is full, the next sender waits until there is
/// room.
const QUEUE_LENGTH: usize = 4096;

/// A device's transaction, verified: the assertion is the device's, over this statement, and the
/// bytes are the ones that the statement describes.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The device whose credential signed.
    pub device: DeviceId,
    /// What it sent.
    pub signed: HashedStatement,
    /// The statement's sequence number.
    pub sequence: u64,
    /// When the bytes were taken, as the statement says.
    pub taken: Timestamp,
    /// The bytes, as the statement describes them.
    pub described: Payload,
    /// Where the bytes are.
    pub payload: PayloadLocation,
    /// The signature counter in the authenticator data.
    pub sign_count: u32,
}

/// A transaction that is on disk and in the log, with its receipt.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The transaction was accepted now.
    Accepted(Receipt),
    /// The same statement was accepted before: the device did not get its receipt then.
    AlreadyAccepted(Receipt),
}

impl Outcome {
    /// The receipt, of now or of before.
    #[must_use]
    pub fn into_receipt(self) -> Receipt {
        match self {
            Self::Accepted(receipt) | Self::AlreadyAccepted(receipt) => receipt,
        }
    }
}

/// Why there is no receipt.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IngestError {
    /// The transaction is refused. Sending it again will not help.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The log or the database failed. Sending it again is safe and may help.
    #[error(transparent)]
    Failed(#[from] Arc<LedgerError>),
    /// The gateway is about to stop. Sending it again is safe.
    #[error("the gateway is stopping; send it again")]
    Stopping,
}

pub(crate) type Answer = Result<Outcome, IngestError>;

/// A submission whose answer somebody awaits.
pub(crate) struct Waiting {
    pub(crate) submission: Submission,
    pub(crate) statement: StatementHash,
    pub(crate) answer: oneshot::Sender<Answer>,
    /// The request that brought the transaction.
    pub(crate) request: Span,
}

/// The way in for device transactions.
#[derive(Debug)]
pub struct Ingest {
    queue: mpsc::Sender<Waiting>,
    stop: Arc<Notify>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Ingest {
    /// Starts to take transactions. `now` tells the gateway's time.
    ///
    /// Must be called within a Tokio runtime.
    #[must_use]
    pub fn start(
        store: Store,
        ledger: Arc<Ledger>,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_LENGTH);
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        // A thread of its own: behind a thousand verifications that are ready to run, each step of
        // the collector would wait for all of them.
        let task = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => runtime.block_on(async {
                    // Sockets wake the runtime that opened them.
                    let store = store.for_this_runtime().await;
                    Collector::new(store, ledger, now)
                        .run(waiting, stopped)
                        .await;
                }),
                // The queue is dropped, so `submit` answers that nothing is taken.
                Err(error) => tracing::error!(%error, "device transactions cannot be taken"),
            }
        });
        Self {
            queue,
            stop,
            task: Mutex::new(Some(task)),
        }
    }

    /// Hands a transaction in, and waits until it is on disk and in the log, or refused.
    ///
    /// # Errors
    /// [`IngestError`].
    pub async fn submit(&self, submission: Submission) -> Answer {
        let (answer, answered) = oneshot::channel();
        let statement = submission.signed.challenge().into();
        let waiting = Waiting {
            submission,
            statement,
            answer,
            request: Span::current(),
        };
        self.queue
            .send(waiting)
            .await
            .map_err(|_| IngestError::Stopping)?;
        answered.await.unwrap_or(Err(IngestError::Stopping))
    }

    /// Stops taking transactions, and returns when all that waited are answered.
    pub async fn drain(&self) {
        self.stop.notify_one();
        if let Some(task) = self.task.lock().await.take() {
            // The thread fails only by a panic; the waiting senders got their errors then.
            let _ = task.await;
        }
    }
}
