//! Others' logs to which this realm is witness: the last checkpoint of each that it cosigned.

use hallway_evidence::Timestamp;
use hallway_evidence::log::{Fork, Latest, VerifierKey};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};

use super::column::{Cell, ms, number, time};
use super::entity::{former_log, witnessed_log as row};
use super::error::StoreError;
use super::ids::EvidenceHash;
use super::unit::Unit;

/// What this realm knows of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessedLog {
    /// The key under which the log signed all of it.
    pub key: VerifierKey,
    /// The last checkpoint that was cosigned.
    pub latest: Latest,
    /// When it was.
    pub cosigned: Timestamp,
    /// The proof that the log was rewritten, and when it came. Nothing is cosigned any more then.
    pub fork: Option<(Fork, Timestamp)>,
    /// The size of the last checkpoint that came, under the log's signature, without a proof that
    /// it grew out of [`WitnessedLog::latest`], and when. Anybody can spoil a proof on its way, so
    /// this proves nothing by itself.
    pub doubted: Option<(u64, Timestamp)>,
}

/// What this realm knew of a log that has begun anew since, under another key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerLog {
    /// The last that it knew, with the proof that the log was rewritten, if it was.
    pub log: WitnessedLog,
    /// When it began anew.
    pub ended: Timestamp,
    /// The evidence of the act by which it did.
    pub evidence: EvidenceHash,
}

/// How many former logs are listed.
const MAX_FORMER: u64 = 256;

/// The logs that are witnessed.
#[derive(Clone, Copy, Debug)]
pub struct WitnessedRows<'u>(&'u Unit<'u>);

impl Unit<'_> {
    /// The logs that are witnessed.
    #[must_use]
    pub const fn witnessed(&self) -> WitnessedRows<'_> {
        WitnessedRows(self)
    }
}

impl TryFrom<row::Model> for WitnessedLog {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("witnessed_log", column);
        let key: VerifierKey = row.log_key.parse().map_err(|_| cell("log_key").corrupt())?;
        let latest =
            Latest::open(&row.checkpoint, &key).map_err(|_| cell("checkpoint").corrupt())?;
        let size = cell("size").number(row.size)?;
        if latest.checkpoint().size != size || latest.checkpoint().origin != row.origin {
            return Err(cell("size").corrupt());
        }
        let fork = match row.fork.zip(row.forked_ms) {
            Some((json, at)) => {
                let fork = serde_json::from_str(&json).map_err(|_| cell("fork").corrupt())?;
                Some((fork, time(at)))
            }
            None => None,
        };
        let doubted = match row.doubted_size.zip(row.doubted_ms) {
            Some((size, at)) => Some((cell("doubted_size").number(size)?, time(at))),
            None => None,
        };
        Ok(Self {
            key,
            latest,
            cosigned: time(row.cosigned_ms),
            fork,
            doubted,
        })
    }
}

impl TryFrom<former_log::Model> for FormerLog {
    type Error = StoreError;

    fn try_from(former: former_log::Model) -> Result<Self, StoreError> {
        let evidence = Cell("former_log", "evidence").hash(&former.evidence)?;
        Ok(Self {
            ended: time(former.ended_ms),
            evidence,
            log: WitnessedLog::try_from(row::Model {
                origin: former.origin,
                log_key: former.log_key,
                size: former.size,
                checkpoint: former.checkpoint,
                cosigned_ms: former.cosigned_ms,
                fork: former.fork,
                forked_ms: former.forked_ms,
                doubted_size: None,
                doubted_ms: None,
            })?,
        })
    }
}

