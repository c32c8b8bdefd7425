//! The witnesses of this realm's own log: what each of them cosigned last, and how asking went.

use hallway_evidence::Timestamp;
use hallway_evidence::log::CosignerKey;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, Iterable, QueryFilter};

use super::column::{Cell, ms, number, text, time};
use super::entity::cosigner as row;
use super::error::StoreError;
use super::unit::Unit;

/// Where the realm stands with one witness.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CosignerState {
    /// The last checkpoint that it cosigned.
    pub cosigned: Option<CosignedCheckpoint>,
    /// When it was asked last.
    pub asked: Option<Timestamp>,
    /// Why it did not cosign the last time, if it did not.
    pub problem: Option<String>,
    /// The number of failures since it last cosigned.
    pub failures: u64,
    /// When a gateway asks next.
    pub next_attempt: Timestamp,
}

/// A checkpoint of the realm's log with a witness's cosignature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignedCheckpoint {
    /// How many entries it is for.
    pub size: u64,
    /// The note: signed by the log and by this witness.
    pub note: String,
    /// When, by the witness's clock.
    pub at: Timestamp,
}

/// The witnesses of the realm's log. Those of another configuration stay, and are not used.
#[derive(Clone, Copy, Debug)]
pub struct CosignerRows<'u>(&'u Unit<'u>);

impl Unit<'_> {
    /// The witnesses of the realm's log. Those of another configuration stay, and are not used.
    #[must_use]
    pub const fn cosigners(&self) -> CosignerRows<'_> {
        CosignerRows(self)
    }
}

impl TryFrom<row::Model> for CosignerState {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("cosigner", column);
        let cosigned = match row.checkpoint.zip(row.cosigned_ms) {
            Some((note, at)) => Some(CosignedCheckpoint {
                size: cell("size").number(row.size)?,
                note,
                at: time(at),
            }),
            None => None,
        };
        Ok(Self {
            cosigned,
            asked: row.asked_ms.map(time),
            problem: row.problem,
            failures: cell("failures").number(row.failures)?,
            next_attempt: time(row.next_attempt_ms),
        })
    }
}

impl CosignerRows<'_> {
    async fn put_cosigner(
        &self,
        witness: &CosignerKey,
        state: CosignerState,
    ) -> Result<(), StoreError> {
        let size = state.cosigned.as_ref().map_or(0, |cosigned| cosigned.size);
        let row = row::Model {
            witness_key: witness.to_string(),
            size: number("log size", size)?,
            cosigned_ms: state.cosigned.as_ref().map(|cosigned| ms(cosigned.at)),
            checkpoint: state.cosigned.map(|cosigned| cosigned.note),
            asked_ms: state.asked.map(ms),
            problem: state.problem,
            failures: number("failures", state.failures)?,
            next_attempt_ms: ms(state.next_attempt),
        };
        row::Entity::insert(row.into_active_model())
            .on_conflict(
                OnConflict::column(row::Column::WitnessKey)
                    .update_columns(row::Column::iter())
                    .to_owned(),
            )
            .exec_without_returning(&self.0.db())
            .await?;
        Ok(())
    }
}

// Units run one after another, so nobody changes a row between the look and the change.
impl CosignerRows<'_> {
    /// Where the realm stands with a witness.
    pub async fn state(&self, witness: &CosignerKey) -> Result<CosignerState, StoreError> {
        row::Entity::find_by_id(witness.to_string())
            .one(&self.0.db())
            .await?
            .map_or_else(|| Ok(CosignerState::default()), CosignerState::try_from)
    }

    /// The last checkpoint of each witness.
    pub async fn cosigned(&self) -> Result<Vec<CosignedCheckpoint>, StoreError> {
        let rows = row::Entity::find().all(&self.0.db()).await?;
        let states = rows.into_iter().map(CosignerState::try_from);
        states
            .filter_map(|state| state.map(|state| state.cosigned).transpose())
            .collect()
    }

    /// The keys of those that cosigned one.
    pub async fn known(&self) -> Result<Vec<CosignerKey>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::Checkpoint.is_not_null())
            .all(&self.0.db())
            .await?;
        rows.into_iter()
            .map(|row| {
                let key = row.witness_key.parse();
                key.map_err(|_| Cell("cosigner", "witness_key").corrupt())
            })
            .collect()
    }

    /// Stores a cosigned checkpoint, if it is not behind the stored one, and the time at which it came. The
    /// gateway that has the turn may give the turn up.
    pub async fn keep(
        &self,
        witness: &CosignerKey,
        cosigned: &CosignedCheckpoint,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let known = self.state(witness).await?;
        let newer = known
            .cosigned
            .filter(|known| (known.size, known.at) > (cosigned.size, cosigned.at));
        let state = CosignerState {
            cosigned: Some(newer.unwrap_or_else(|| cosigned.clone())),
            asked: Some(now),
            problem: None,
            failures: 0,
            next_attempt: now,
        };
        self.put_cosigner(witness, state).await
    }

    /// Notes that it did not cosign, and when to ask again.
    pub async fn failed(
        &self,
        witness: &CosignerKey,
        problem: &str,
        now: Timestamp,
        next: Timestamp,
    ) -> Result<(), StoreError> {
        let known = self.state(witness).await?;
        let state = CosignerState {
            cosigned: known.cosigned,
            asked: Some(now),
            problem: Some(text(problem)),
            failures: known.failures.saturating_add(1),
            next_attempt: next,
        };
        self.put_cosigner(witness, state).await
    }

    /// Takes the turn to ask, until `until`. False while another gateway has the turn, or while it is not
    /// time to ask again.
    pub async fn take_turn(
        &self,
        witness: &CosignerKey,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let known = self.state(witness).await?;
        if now < known.next_attempt {
            return Ok(false);
        }
        let state = CosignerState {
            next_attempt: until,
            ..known
        };
        self.put_cosigner(witness, state).await?;
        Ok(true)
    }
}
