//! Updates the knowledge: looks for a newer BLOB, and takes the BLOB that another gateway found.

use std::sync::Arc;
use std::time::Duration;

use hallway_client::backoff::jittered;
use hallway_evidence::Timestamp;
use hallway_webauthn::UnixSeconds;
use hallway_webauthn::metadata::{BlobError, Metadata};

use tokio::task::JoinError;

use super::distrust;
use super::known::{Files, Known, MadeOf};
use super::source::Source;
use crate::http::problem::Problem;
use crate::store::{BlobRecord, MetadataState, StoreError};
use crate::{Gateway, sha256};

/// How often a gateway checks whether its turn has come, or whether another one found a BLOB.
const POLL: Duration = Duration::from_secs(60);
/// How long one gateway has the turn: longer than a look can take.
const TURN: Duration = Duration::from_secs(600);
/// The longest pause after a failure.
const RETRY: Duration = Duration::from_secs(3600);

/// Why the knowledge could not be updated. It stays as it was then.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database holds a BLOB without a valid signature: the revoked models are unknown then.
    #[error("the metadata BLOB in the database is damaged: {0}; restore it from a backup")]
    Stored(#[from] BlobError),
    /// The folder of local statements cannot be read.
    #[error("the folder of metadata statements cannot be read: {0}")]
    Statements(#[from] std::io::Error),
    /// A thread ended.
    #[error("reading metadata was cut off: {0}")]
    CutOff(#[from] JoinError),
}

impl From<LearnError> for Problem {
    fn from(error: LearnError) -> Self {
        match error {
            LearnError::Store(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

/// Takes the BLOB from the database and the statements from the folder.
///
/// # Errors
/// [`LearnError`].
pub async fn load(gateway: &Gateway) -> Result<(), LearnError> {
    let models = &gateway.models;
    if !models.is_configured() {
        return Ok(());
    }
    let signer = models.signer.hash();
    let reader = gateway.store.read();
    let state = reader.metadata().state(&signer).await?;
    let files = match models.statements.clone() {
        None => Files::default(),
        Some(statements) => aside(move || statements.read()).await??,
    };
    let known = models.known();
    let made_of = MadeOf {
        blob: state.blob.as_ref().map(|blob| blob.sha256),
        statements: files.hash(),
    };
    if made_of == known.made_of {
        if state != known.state {
            models.learn(known.with_state(state));
        }
        return Ok(());
    }
    let bytes = match &state.blob {
        None => None,
        Some(record) => {
            let bytes = reader.metadata().blob(&signer).await?;
            Some((bytes.unwrap_or_default(), record.clone()))
        }
    };
    let gateway_too = gateway.clone();
    let made = aside(move || {
        let metadata = match bytes {
            None => Metadata::new(),
            Some((bytes, record)) => {
                let trust = gateway_too.models.signer.trust_in_stored();
                let metadata = Metadata::from_blob(&bytes, &trust, seconds(record.taken))?;
                warn_of_unreadable(&metadata);
                metadata
            }
        };
        Ok::<_, BlobError>(Known::new(metadata, &files, made_of.blob))
    });
    let made = made.await??;
    tracing::info!(models = made.metadata.models().len(), "metadata are in use");
    models.learn(Known {
        state,
        generation: known.generation + 1,
        ..made
    });
    Ok(())
}

fn warn_of_unreadable(metadata: &Metadata) {
    const MAX_WARNINGS: usize = 20;
    for entry in metadata.unreadable().iter().take(MAX_WARNINGS) {
        let models: Vec<String> = entry.models.iter().map(ToString::to_string).collect();
        tracing::warn!(
            models = models.join(" "),
            reason = entry.reason,
            "a metadata entry cannot be read: keys of its models are refused"
        );
    }
    if let Some(more) = metadata.unreadable().len().checked_sub(MAX_WARNINGS + 1) {
        tracing::warn!(entries = more + 1, "as many more cannot be read");
    }
}

/// Looks at every source now, and takes a newer BLOB from there.
///
/// # Errors
/// As [`load`]. A source that gives no BLOB is no error: its problem is recorded for people.
pub async fn refresh(gateway: &Gateway) -> Result<(), LearnError> {
    let models = &gateway.models;
    let _alone = models.looking.lock().await;
    if !models.sources.is_empty() {
        let mut problems = Vec::new();
        for source in &models.sources {
            if let Err(problem) = look(gateway, source).await {
                tracing::warn!(%source, problem, "no newer metadata");
                problems.push(format!("{source}: {problem}"));
            }
        }
        note(gateway, &problems).await?;
    }
    load(gateway).await
}

async fn look(gateway: &Gateway, source: &Source) -> Result<(), String> {
    let bytes = source.read().await.map_err(|error| error.to_string())?;
    let signer = gateway.models.signer.hash();
    let in_use: MetadataState = gateway
        .store
        .read()
        .metadata()
        .state(&signer)
        .await
        .map_err(|error| error.to_string())?;
    let hash = sha256(&bytes);
    if in_use.blob.as_ref().is_some_and(|blob| blob.sha256 == hash) {
        return Ok(());
    }
    let (now, in_use) = (gateway.now(), in_use.blob.map(|blob| blob.number));
    let gateway_too = gateway.clone();
    let (bytes, checked) = aside(move || {
        let trust = gateway_too.models.signer.trust(in_use);
        let checked = Metadata::from_blob(&bytes, &trust, seconds(now))
            .map(|metadata| (metadata.number(), metadata.next_update()));
        (bytes, checked)
    })
    .await
    .map_err(|error| error.to_string())?;
    let (number, next_update) = match checked.map_err(|error| error.to_string())? {
        (Some(number), Some(next_update)) => (number, next_update),
        _ => return Err("the BLOB has no number".to_owned()),
    };
    let record = BlobRecord {
        number,
        next_update: Timestamp::from_ms(u64::try_from(next_update.0).unwrap_or(0) * 1000),
        sha256: hash,
        source: source.to_string(),
        taken: now,
    };
    let (signer, record, bytes) = (&signer, &record, &bytes);
    gateway
        .store
        .transact(|unit| {
            Box::pin(async move { unit.metadata().replace(signer, record, bytes).await })
        })
        .await
        .map_err(|error: StoreError| error.to_string())?;
    tracing::info!(number, %source, "took a metadata BLOB");
    Ok(())
}

async fn note(gateway: &Gateway, problems: &[String]) -> Result<(), LearnError> {
    let interval = gateway.models.refresh_hours.hours();
    let pause = if problems.is_empty() {
        interval
    } else {
        interval.min(RETRY)
    };
    let now = gateway.now();
    let (signer, next) = (gateway.models.signer.hash(), now.plus(jittered(pause)));
    let problem = (!problems.is_empty()).then(|| problems.join("; "));
    let problem = problem.as_deref();
    let noted: Result<(), StoreError> = gateway
        .store
        .transact(|unit| {
            Box::pin(async move {
                let metadata = unit.metadata();
                metadata.note_attempt(&signer, now, problem, next).await
            })
        })
        .await;
    Ok(noted?)
}

/// Looks for newer metadata when it is time, and takes those of other gateways, as long as the gateway
/// serves. Judges all keys at the start, because the policy may be another one, and whenever the
/// knowledge changes. Without a source, the knowledge never changes.
pub async fn keep_up(gateway: Gateway) {
    let mut judged = None;
    while judged.is_none() || gateway.models.is_configured() {
        if gateway.models.is_configured() {
            learn(&gateway).await;
        }
        let epoch = Some(gateway.models.epoch(gateway.now()));
        if judged != epoch {
            match distrust::end_what_they_opened(&gateway).await {
                Ok(()) => judged = epoch,
                Err(problem) => tracing::warn!(detail = problem.detail, "keys were not judged"),
            }
        }
        tokio::time::sleep(jittered(POLL)).await;
    }
}

async fn learn(gateway: &Gateway) {
    let done = match take_turn(gateway).await {
        Ok(true) => refresh(gateway).await,
        Ok(false) => load(gateway).await,
        Err(error) => Err(error),
    };
    if let Err(error) = done {
        tracing::warn!(%error, "metadata stay as they were");
    }
}

async fn take_turn(gateway: &Gateway) -> Result<bool, LearnError> {
    if gateway.models.sources.is_empty() {
        return Ok(false);
    }
    let (signer, now) = (gateway.models.signer.hash(), gateway.now());
    let known = gateway.store.read().metadata().state(&signer).await?;
    if now < known.next_attempt {
        return Ok(false);
    }
    let turn: Result<bool, StoreError> = gateway
        .store
        .transact(|unit| {
            Box::pin(async move {
                let metadata = unit.metadata();
                metadata.take_turn(&signer, now, now.plus(TURN)).await
            })
        })
        .await;
    Ok(turn?)
}

/// Runs a long computation on a thread of its own, so that other tasks go on.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    tokio::task::spawn_blocking(work).await
}

fn seconds(time: Timestamp) -> UnixSeconds {
    UnixSeconds::from_ms(time.as_ms())
}

/// The state of the knowledge when a verdict was given; see [`super::verdict`].
impl super::Models {
    /// Changes with the knowledge, and at midnight UTC, when status reports come into force.
    pub fn epoch(&self, now: Timestamp) -> u64 {
        const DAY_MS: u64 = 86_400_000;
        let known: Arc<Known> = self.known();
        (known.generation << 32) | (now.as_ms() / DAY_MS + 1)
    }
}
