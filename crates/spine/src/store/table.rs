//! A table, as a backup sees it.

use async_trait::async_trait;
use core::marker::PhantomData;
use sea_orm::{
    ActiveModelTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, PaginatorTrait, Value,
};

use super::dump::{self, DumpError, Write};

/// A table of a door, and what a backup holds of it.
pub struct Table {
    name: String,
    after: &'static [&'static str],
    rows: Option<Box<dyn Rows>>,
}

impl Table {
    /// A table whose rows a backup holds as they are.
    #[must_use]
    pub fn of<E: Kept>() -> Self
    where
        E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
        E::Model: IntoActiveModel<E::ActiveModel>,
    {
        Self::held_by::<E>(core::convert::identity)
    }

    /// A table whose rows a backup holds as `held` makes them.
    #[must_use]
    pub fn held_by<E: Kept>(held: fn(E::Model) -> E::Model) -> Self
    where
        E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
        E::Model: IntoActiveModel<E::ActiveModel>,
    {
        let rows = RowsOf {
            held,
            entity: PhantomData::<E>,
        };
        Self {
            name: E::default().table_name().to_owned(),
            after: &[],
            rows: Some(Box::new(rows)),
        }
    }

    /// A table that stays behind: a backup holds nothing that opens a door without a key.
    #[must_use]
    pub fn left_behind(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            after: &[],
            rows: None,
        }
    }

    /// Names the tables to which this one refers: they are filled first.
    #[must_use]
    pub fn after(self, after: &'static [&'static str]) -> Self {
        Self { after, ..self }
    }

    /// What the database calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn rows(&self) -> Option<&dyn Rows> {
        self.rows.as_deref()
    }
}

/// The tables, each after those that it refers to; otherwise in the order in which they are given.
pub(super) fn in_order(mut given: Vec<Table>) -> Vec<Table> {
    let mut ordered: Vec<Table> = Vec::with_capacity(given.len());
    while !given.is_empty() {
        let waits = |table: &Table| {
            let later = |name: &&str| given.iter().any(|other| other.name == *name);
            table.after.iter().any(later)
        };
        // Of tables that wait for each other, which no database allows, the first one goes first.
        let next = given.iter().position(|table| !waits(table)).unwrap_or(0);
        ordered.push(given.remove(next));
    }
    ordered
}

/// An entity whose rows can be kept in a backup.
pub trait Kept: EntityTrait<Model: Send + Sync> {}

impl<E: EntityTrait<Model: Send + Sync>> Kept for E {}

/// What a backup does with the rows of a table.
#[async_trait]
pub(super) trait Rows: Send + Sync {
    async fn dump(
        &self,
        database: &DatabaseTransaction,
        write: &mut Write<'_>,
    ) -> Result<u64, DumpError>;

    async fn insert(
        &self,
        database: &DatabaseTransaction,
        columns: &[String],
        rows: Vec<Vec<Value>>,
    ) -> Result<(), DumpError>;

    async fn count(&self, database: &DatabaseTransaction) -> Result<u64, DumpError>;
}

struct RowsOf<E: EntityTrait> {
    held: fn(E::Model) -> E::Model,
    entity: PhantomData<E>,
}

#[async_trait]
impl<E: Kept> Rows for RowsOf<E>
where
    E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
    E::Model: IntoActiveModel<E::ActiveModel>,
{
    async fn dump(
        &self,
        database: &DatabaseTransaction,
        write: &mut Write<'_>,
    ) -> Result<u64, DumpError> {
        dump::dump::<E>(database, write, self.held).await
    }

    async fn insert(
        &self,
        database: &DatabaseTransaction,
        columns: &[String],
        rows: Vec<Vec<Value>>,
    ) -> Result<(), DumpError> {
        dump::insert::<E>(database, columns, rows).await
    }

    async fn count(&self, database: &DatabaseTransaction) -> Result<u64, DumpError> {
        Ok(PaginatorTrait::count(E::find(), database).await?)
    }
}