impl WitnessedRows<'_> {
    /// All of them, by origin.
    pub async fn all(&self) -> Result<Vec<WitnessedLog>, StoreError> {
        let rows = row::Entity::find()
            .order_by_asc(row::Column::Origin)
            .all(&self.0.db())
            .await?;
        rows.into_iter().map(WitnessedLog::try_from).collect()
    }

    /// The one of this origin, whatever key it has.
    pub async fn of(&self, origin: &str) -> Result<Option<WitnessedLog>, StoreError> {
        let row = row::Entity::find_by_id(origin).one(&self.0.db()).await?;
        row.map(WitnessedLog::try_from).transpose()
    }

    /// Moves the record of a log on, from the checkpoint of `from` entries to another one; `None`
    /// when there is no record yet. Only after that may the cosignature leave the gateway.
    ///
    /// # Errors
    /// [`StoreError::WitnessMoved`] when somebody else moved it meanwhile, or it forked.
    pub async fn advance(
        &self,
        from: Option<u64>,
        key: &VerifierKey,
        to: &Latest,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let checkpoint = to.checkpoint();
        let size = number("log size", checkpoint.size)?;
        let Some(from) = from else {
            let row = row::Model {
                origin: checkpoint.origin.clone(),
                log_key: key.to_string(),
                size,
                checkpoint: to.note().to_owned(),
                cosigned_ms: ms(now),
                fork: None,
                forked_ms: None,
                doubted_size: None,
                doubted_ms: None,
            };
            return row::Entity::insert(row.into_active_model())
                .exec_without_returning(&self.0.db())
                .await
                .map(|_| ())
                .map_err(StoreError::inserting("witnessed log"))
                .map_err(|error| match error {
                    StoreError::Exists { .. } => StoreError::WitnessMoved,
                    error => error,
                });
        };
        let updated = row::Entity::update_many()
            .col_expr(row::Column::Size, Expr::value(size))
            .col_expr(row::Column::Checkpoint, Expr::value(to.note()))
            .col_expr(row::Column::CosignedMs, Expr::value(ms(now)))
            .filter(row::Column::Origin.eq(&checkpoint.origin))
            .filter(row::Column::LogKey.eq(key.to_string()))
            .filter(row::Column::Size.eq(number("log size", from)?))
            .filter(row::Column::Fork.is_null())
            .exec(&self.0.db())
            .await?;
        match updated.rows_affected {
            0 => Err(StoreError::WitnessMoved),
            _ => Ok(()),
        }
    }

    /// Keeps the proof that a log was rewritten; the first one, if there are more.
    pub async fn forked(
        &self,
        origin: &str,
        fork: &Fork,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let json =
            serde_json::to_string(fork).map_err(|_| Cell("witnessed_log", "fork").corrupt())?;
        row::Entity::update_many()
            .col_expr(row::Column::Fork, Expr::value(json))
            .col_expr(row::Column::ForkedMs, Expr::value(ms(now)))
            .filter(row::Column::Origin.eq(origin))
            .filter(row::Column::Fork.is_null())
            .exec(&self.0.db())
            .await?;
        Ok(())
    }

    /// Notes a checkpoint that came without a proof that holds.
    pub async fn doubt(&self, origin: &str, size: u64, now: Timestamp) -> Result<(), StoreError> {
        row::Entity::update_many()
            .col_expr(
                row::Column::DoubtedSize,
                Expr::value(number("log size", size)?),
            )
            .col_expr(row::Column::DoubtedMs, Expr::value(ms(now)))
            .filter(row::Column::Origin.eq(origin))
            .exec(&self.0.db())
            .await?;
        Ok(())
    }

    /// Puts what is known of a log aside, because it begins anew. `log` is what is known; what
    /// comes next of this origin is the first that is.
    ///
    /// # Errors
    /// [`StoreError::WitnessMoved`] when something else is known by now.
    pub async fn begin_anew(
        &self,
        log: &WitnessedLog,
        evidence: EvidenceHash,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let origin = &log.latest.checkpoint().origin;
        let known = row::Entity::find_by_id(origin).one(&self.0.db()).await?;
        let known = known.ok_or(StoreError::WitnessMoved)?;
        if WitnessedLog::try_from(known.clone())? != *log {
            return Err(StoreError::WitnessMoved);
        }
        let former = former_log::Model {
            evidence: evidence.0.to_vec(),
            origin: known.origin,
            log_key: known.log_key,
            size: known.size,
            checkpoint: known.checkpoint,
            cosigned_ms: known.cosigned_ms,
            fork: known.fork,
            forked_ms: known.forked_ms,
            ended_ms: ms(now),
        };
        former_log::Entity::insert(former.into_active_model())
            .exec_without_returning(&self.0.db())
            .await?;
        row::Entity::delete_by_id(origin).exec(&self.0.db()).await?;
        Ok(())
    }

    /// What was put aside, newest first.
    pub async fn former(&self) -> Result<Vec<FormerLog>, StoreError> {
        let rows = former_log::Entity::find()
            .order_by_desc(former_log::Column::EndedMs)
            .limit(MAX_FORMER)
            .all(&self.0.db())
            .await?;
        rows.into_iter().map(FormerLog::try_from).collect()
    }
}
