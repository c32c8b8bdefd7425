//! Tables for what is known about models of authenticators, and for what each key proved about its
//! own. Rows of `metadata` and `metadata_blob` are named by the hash of who may sign a BLOB, so that
//! an operator who turns to another service begins with that service's own numbers.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use sea_orm::sea_query::ForeignKeyAction;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, blob, blob_null, text, text_null};

use super::make::{key, refer, table};

pub(crate) struct Metadata;

impl MigrationName for Metadata {
    fn name(&self) -> &'static str {
        "0002_metadata"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Metadata {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let metadata = table(
            "metadata",
            [
                key(blob("signer")),
                big_integer_null("number"),
                big_integer_null("next_update_ms"),
                blob_null("sha256"),
                text("source"),
                big_integer_null("taken_ms"),
                big_integer_null("checked_ms"),
                text_null("problem"),
                big_integer("next_attempt_ms"),
            ],
        );
        // Apart from the rest, which is read every minute.
        let bytes = table("metadata_blob", [key(blob("signer")), blob("bytes")]);
        let attestation = table(
            "attestation",
            [
                key(blob("credential_id")),
                text("format"),
                blob("chain"),
                text_null("anchor"),
                text_null("serial"),
            ],
        );
        let attestation = refer(
            attestation,
            ("attestation", "credential_id"),
            ("credential", "id"),
            ForeignKeyAction::Cascade,
        );
        for table in [metadata, bytes, attestation] {
            manager.create_table(table).await?;
        }
        Ok(())
    }
}
