//! From which network a device was announced, and which announcements are of one device: both are
//! counted before another one is taken.
//!
//! The column may be empty: it is for whoever calls over loopback, and for gateways of the version
//! before.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use hallway_spine::store::migration::make::index;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::text_null;

pub(crate) struct AnnouncementNetworks;

impl MigrationName for AnnouncementNetworks {
    fn name(&self) -> &'static str {
        "0014_announcement_networks"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for AnnouncementNetworks {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let add = Table::alter()
            .table("announcement")
            .add_column(text_null("network"))
            .to_owned();
        manager.alter_table(add).await?;
        for columns in [&["network"][..], &["authority_id", "serial"]] {
            manager.create_index(index("announcement", columns)).await?;
        }
        Ok(())
    }
}
