//! Locks on files of halls.

use hallway_evidence::{GrantId, Timestamp};
use hallway_hall::files::{Depth, FilePath, Lock, LockHolder, LockToken, LockedStore, Scope};
use hallway_spine::store::column::{Cell, ms, number, time};
use hallway_spine::store::{StoreError, Unit};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder};

use super::entity::hall_lock as row;

/// The locks. Whether their holders may hold them is asked elsewhere: see [`crate::channel::locks`].
#[derive(Clone, Copy, Debug)]
pub struct HallLockRows<'u>(pub(super) &'u Unit<'u>);

fn uuid(token: &LockToken) -> Uuid {
    Uuid::from_bytes(*token.as_bytes())
}

impl TryFrom<row::Model> for Lock {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let corrupt = |column| Cell("hall_lock", column).corrupt();
        let path = String::from_utf8(row.path).map_err(|_| corrupt("path"))?;
        let owner = row.owner.map(|owner| owner.parse());
        Ok(Self {
            token: LockToken::from_bytes(row.token.into_bytes()),
            root: path.parse().map_err(|_| corrupt("path"))?,
            depth: if row.deep {
                Depth::Everything
            } else {
                Depth::Itself
            },
            scope: if row.exclusive {
                Scope::Exclusive
            } else {
                Scope::Shared
            },
            owner: owner.transpose().map_err(|_| corrupt("owner"))?,
            holder: lock_holder(GrantId::from(row.grant_id)),
            ends_ms: time(row.ends_ms).as_ms(),
        })
    }
}

/// Whoever holds a grant, as locks name them.
#[must_use]
pub fn lock_holder(grant: GrantId) -> LockHolder {
    LockHolder(*grant.as_bytes())
}

/// The rows around `path`: on it and on each folder above it, and below it.
fn around(path: &FilePath) -> Condition {
    if path.is_root() {
        return Condition::all();
    }
    let mut above = vec![Vec::new()];
    let bytes = path.as_str().as_bytes();
    let slashes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    above.extend(slashes.map(|(end, _)| bytes[..end].to_vec()));
    above.push(bytes.to_vec());
    // What begins with the path and a slash lies before what begins with it and the next byte.
    let (first, end) = ([bytes, b"/"].concat(), [bytes, b"0"].concat());
    Condition::any().add(row::Column::Path.is_in(above)).add(
        Condition::all()
            .add(row::Column::Path.gte(first))
            .add(row::Column::Path.lt(end)),
    )
}

impl HallLockRows<'_> {
    /// Adds one.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the token is taken.
    pub async fn add(&self, store: &LockedStore, lock: &Lock) -> Result<(), StoreError> {
        let row = row::Model {
            token: uuid(&lock.token),
            hall: store.hall.to_string(),
            store: store.store.to_string(),
            path: lock.root.as_str().as_bytes().to_vec(),
            deep: lock.depth == Depth::Everything,
            exclusive: lock.scope == Scope::Exclusive,
            owner: lock.owner.as_ref().map(ToString::to_string),
            grant_id: Uuid::from_bytes(lock.holder.0),
            ends_ms: number("ends_ms", lock.ends_ms)?,
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.0.db())
            .await
            .map_err(StoreError::inserting("lock"))?;
        Ok(())
    }

    /// The locks that have not ended at `now` on one of `paths`, on a folder that it is in, or on
    /// something in it, in the order of their paths.
    pub async fn around(
        &self,
        store: &LockedStore,
        paths: &[FilePath],
        now: Timestamp,
    ) -> Result<Vec<Lock>, StoreError> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let any = paths
            .iter()
            .map(around)
            .fold(Condition::any(), Condition::add);
        row::Entity::find()
            .filter(row::Column::Hall.eq(store.hall.as_str()))
            .filter(row::Column::Store.eq(store.store.as_str()))
            .filter(row::Column::EndsMs.gt(ms(now)))
            .filter(any)
            .order_by_asc(row::Column::Path)
            .all(&self.0.db())
            .await?
            .into_iter()
            .map(Lock::try_from)
            .collect()
    }

    /// How many a holder has that have not ended at `now`, and how many there are in all.
    pub async fn count(
        &self,
        holder: LockHolder,
        now: Timestamp,
    ) -> Result<(u64, u64), StoreError> {
        let all = row::Entity::find().filter(row::Column::EndsMs.gt(ms(now)));
        let held = row::Column::GrantId.eq(Uuid::from_bytes(holder.0));
        let of_holder = all.clone().filter(held).count(&self.0.db()).await?;
        Ok((of_holder, all.count(&self.0.db()).await?))
    }

    /// Lets one that has not ended at `now` end at `ends`; tells whether there was one.
    pub async fn refresh(
        &self,
        token: &LockToken,
        ends: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let updated = row::Entity::update_many()
            .col_expr(row::Column::EndsMs, Expr::value(ms(ends)))
            .filter(row::Column::Token.eq(uuid(token)))
            .filter(row::Column::EndsMs.gt(ms(now)))
            .exec(&self.0.db())
            .await?;
        Ok(updated.rows_affected > 0)
    }

    /// Ends these.
    pub async fn remove(&self, tokens: &[LockToken]) -> Result<(), StoreError> {
        row::Entity::delete_many()
            .filter(row::Column::Token.is_in(tokens.iter().map(uuid)))
            .exec(&self.0.db())
            .await?;
        Ok(())
    }

    /// Forgets those that ended before `before`, `most` of them; tells how many.
    pub async fn prune(&self, before: Timestamp, most: u64) -> Result<u64, StoreError> {
        self.0
            .forget("hall_lock", "token", "ends_ms", before, most)
            .await
    }
}
