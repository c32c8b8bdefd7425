//! The tables of the hall door.
//!
//! Names, rights and guests are text that a person can read: `backups`, `read:data connect:db`,
//! `role/member`. A grant keeps the name of its hall and no reference to it, because it outlives
//! the hall as a record.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use hallway_spine::store::migration::make::{index, key, refer, table};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, blob, blob_null, text, uuid, uuid_null,
};

pub(crate) struct Halls;

impl MigrationName for Halls {
    fn name(&self) -> &'static str {
        "0003_halls"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Halls {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables() {
            manager.create_table(table).await?;
        }
        let unique = |mut index: IndexCreateStatement| index.unique().to_owned();
        for index in [
            index("hall_guest", &["guest"]),
            unique(index("hall_agent", &["token_hash"])),
            unique(index("hall_agent", &["key_sha256"])),
            unique(index("hall_grant", &["key_sha256"])),
            index("hall_grant", &["ends_ms"]),
            index("hall_grant", &["hall", "id"]),
            index("hall_grant", &["person_id", "id"]),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn tables() -> Vec<TableCreateStatement> {
    let (keep, follow) = (ForeignKeyAction::Restrict, ForeignKeyAction::Cascade);
    let hall = table(
        "hall",
        [
            key(text("name")),
            text("title"),
            uuid("created_by"),
            big_integer("created_ms"),
            blob("evidence"),
        ],
    );
    let hall = refer(hall, ("hall", "created_by"), ("person", "id"), keep);
    let mut guest = table(
        "hall_guest",
        [
            text("hall"),
            text("guest"),
            text("rights"),
            big_integer("admitted_ms"),
            blob("evidence"),
        ],
    );
    guest.primary_key(Index::create().col("hall").col("guest"));
    let guest = refer(guest, ("hall_guest", "hall"), ("hall", "name"), follow);
    let mut agent = table(
        "hall_agent",
        [
            text("hall"),
            text("name"),
            blob("token_hash"),
            big_integer("expires_ms"),
            blob_null("key_sha256"),
            big_integer_null("joined_ms"),
            big_integer("invited_ms"),
            blob("evidence"),
        ],
    );
    agent.primary_key(Index::create().col("hall").col("name"));
    let agent = refer(agent, ("hall_agent", "hall"), ("hall", "name"), follow);
    let grant = table(
        "hall_grant",
        [
            key(uuid("id")),
            text("hall"),
            uuid("person_id"),
            blob("credential_id"),
            text("rights"),
            blob_null("key_sha256"),
            blob_null("session_hash"),
            big_integer("opened_ms"),
            big_integer("ends_ms"),
            big_integer_null("ended_ms"),
            uuid_null("ended_by"),
            blob("evidence"),
            text("address"),
        ],
    );
    let mut grant = refer(grant, ("hall_grant", "person_id"), ("person", "id"), keep);
    // A grant is a key's or a browser session's, never both, never nobody's.
    grant.check(
        Expr::col("key_sha256")
            .is_null()
            .ne(Expr::col("session_hash").is_null()),
    );
    vec![hall, guest, agent, grant]
}
