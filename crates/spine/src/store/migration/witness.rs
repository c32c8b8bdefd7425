//! Tables of witnesses: what this realm saw of others' logs, and who cosigned its own.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, text, text_null};

use super::make::{key, table};

pub(crate) struct Witness;

impl MigrationName for Witness {
    fn name(&self) -> &'static str {
        "0006_witness"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Witness {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // By origin and not by key: two trees of one size are never cosigned under one origin,
        // because a cosignature does not say which key the log had.
        let witnessed = table(
            "witnessed_log",
            [
                key(text("origin")),
                text("log_key"),
                big_integer("size"),
                text("checkpoint"),
                big_integer("cosigned_ms"),
                text_null("fork"),
                big_integer_null("forked_ms"),
                big_integer_null("doubted_size"),
                big_integer_null("doubted_ms"),
            ],
        );
        let cosigner = table(
            "cosigner",
            [
                key(text("witness_key")),
                big_integer("size"),
                text_null("checkpoint"),
                big_integer_null("cosigned_ms"),
                big_integer_null("asked_ms"),
                text_null("problem"),
                big_integer("failures"),
                big_integer("next_attempt_ms"),
            ],
        );
        for table in [witnessed, cosigner] {
            manager.create_table(table).await?;
        }
        Ok(())
    }
}
