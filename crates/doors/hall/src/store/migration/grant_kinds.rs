//! Between which realms a grant is, in a column of its own, and the host of a grant elsewhere in another. The
//! kind was told from the columns that were empty, and the host stood before the hall, as
//! `alpha.example/lab`.
//!
//! The default is for the rows that there are; each new one says its kind.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{text, text_null};

pub(crate) struct GrantKinds;

impl MigrationName for GrantKinds {
    fn name(&self) -> &'static str {
        "0022_grant_kinds"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for GrantKinds {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let kind = text("kind")
            .default("own")
            .check(Expr::col("kind").is_in(["own", "away", "visitor"]))
            .take();
        // SQLite adds one column at a time.
        for column in [kind, text_null("host")] {
            let add = Table::alter()
                .table("hall_grant")
                .add_column(column)
                .to_owned();
            manager.alter_table(add).await?;
        }
        let place = match manager.get_database_backend() {
            DbBackend::Sqlite => "instr(hall, '/')",
            _ => "strpos(hall, '/')",
        };
        let database = manager.get_connection();
        for update in [
            "UPDATE hall_grant SET kind = 'visitor' WHERE visitor_id IS NOT NULL".to_owned(),
            format!(
                "UPDATE hall_grant SET kind = 'away', host = substr(hall, 1, {place} - 1),
                 hall = substr(hall, {place} + 1) WHERE {place} > 0"
            ),
        ] {
            database.execute_unprepared(&update).await?;
        }
        Ok(())
    }
}
