//! The tables, step by step: one set of migrations for every database.
//!
//! A migration that was released is never changed. Two versions of the gateway may run side by
//! side, so a migration only adds; what is no longer used is removed one release later.

use std::collections::HashSet;
use std::time::Duration;

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, EntityTrait, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use sea_orm_migration::seaql_migrations;
use sea_orm_migration::{MigrationTrait, MigratorTrait};

use super::error::StoreError;

mod agent_names;
mod announcement_networks;
mod crossing;
mod device_marks;
mod first;
mod former_logs;
mod grounds;
mod hall_locks;
mod halls;
mod metadata;
mod needs;
mod own_authorities;
mod ownerships;
mod partners;
mod refusal_counts;
mod revocation;
mod set_aside;
mod statements;
mod visits;
mod witness;

/// Knows every migration, oldest first.
struct Migrations;

impl MigratorTrait for Migrations {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(first::First),
            Box::new(metadata::Metadata),
            Box::new(halls::Halls),
            Box::new(partners::Partners),
            Box::new(visits::Visits),
            Box::new(witness::Witness),
            Box::new(needs::Needs),
            Box::new(own_authorities::OwnAuthorities),
            Box::new(former_logs::FormerLogs),
            Box::new(crossing::Crossing),
            Box::new(device_marks::DeviceMarks),
            Box::new(ownerships::Ownerships),
            Box::new(refusal_counts::RefusalCounts),
            Box::new(announcement_networks::AnnouncementNetworks),
            Box::new(agent_names::AgentNames),
            Box::new(grounds::Grounds),
            Box::new(revocation::Revocation),
            Box::new(set_aside::SetAside),
            Box::new(hall_locks::HallLocks),
        ]
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
pub(super) async fn run(database: &DatabaseConnection) -> Result<(), StoreError> {
    let mut attempt = 0;
    loop {
        match run_once(database).await {
            Ok(()) => return Ok(()),
            Err(error @ StoreError::OtherVersion) => return Err(error),
            Err(error) if attempt == ATTEMPTS => return Err(error),
            Err(error) => tracing::debug!(%error, attempt, "migrating again"),
        }
        attempt += 1;
        tokio::time::sleep(Duration::from_millis(u64::from(attempt) * 25)).await;
    }
}

async fn run_once(database: &DatabaseConnection) -> Result<(), StoreError> {
    let transaction = database
        .begin_with_options(TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        })
        .await
        .map_err(StoreError::Migrate)?;
    match bring_up(&transaction).await {
        Ok(()) => transaction.commit().await.map_err(StoreError::Migrate),
        Err(error) => {
            transaction.rollback().await.map_err(StoreError::Migrate)?;
            Err(error)
        }
    }
}

async fn bring_up(transaction: &DatabaseTransaction) -> Result<(), StoreError> {
    Migrations::install(transaction)
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
    let (is_up_to_date, is_before) = {
        let ours = Migrations::migrations();
        let is_ours = |step: &String| ours.iter().any(|ours| ours.name() == step);
        (
            ours.iter().all(|ours| applied.contains(ours.name())),
            applied.iter().all(is_ours),
        )
    };
    if is_up_to_date {
        return Ok(());
    }
    // But one that lacks a step of ours and has another's comes neither before nor after this one.
    if !is_before {
        return Err(StoreError::OtherVersion);
    }
    Migrations::up(transaction, None)
        .await
        .map_err(StoreError::Migrate)
}

#[cfg(test)]
mod tests {
    use sea_orm::{ActiveValue, PaginatorTrait};

    use super::*;
    use crate::store::connect::{self, Address};

    #[tokio::test]
    async fn tables_of_a_newer_gateway_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hallway.db");
        let database = connect::open(&Address::Sqlite(path)).await.unwrap().writer;
        run(&database).await.unwrap();
        let newer = seaql_migrations::ActiveModel {
            version: ActiveValue::Set("9999_of_the_future".to_owned()),
            applied_at: ActiveValue::Set(1),
        };
        seaql_migrations::Entity::insert(newer)
            .exec_without_returning(&database)
            .await
            .unwrap();
        run(&database).await.unwrap();
        let known = seaql_migrations::Entity::find().count(&database).await;
        assert_eq!(known.unwrap(), Migrations::migrations().len() as u64 + 1);
    }
}
