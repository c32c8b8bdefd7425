//! The log's tiles and its head.

use hallway_evidence::log::{Level, Tile};
use sea_orm::sea_query::{Expr, ExprTrait as _, LockType, OnConflict};
use sea_orm::{ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect};

use super::column::{Cell, number};
use super::entity::{log_head, log_tile};
use super::error::StoreError;
use super::unit::Unit;

/// The head of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogHead {
    /// How many entries the log has.
    pub size: u64,
    /// The root of its tree (RFC 6962, section 2.1).
    pub root: [u8; 32],
    /// The signed checkpoint; empty while the log is.
    pub checkpoint: String,
}

/// The log, as it is stored. Only [`crate::ledger`] writes to it.
#[derive(Clone, Copy, Debug)]
pub struct LogRows<'u>(&'u Unit<'u>);

impl Unit<'_> {
    /// The log, as it is stored. Only [`crate::ledger`] writes to it.
    #[must_use]
    pub const fn log(&self) -> LogRows<'_> {
        LogRows(self)
    }
}

const fn level(tile: Tile) -> i16 {
    match tile.level {
        Level::Entries => -1,
        Level::Hashes(level) => level as i16,
    }
}

/// The bytes of the first `tile.width` items: a partial tile is the beginning of the fuller one
/// that took its place. Every entry is a hash of 32 bytes behind its length in 2.
fn cut(tile: Tile, mut data: Vec<u8>) -> Option<Vec<u8>> {
    let item = match tile.level {
        Level::Entries => 34,
        Level::Hashes(_) => 32,
    };
    let length = usize::from(tile.width) * item;
    if data.len() < length {
        return None;
    }
    data.truncate(length);
    Some(data)
}

/// The head's only row.
const HEAD: i16 = 0;

impl LogRows<'_> {
    /// Waits until no other unit has the head of the log, and keeps it until this one ends. That
    /// makes units run one after another on PostgreSQL, as SQLite's single writer does. Every
    /// later statement of the unit sees what the one before it committed (READ COMMITTED).
    pub(crate) async fn lock_head(&self) -> Result<(), StoreError> {
        log_head::Entity::find_by_id(HEAD)
            .lock(LockType::Update)
            .one(&self.0.db())
            .await?
            .ok_or(Cell("log_head", "id").corrupt())?;
        Ok(())
    }
}

impl LogRows<'_> {
    /// The head.
    pub async fn head(&self) -> Result<LogHead, StoreError> {
        let cell = |column| Cell("log_head", column);
        let row = log_head::Entity::find_by_id(HEAD)
            .one(&self.0.db())
            .await?
            .ok_or(cell("id").corrupt())?;
        Ok(LogHead {
            size: cell("size").number(row.size)?,
            root: cell("root").hash(&row.root)?,
            checkpoint: row.checkpoint,
        })
    }

    /// A tile's bytes, if the log holds that many of its items.
    pub async fn tile(&self, tile: Tile) -> Result<Option<Vec<u8>>, StoreError> {
        let row = log_tile::Entity::find_by_id((level(tile), number("tile index", tile.index)?))
            .one(&self.0.db())
            .await?;
        Ok(row.and_then(|row| cut(tile, row.data)))
    }

    /// The bytes of several tiles; those that are not there are left out.
    pub async fn tiles(&self, tiles: &[Tile]) -> Result<Vec<(Tile, Vec<u8>)>, StoreError> {
        if tiles.is_empty() {
            return Ok(Vec::new());
        }
        let mut any = Condition::any();
        for tile in tiles {
            any = any.add(
                log_tile::Column::Level
                    .eq(level(*tile))
                    .and(log_tile::Column::TileIndex.eq(number("tile index", tile.index)?)),
            );
        }
        let rows = log_tile::Entity::find()
            .filter(any)
            .all(&self.0.db())
            .await?;
        Ok(tiles
            .iter()
            .filter_map(|tile| {
                let row = rows.iter().find(|row| {
                    row.level == level(*tile) && u64::try_from(row.tile_index) == Ok(tile.index)
                })?;
                Some((*tile, cut(*tile, row.data.clone())?))
            })
            .collect())
    }

    /// Stores tiles, over shorter ones in their places.
    pub async fn put_tiles(&self, tiles: Vec<(Tile, Vec<u8>)>) -> Result<(), StoreError> {
        if tiles.is_empty() {
            return Ok(());
        }
        let rows = tiles
            .into_iter()
            .map(|(tile, data)| {
                Ok(log_tile::Model {
                    level: level(tile),
                    tile_index: number("tile index", tile.index)?,
                    data,
                }
                .into_active_model())
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        let place = [log_tile::Column::Level, log_tile::Column::TileIndex];
        log_tile::Entity::insert_many(rows)
            .on_conflict(
                OnConflict::columns(place)
                    .update_column(log_tile::Column::Data)
                    .to_owned(),
            )
            .exec_without_returning(&self.0.db())
            .await?;
        Ok(())
    }

    /// Moves the head from a log of `from` entries on to `head`.
    ///
    /// # Errors
    /// [`StoreError::HeadMoved`] when the log no longer has `from` entries.
    pub async fn move_head(&self, from: u64, head: &LogHead) -> Result<(), StoreError> {
        let updated = log_head::Entity::update_many()
            .col_expr(
                log_head::Column::Size,
                Expr::value(number("log size", head.size)?),
            )
            .col_expr(log_head::Column::Root, Expr::value(head.root.to_vec()))
            .col_expr(
                log_head::Column::Checkpoint,
                Expr::value(head.checkpoint.clone()),
            )
            .filter(log_head::Column::Id.eq(HEAD))
            .filter(log_head::Column::Size.eq(number("log size", from)?))
            .exec(&self.0.db())
            .await?;
        match updated.rows_affected {
            0 => Err(StoreError::HeadMoved),
            _ => Ok(()),
        }
    }
}
