//! The tables of partners: other realms that are joined with this one.
//!
//! A partner keeps its row when it has left, so that people see what became of it; joining again
//! replaces the row. The trust bundle stands apart from the rest, which is read every two seconds.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use hallway_spine::store::migration::make::{key, refer, table};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, blob, blob_null, text, text_null, uuid,
};

pub(crate) struct Partners;

impl MigrationName for Partners {
    fn name(&self) -> &'static str {
        "0004_partners"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Partners {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let partner = table(
            "partner",
            [
                key(text("realm")),
                text("origin"),
                text("state"),
                text("log_key"),
                // SHA-256 of each authority that the statement named, one after another.
                blob("pins"),
                blob("pact"),
                blob_null("sealed_token"),
                big_integer("expires_ms"),
                text_null("hall_address"),
                text_null("witness_key"),
                text_null("witness_url"),
                blob_null("bundle_sha256"),
                big_integer_null("bundle_sequence"),
                big_integer_null("bundle_refresh_s"),
                big_integer_null("bundle_ms"),
                big_integer_null("checked_ms"),
                text_null("problem"),
                big_integer("next_attempt_ms"),
                uuid("made_by"),
                big_integer("made_ms"),
                big_integer_null("joined_ms"),
                big_integer_null("ended_ms"),
                text_null("ended_by"),
                big_integer_null("told_ms"),
                blob("evidence"),
            ],
        );
        let partner = refer(
            partner,
            ("partner", "made_by"),
            ("person", "id"),
            ForeignKeyAction::Restrict,
        );
        let bundle = table("partner_bundle", [key(text("realm")), blob("bytes")]);
        let bundle = refer(
            bundle,
            ("partner_bundle", "realm"),
            ("partner", "realm"),
            ForeignKeyAction::Cascade,
        );
        manager.create_table(partner).await?;
        manager.create_table(bundle).await
    }
}
