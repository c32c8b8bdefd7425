//! Which evidence registered a key, claimed a device or gave a role, found by whom it is about.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, blob, text};

use super::make::table;

pub(crate) struct Grounds;

impl MigrationName for Grounds {
    fn name(&self) -> &'static str {
        "0016_grounds"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Grounds {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut grounds = table(
            "ground",
            [text("kind"), blob("subject"), big_integer("log_index")],
        );
        grounds.primary_key(Index::create().col("kind").col("subject").col("log_index"));
        manager.create_table(grounds).await
    }
}
