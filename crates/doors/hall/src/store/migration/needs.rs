//! What admissions demand, and the approvals that grants wait for.
//!
//! The columns may be empty, so that a gateway of the version before can still write its rows. It
//! does not read them either: what an admission demands is asked for at every door of the realm
//! once every gateway is of this version.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer_null, blob_null, text_null, uuid_null};

pub(crate) struct Needs;

impl MigrationName for Needs {
    fn name(&self) -> &'static str {
        "0007_needs"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Needs {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in [
            ("hall_guest", text_null("needs")),
            ("hall_grant", text_null("approval")),
            ("hall_grant", big_integer_null("approved_ms")),
            ("hall_grant", uuid_null("approved_by")),
            ("hall_grant", blob_null("approval_evidence")),
        ] {
            // SQLite adds one column at a time.
            let add = Table::alter().table(table).add_column(column).to_owned();
            manager.alter_table(add).await?;
        }
        Ok(())
    }
}
