//! Invitations that cross: one's own, which waits while theirs was accepted.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer_null, blob_null};

pub(crate) struct Crossing;

impl MigrationName for Crossing {
    fn name(&self) -> &'static str {
        "0010_crossing"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Crossing {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time.
        for column in [blob_null("invited"), big_integer_null("invited_until_ms")] {
            let add = Table::alter()
                .table("partner")
                .add_column(column)
                .to_owned();
            manager.alter_table(add).await?;
        }
        Ok(())
    }
}
