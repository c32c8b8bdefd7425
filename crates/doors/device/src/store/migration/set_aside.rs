//! How many files a device has set aside, by its own word, and when that number changed last.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null};

pub(crate) struct SetAside;

impl MigrationName for SetAside {
    fn name(&self) -> &'static str {
        "0018_set_aside"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for SetAside {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time.
        for column in [
            big_integer("set_aside").default(0).take(),
            big_integer_null("set_aside_ms"),
        ] {
            let add = Table::alter().table("device").add_column(column).to_owned();
            manager.alter_table(add).await?;
        }
        Ok(())
    }
}
