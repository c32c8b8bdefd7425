//! When the key of a session was touched, and who suspended a device.
//!
//! The columns may be empty, so that a gateway of the version before can still write its rows. A
//! session without a touch counts as one whose touch was long ago, and a suspension without a word
//! as its owner's.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer_null, text_null};

pub(crate) struct Revocation;

impl MigrationName for Revocation {
    fn name(&self) -> &'static str {
        "0017_revocation"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Revocation {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in [
            ("session", big_integer_null("touched_ms")),
            ("device", text_null("suspended_by")),
        ] {
            // SQLite adds one column at a time.
            let add = Table::alter().table(table).add_column(column).to_owned();
            manager.alter_table(add).await?;
        }
        Ok(())
    }
}
