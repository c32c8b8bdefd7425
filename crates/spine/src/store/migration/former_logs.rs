//! What a witness saw of logs that have begun anew since, with the proof that one was rewritten.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, blob, text, text_null};

use super::make::{key, table};

pub(crate) struct FormerLogs;

impl MigrationName for FormerLogs {
    fn name(&self) -> &'static str {
        "0009_former_logs"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for FormerLogs {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let former = table(
            "former_log",
            [
                key(blob("evidence")),
                text("origin"),
                text("log_key"),
                big_integer("size"),
                text("checkpoint"),
                big_integer("cosigned_ms"),
                text_null("fork"),
                big_integer_null("forked_ms"),
                big_integer("ended_ms"),
            ],
        );
        manager.create_table(former).await
    }
}
