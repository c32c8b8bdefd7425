//! Locks on files of halls.
//!
//! Paths are byte strings, which both databases order alike whatever the language of the system.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use hallway_spine::store::migration::make::{index, key, refer, table};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, blob, boolean, text, text_null, uuid};

pub(crate) struct HallLocks;

impl MigrationName for HallLocks {
    fn name(&self) -> &'static str {
        "0019_hall_locks"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for HallLocks {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let locks = table(
            "hall_lock",
            [
                key(uuid("token")),
                text("hall"),
                text("store"),
                blob("path"),
                boolean("deep"),
                boolean("exclusive"),
                text_null("owner"),
                uuid("grant_id"),
                big_integer("ends_ms"),
            ],
        );
        let from = ("hall_lock", "grant_id");
        let locks = refer(locks, from, ("hall_grant", "id"), ForeignKeyAction::Cascade);
        manager.create_table(locks).await?;
        for columns in [&["hall", "store", "path"][..], &["grant_id"], &["ends_ms"]] {
            manager.create_index(index("hall_lock", columns)).await?;
        }
        Ok(())
    }
}
