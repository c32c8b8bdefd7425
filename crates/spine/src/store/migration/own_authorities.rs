//! The realm's own certificate authorities, which take turns. The one of before stays in `setting`
//! until a gateway of this version moves it here.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, blob, text};

use super::make::{key, table};

pub(crate) struct OwnAuthorities;

impl MigrationName for OwnAuthorities {
    fn name(&self) -> &'static str {
        "0008_own_authorities"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for OwnAuthorities {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let authorities = table(
            "own_authority",
            [
                key(blob("sha256")),
                blob("certificate"),
                blob("sealed_key"),
                big_integer("published_ms"),
                big_integer("expires_ms"),
                text("stage"),
                big_integer("since_ms"),
            ],
        );
        manager.create_table(authorities).await
    }
}
