//! The tables, step by step: one set of migrations for every database.
//!
//! A migration that was released is never changed. Two versions of the gateway may run side by
//! side, so a migration only adds; what is no longer used is removed one release later.

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sea_orm::{
    ActiveValue, DatabaseConnection, DatabaseTransaction, EntityTrait, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager, seaql_migrations};

use super::error::StoreError;

mod first;
mod former_logs;
mod grounds;
pub mod make;
mod metadata;
mod own_authorities;
mod refusal_counts;
mod revocation;
pub mod statements;
mod witness;

/// The migrations of what every door stands on.
pub(super) fn own() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(first::First),
        Box::new(metadata::Metadata),
        Box::new(witness::Witness),
        Box::new(own_authorities::OwnAuthorities),
        Box::new(former_logs::FormerLogs),
        Box::new(refusal_counts::RefusalCounts),
        Box::new(grounds::Grounds),
        Box::new(revocation::Revocation),
    ]
}

/// Installs the migrator's own table.
struct Installed;

impl MigratorTrait for Installed {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        Vec::new()
    }
}

/// How often a gateway tries again when others migrate at the same moment.
const ATTEMPTS: u32 = 20;

/// Brings the tables up to date.
///
/// Any number of gateways may do this at once: everything happens in one transaction, so of two
/// that run into each other one commits and the other one's changes vanish whole; it looks again
/// and finds nothing left to do. PostgreSQL reports the collision as any of several errors (a
/// duplicate table, a duplicate type, a unique violation), so every error is tried again.
pub async fn run(
    database: &DatabaseConnection,
    steps: &[Box<dyn MigrationTrait>],
) -> Result<(), StoreError> {
    let mut attempt = 0;
    loop {
        match run_once(database, steps).await {
            Ok(()) => return Ok(()),
            Err(error @ StoreError::OtherVersion) => return Err(error),
            Err(error) if attempt == ATTEMPTS => return Err(error),
            Err(error) => tracing::debug!(%error, attempt, "migrating again"),
        }
        attempt += 1;
        tokio::time::sleep(Duration::from_millis(u64::from(attempt) * 25)).await;
    }
}

async fn run_once(
    database: &DatabaseConnection,
    steps: &[Box<dyn MigrationTrait>],
) -> Result<(), StoreError> {
    let transaction = database
        .begin_with_options(TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        })
        .await
        .map_err(StoreError::Migrate)?;
    match bring_up(&transaction, steps).await {
        Ok(()) => transaction.commit().await.map_err(StoreError::Migrate),
        Err(error) => {
            transaction.rollback().await.map_err(StoreError::Migrate)?;
            Err(error)
        }
    }
}

async fn bring_up(
    transaction: &DatabaseTransaction,
    steps: &[Box<dyn MigrationTrait>],
) -> Result<(), StoreError> {
    Installed::install(transaction)
        .await
        .map_err(StoreError::Migrate)?;
    let applied: HashSet<String> = seaql_migrations::Entity::find()
        .all(transaction)
        .await
        .map_err(StoreError::Migrate)?
        .into_iter()
        .map(|row| row.version)
        .collect();
    // A newer gateway may have added tables that this one does not know: sea-orm calls that an
    // error, here it is the ordinary course of an upgrade.
    let is_ours = |step: &String| steps.iter().any(|ours| ours.name() == step);
    let missing: Vec<_> = steps
        .iter()
        .filter(|ours| !applied.contains(ours.name()))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    // A database that lacks a migration of ours and has one of another version is refused.
    if !applied.iter().all(is_ours) {
        return Err(StoreError::OtherVersion);
    }
    let manager = SchemaManager::new(transaction);
    for step in missing {
        step.up(&manager).await.map_err(StoreError::Migrate)?;
        let row = seaql_migrations::ActiveModel {
            version: ActiveValue::Set(step.name().to_owned()),
            applied_at: ActiveValue::Set(now_s()),
        };
        seaql_migrations::Entity::insert(row)
            .exec_without_returning(transaction)
            .await
            .map_err(StoreError::Migrate)?;
    }
    Ok(())
}

/// Seconds since 1970, for a person who reads the table.
fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use sea_orm::PaginatorTrait;

    use super::*;
    use crate::store::connect::{self, Address};

    #[tokio::test]
    async fn tables_of_a_newer_gateway_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hallway.db");
        let database = connect::open(&Address::Sqlite(path)).await.unwrap().writer;
        run(&database, &own()).await.unwrap();
        let newer = seaql_migrations::ActiveModel {
            version: ActiveValue::Set("9999_of_the_future".to_owned()),
            applied_at: ActiveValue::Set(1),
        };
        seaql_migrations::Entity::insert(newer)
            .exec_without_returning(&database)
            .await
            .unwrap();
        run(&database, &own()).await.unwrap();
        let known = seaql_migrations::Entity::find().count(&database).await;
        assert_eq!(known.unwrap(), own().len() as u64 + 1);
    }
}
