//! Grants across realms: of our people in partners' halls, and of partners' people in ours.
//!
//! A visitor is no row of `person`, so a grant is of a person or of a visitor, never of both. SQLite
//! can't drop NOT NULL from a column, so there the table is made again with its rows; nothing
//! refers to it.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use hallway_spine::store::migration::make::{index, key, refer, table};
use sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, blob, blob_null, text, text_null, uuid, uuid_null,
};

pub(crate) struct Visits;

impl MigrationName for Visits {
    fn name(&self) -> &'static str {
        "0005_visits"
    }
}

/// The columns of `hall_grant` before.
const BEFORE: [&str; 13] = [
    "id",
    "hall",
    "person_id",
    "credential_id",
    "rights",
    "key_sha256",
    "session_hash",
    "opened_ms",
    "ends_ms",
    "ended_ms",
    "ended_by",
    "evidence",
    "address",
];

#[async_trait::async_trait]
impl MigrationTrait for Visits {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            DbBackend::Sqlite => rebuild(manager).await?,
            _ => alter(manager).await?,
        }
        let untold = index("hall_grant", &["told_ms", "ends_ms"]);
        manager.create_index(untold).await?;
        let visits = table(
            "hall_visit",
            [key(blob("evidence")), text("home"), blob("bundle")],
        );
        manager.create_table(visits).await
    }
}

/// What is new: whose visitor it is, until when the visitor's realm vouched, and when a host was
/// told that one of our grants has ended.
fn added() -> [ColumnDef; 6] {
    [
        text_null("home"),
        uuid_null("visitor_id"),
        text_null("visitor_name"),
        text_null("visitor_role"),
        big_integer_null("vouched_ms"),
        big_integer_null("told_ms"),
    ]
}

async fn alter(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut change = Table::alter();
    change.table("hall_grant");
    change.modify_column(ColumnDef::new("person_id").null());
    for column in added() {
        change.add_column(column);
    }
    manager.alter_table(change).await
}

async fn rebuild(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let columns = [
        key(uuid("id")),
        text("hall"),
        uuid_null("person_id"),
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
    ];
    let next = table("hall_grant_next", columns.into_iter().chain(added()));
    let from = ("hall_grant_next", "person_id");
    let mut next = refer(next, from, ("person", "id"), ForeignKeyAction::Restrict);
    for (one, other) in [("key_sha256", "session_hash"), ("person_id", "visitor_id")] {
        next.check(Expr::col(one).is_null().ne(Expr::col(other).is_null()));
    }
    manager.create_table(next).await?;
    let columns = BEFORE.join(", ");
    manager
        .get_connection()
        .execute_unprepared(&format!(
            "INSERT INTO hall_grant_next ({columns}) SELECT {columns} FROM hall_grant"
        ))
        .await?;
    manager
        .drop_table(Table::drop().table("hall_grant").to_owned())
        .await?;
    let mut rename = Table::rename();
    manager
        .rename_table(rename.table("hall_grant_next", "hall_grant").to_owned())
        .await?;
    // The indices went with the table: see the migration before.
    for index in [
        index("hall_grant", &["key_sha256"]).unique().to_owned(),
        index("hall_grant", &["ends_ms"]),
        index("hall_grant", &["hall", "id"]),
        index("hall_grant", &["person_id", "id"]),
    ] {
        manager.create_index(index).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hallway_spine::store::Schema;
    use hallway_spine::store::connect::{self, Address};
    use hallway_spine::store::migration::run;
    use sea_orm::EntityTrait;

    use super::*;
    use crate::store::entity::hall_grant;
    use crate::store::{migrations, tables};

    #[tokio::test]
    async fn grants_of_before_stay() {
        use sea_orm::ConnectionTrait as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hallway.db");
        let database = connect::open(&Address::Sqlite(path)).await.unwrap().writer;
        let schema = Schema::default().with(migrations(), tables());
        let steps = schema.steps().iter();
        let before = steps
            .take_while(|step| step.name() != Visits.name())
            .count();
        run(&database, &schema.steps()[..before]).await.unwrap();
        for row in [
            "INSERT INTO person (id, name, role, state, created_ms)
             VALUES (x'01010101010101010101010101010101', 'Ada', 'member', 'active', 1)",
            "INSERT INTO hall_grant (id, hall, person_id, credential_id, rights, key_sha256,
                opened_ms, ends_ms, evidence, address)
             VALUES (x'02020202020202020202020202020202', 'lab',
                x'01010101010101010101010101010101', x'03', 'read:data', x'04', 5, 6, x'07', 'here')",
        ] {
            database.execute_unprepared(row).await.unwrap();
        }
        run(&database, schema.steps()).await.unwrap();
        let grants = hall_grant::Entity::find().all(&database).await.unwrap();
        assert_eq!(grants.len(), 1);
        let grant = &grants[0];
        assert_eq!((grant.hall.as_str(), grant.ends_ms), ("lab", 6));
        assert_eq!(grant.person_id.unwrap().as_bytes(), &[1; 16]);
        assert_eq!((&grant.home, grant.visitor_id), (&None, None));
        // A grant is somebody's, and one person's only.
        let nobody = "UPDATE hall_grant SET person_id = NULL";
        assert!(database.execute_unprepared(nobody).await.is_err());
    }
}
