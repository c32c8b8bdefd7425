//! How often a refusal was repeated, instead of a row for each time.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null};

pub(crate) struct RefusalCounts;

impl MigrationName for RefusalCounts {
    fn name(&self) -> &'static str {
        "0013_refusal_counts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for RefusalCounts {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time.
        for column in [
            big_integer("more").default(0).take(),
            big_integer_null("last_ms"),
        ] {
            let add = Table::alter()
                .table("refusal")
                .add_column(column)
                .to_owned();
            manager.alter_table(add).await?;
        }
        Ok(())
    }
}
