//! Units of work: what happens together or not at all.

use core::marker::PhantomData;

use hallway_evidence::Timestamp;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseExecutor, DatabaseTransaction, Statement,
};

use super::column::{ms, number};
use super::error::StoreError;

/// A view of the database: that of a unit of work, or of what is committed.
///
/// Units run one after another, on one gateway or on many: what one reads, no other changes before
/// it ends. Dropping one cancels it. The rows of each table have methods, declared beside the table:
/// `unit.people().get(id)`. Work in a unit may borrow what lives as long as `'a`.
#[derive(Debug)]
pub struct Unit<'a> {
    view: View,
    borrowed: PhantomData<&'a ()>,
}

#[derive(Debug)]
enum View {
    Connection(DatabaseConnection),
    Transaction(DatabaseTransaction),
}

impl From<View> for Unit<'_> {
    fn from(view: View) -> Self {
        Self {
            view,
            borrowed: PhantomData,
        }
    }
}

impl From<DatabaseConnection> for Unit<'_> {
    /// A view in which each change stands alone.
    fn from(connection: DatabaseConnection) -> Self {
        View::Connection(connection).into()
    }
}

impl From<DatabaseTransaction> for Unit<'_> {
    fn from(transaction: DatabaseTransaction) -> Self {
        View::Transaction(transaction).into()
    }
}

impl Unit<'_> {
    /// What statements run on: for the rows of a door.
    #[must_use]
    pub fn db(&self) -> DatabaseExecutor<'_> {
        match &self.view {
            View::Connection(connection) => connection.into(),
            View::Transaction(transaction) => transaction.into(),
        }
    }

    /// Keeps everything. When this returns, it is on disk.
    ///
    /// # Errors
    /// When the database could not keep it; nothing is kept then, unless the connection broke
    /// while the database answered, which nobody can know.
    pub async fn save(self) -> Result<(), StoreError> {
        match self.view {
            View::Transaction(transaction) => Ok(transaction.commit().await?),
            View::Connection(_) => Ok(()),
        }
    }

    /// Keeps nothing.
    ///
    /// # Errors
    /// When the connection broke; nothing is kept then either.
    pub async fn cancel(self) -> Result<(), StoreError> {
        match self.view {
            View::Transaction(transaction) => Ok(transaction.rollback().await?),
            View::Connection(_) => Ok(()),
        }
    }

    /// Deletes rows of `table` whose `time` was before `before`, the first `most` of them; tells how
    /// many.
    pub async fn forget(
        &self,
        table: &'static str,
        key: &'static str,
        time: &'static str,
        before: Timestamp,
        most: u64,
    ) -> Result<u64, StoreError> {
        let sql = format!(
            "DELETE FROM {table} WHERE {key} IN \
             (SELECT {key} FROM {table} WHERE {time} < $1 ORDER BY {time} LIMIT $2)"
        );
        let values: [sea_orm::Value; 2] = [ms(before).into(), number("most", most)?.into()];
        let backend = self.db().get_database_backend();
        let statement = Statement::from_sql_and_values(backend, sql, values);
        Ok(self.db().execute_raw(statement).await?.rows_affected())
    }
}
