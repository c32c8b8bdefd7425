//! FIDO metadata: the newest BLOB that a gateway of the realm verified, and how the last attempt to
//! get a newer one went. All gateways of a realm use the same one, and none goes back behind it.

use hallway_evidence::Timestamp;
use sea_orm::sea_query::OnConflict;
use sea_orm::{EntityTrait, IntoActiveModel, Iterable};

use super::column::{Cell, ms, number, text, time};
use super::entity::{metadata as row, metadata_blob as bytes_row};
use super::error::StoreError;
use super::ids::SignerHash;
use super::unit::Unit;

/// Where the realm stands with one signer of metadata.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MetadataState {
    /// The BLOB in use.
    pub blob: Option<BlobRecord>,
    /// When a gateway last looked for a newer BLOB.
    pub checked: Option<Timestamp>,
    /// Why the last look failed, if it did.
    pub problem: Option<String>,
    /// When a gateway looks next.
    pub next_attempt: Timestamp,
}

/// A BLOB that verified when it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobRecord {
    /// Its number.
    pub number: u64,
    /// When its successor is due, midnight UTC.
    pub next_update: Timestamp,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// Where it came from: an address or the name of a file.
    pub source: String,
    /// When it was verified and taken.
    pub taken: Timestamp,
}

/// The metadata of the realm.
#[derive(Clone, Copy, Debug)]
pub struct MetadataRows<'u>(&'u Unit<'u>);

impl Unit<'_> {
    /// The metadata of the realm.
    #[must_use]
    pub const fn metadata(&self) -> MetadataRows<'_> {
        MetadataRows(self)
    }
}

impl TryFrom<row::Model> for MetadataState {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("metadata", column);
        let blob = match (row.number, row.next_update_ms, row.sha256, row.taken_ms) {
            (None, None, None, None) => None,
            (Some(number), Some(next_update), Some(sha256), Some(taken)) => Some(BlobRecord {
                number: cell("number").number(number)?,
                next_update: time(next_update),
                sha256: cell("sha256").hash(&sha256)?,
                source: row.source,
                taken: time(taken),
            }),
            _ => return Err(cell("number").corrupt()),
        };
        Ok(Self {
            blob,
            checked: row.checked_ms.map(time),
            problem: row.problem,
            next_attempt: time(row.next_attempt_ms),
        })
    }
}

impl MetadataRows<'_> {
    async fn put_metadata(
        &self,
        signer: &SignerHash,
        state: MetadataState,
    ) -> Result<(), StoreError> {
        let blob = state.blob.as_ref();
        let row = row::Model {
            signer: signer.as_bytes().to_vec(),
            number: blob
                .map(|blob| number("the BLOB's number", blob.number))
                .transpose()?,
            next_update_ms: blob.map(|blob| ms(blob.next_update)),
            sha256: blob.map(|blob| blob.sha256.to_vec()),
            source: blob.map(|blob| blob.source.clone()).unwrap_or_default(),
            taken_ms: blob.map(|blob| ms(blob.taken)),
            checked_ms: state.checked.map(ms),
            problem: state.problem,
            next_attempt_ms: ms(state.next_attempt),
        };
        row::Entity::insert(row.into_active_model())
            .on_conflict(
                OnConflict::column(row::Column::Signer)
                    .update_columns(row::Column::iter())
                    .to_owned(),
            )
            .exec_without_returning(&self.0.db())
            .await?;
        Ok(())
    }
}

impl MetadataRows<'_> {
    /// Where the realm stands.
    pub async fn state(&self, signer: &SignerHash) -> Result<MetadataState, StoreError> {
        row::Entity::find_by_id(signer.as_bytes().to_vec())
            .one(&self.0.db())
            .await?
            .map_or_else(|| Ok(MetadataState::default()), MetadataState::try_from)
    }

    /// The bytes of the BLOB in use.
    pub async fn blob(&self, signer: &SignerHash) -> Result<Option<Vec<u8>>, StoreError> {
        let row = bytes_row::Entity::find_by_id(signer.as_bytes().to_vec())
            .one(&self.0.db())
            .await?;
        Ok(row.map(|row| row.bytes))
    }

    /// Puts a BLOB into use.
    ///
    /// # Errors
    /// [`StoreError::OlderMetadata`] when one with a higher number is in use.
    pub async fn replace(
        &self,
        signer: &SignerHash,
        record: &BlobRecord,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let state = self.state(signer).await?;
        if let Some(in_use) = &state.blob
            && record.number < in_use.number
        {
            return Err(StoreError::OlderMetadata {
                found: record.number,
                in_use: in_use.number,
            });
        }
        let row = bytes_row::Model {
            signer: signer.as_bytes().to_vec(),
            bytes: bytes.to_vec(),
        };
        bytes_row::Entity::insert(row.into_active_model())
            .on_conflict(
                OnConflict::column(bytes_row::Column::Signer)
                    .update_column(bytes_row::Column::Bytes)
                    .to_owned(),
            )
            .exec_without_returning(&self.0.db())
            .await?;
        let blob = Some(record.clone());
        self.put_metadata(signer, MetadataState { blob, ..state })
            .await
    }

    /// Takes the turn to look for a newer one, until `until`; false while it is somebody else's, or
    /// while nothing is due.
    pub async fn take_turn(
        &self,
        signer: &SignerHash,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        // Units run one after another, so of two gateways one finds that it is not its turn.
        let state = self.state(signer).await?;
        if now < state.next_attempt {
            return Ok(false);
        }
        let next_attempt = until;
        self.put_metadata(
            signer,
            MetadataState {
                next_attempt,
                ..state
            },
        )
        .await?;
        Ok(true)
    }

    /// Notes how looking went, and when to look again.
    pub async fn note_attempt(
        &self,
        signer: &SignerHash,
        now: Timestamp,
        problem: Option<&str>,
        next: Timestamp,
    ) -> Result<(), StoreError> {
        let state = MetadataState {
            checked: Some(now),
            problem: problem.map(text),
            next_attempt: next,
            ..self.state(signer).await?
        };
        self.put_metadata(signer, state).await
    }
}
