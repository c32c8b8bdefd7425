//! Which transaction names an object: asked for the objects that nothing may name.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use hallway_spine::store::migration::make::index;
use sea_orm_migration::prelude::*;

pub(crate) struct ObjectKeys;

impl MigrationName for ObjectKeys {
    fn name(&self) -> &'static str {
        "0021_object_keys"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for ObjectKeys {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Most payloads are in the database, and cost no place in the index.
        let named = index("device_transaction", &["object_key"])
            .cond_where(Expr::col("object_key").is_not_null())
            .to_owned();
        manager.create_index(named).await
    }
}
