//! Whose devices were when.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use hallway_spine::store::migration::make::{index, refer, table};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, text, uuid};

pub(crate) struct Ownerships;

impl MigrationName for Ownerships {
    fn name(&self) -> &'static str {
        "0012_ownerships"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Ownerships {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut periods = table(
            "ownership",
            [
                uuid("device_id"),
                big_integer("from_index"),
                uuid("owner_id"),
                big_integer_null("to_index"),
                big_integer("from_era"),
                big_integer("from_sequence"),
                big_integer_null("to_era"),
                big_integer_null("to_sequence"),
                text("name"),
            ],
        );
        periods.primary_key(Index::create().col("device_id").col("from_index"));
        let keep = ForeignKeyAction::Restrict;
        let periods = refer(periods, ("ownership", "device_id"), ("device", "id"), keep);
        let periods = refer(periods, ("ownership", "owner_id"), ("person", "id"), keep);
        manager.create_table(periods).await?;
        manager
            .create_index(index("ownership", &["owner_id", "device_id"]))
            .await
    }
}
