//! Why a grant ended.
//!
//! The column may be empty, so that a gateway of the version before can still write its rows.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use hallway_spine::store::migration::make::index;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::text_null;

pub(crate) struct EndCauses;

impl MigrationName for EndCauses {
    fn name(&self) -> &'static str {
        "0020_end_causes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for EndCauses {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // It came with "0017_revocation" before it was a step of its own.
        if manager.has_column("hall_grant", "end_cause").await? {
            return Ok(());
        }
        let mut grants = Table::alter();
        grants.table("hall_grant");
        grants.add_column(text_null("end_cause"));
        manager.alter_table(grants).await?;
        // What hangs on a session or a key is looked up when that ends.
        for column in ["session_hash", "credential_id"] {
            manager.create_index(index("hall_grant", &[column])).await?;
        }
        Ok(())
    }
}
