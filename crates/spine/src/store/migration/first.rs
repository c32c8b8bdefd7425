//! The first tables.
//!
//! Times are milliseconds since 1970 (`_ms`), hashes are byte strings of 32. Evidence and device
//! transactions have no foreign keys: they are written a thousand at a time, and what they refer
//! to was read in the same transaction.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use sea_orm::DbBackend;
use sea_orm::sea_query::{ForeignKeyAction, IndexCreateStatement, TableCreateStatement};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, blob, blob_null, boolean, integer, small_integer, text,
    text_null, uuid, uuid_null,
};

use super::make::{index, key, refer, table};

pub(crate) struct First;

impl MigrationName for First {
    fn name(&self) -> &'static str {
        "0001_first"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for First {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        for table in people().into_iter().chain(devices()).chain(log(backend)) {
            manager.create_table(table).await?;
        }
        for index in indices() {
            manager.create_index(index).await?;
        }
        if backend == DbBackend::Postgres {
            // Each transaction of a device updates these rows. With room beside them PostgreSQL
            // need not touch their indices.
            for table in ["device", "credential"] {
                let roomy = format!("ALTER TABLE {table} SET (fillfactor = 50)");
                manager.get_connection().execute_unprepared(&roomy).await?;
            }
        }
        // The head of the log is one row for good: moving it is what gateways take turns at.
        let empty_root = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"");
        let head = Query::insert()
            .into_table("log_head")
            .columns(["id", "size", "root", "checkpoint"])
            .values_panic([
                0i16.into(),
                0i64.into(),
                empty_root.as_ref().to_vec().into(),
                "".into(),
            ])
            .to_owned();
        manager.execute(head).await
    }
}

fn people() -> Vec<TableCreateStatement> {
    let keep = ForeignKeyAction::Restrict;
    let person = table(
        "person",
        [
            key(uuid("id")),
            text("name"),
            text("role"),
            text("state"),
            big_integer("created_ms"),
        ],
    );
    let mut credential = table(
        "credential",
        [
            key(blob("id")),
            uuid_null("person_id"),
            uuid_null("device_id"),
            blob("public_key"),
            big_integer("sign_count"),
            uuid("aaguid"),
            text("label"),
            text("transports"),
            boolean("backup_eligible"),
            boolean("backed_up"),
            boolean("uv_initialized"),
            blob("user_handle"),
            big_integer("created_ms"),
            big_integer_null("last_used_ms"),
            blob("registration_evidence"),
        ],
    );
    // A credential is a person's or a device's, never both, never nobody's.
    credential.check(
        Expr::col("person_id")
            .is_null()
            .ne(Expr::col("device_id").is_null()),
    );
    let credential = refer(
        credential,
        ("credential", "person_id"),
        ("person", "id"),
        keep,
    );
    let link = table(
        "link",
        [
            key(blob("token_hash")),
            text("purpose"),
            text("name"),
            text_null("role"),
            uuid_null("person_id"),
            uuid_null("created_by"),
            blob_null("evidence"),
            big_integer("created_ms"),
            big_integer("expires_ms"),
            big_integer_null("used_ms"),
        ],
    );
    let link = refer(link, ("link", "person_id"), ("person", "id"), keep);
    let session = table(
        "session",
        [
            key(blob("token_hash")),
            uuid("person_id"),
            blob_null("credential_id"),
            blob_null("evidence"),
            big_integer("created_ms"),
            big_integer("last_seen_ms"),
            big_integer("expires_ms"),
            text("address"),
            text("agent"),
        ],
    );
    let session = refer(session, ("session", "person_id"), ("person", "id"), keep);
    // A key that is removed takes the sessions that it opened with it.
    let session = refer(
        session,
        ("session", "credential_id"),
        ("credential", "id"),
        ForeignKeyAction::Cascade,
    );
    let code_attempt = table(
        "code_attempt",
        [
            key(uuid("person_id")),
            big_integer("started_ms"),
            big_integer("attempts"),
        ],
    );
    vec![person, credential, link, session, code_attempt]
}

fn devices() -> Vec<TableCreateStatement> {
    let keep = ForeignKeyAction::Restrict;
    // A maker of devices.
    let authority = table(
        "authority",
        [
            key(uuid("id")),
            text("name"),
            blob("certificate"),
            blob("sha256"),
            big_integer("added_ms"),
            big_integer_null("removed_ms"),
            blob_null("evidence"),
        ],
    );
    let device = table(
        "device",
        [
            key(uuid("id")),
            text("serial"),
            uuid("authority_id"),
            uuid("aaguid"),
            text("name"),
            uuid_null("owner"),
            text("state"),
            blob_null("credential_id"),
            big_integer("era"),
            big_integer("last_sequence"),
            big_integer("last_taken_ms"),
            big_integer_null("last_seen_ms"),
            big_integer("created_ms"),
            blob_null("enrolment_evidence"),
            blob_null("claim_evidence"),
        ],
    );
    let device = refer(
        device,
        ("device", "authority_id"),
        ("authority", "id"),
        keep,
    );
    let device = refer(device, ("device", "owner"), ("person", "id"), keep);
    let announcement = table(
        "announcement",
        [
            key(uuid("id")),
            blob("code_hash"),
            text("serial"),
            uuid("authority_id"),
            uuid("aaguid"),
            blob("credential_id"),
            blob("public_key"),
            big_integer("sign_count"),
            blob("signed"),
            big_integer("created_ms"),
            big_integer("expires_ms"),
            uuid_null("device_id"),
        ],
    );
    let announcement = refer(
        announcement,
        ("announcement", "authority_id"),
        ("authority", "id"),
        keep,
    );
    vec![authority, device, announcement]
}

fn log(backend: DbBackend) -> Vec<TableCreateStatement> {
    // In SQLite only a column of the type INTEGER is the table's own order; anything else costs a
    // second tree. There INTEGER has 64 bits, in PostgreSQL it has 32.
    let log_index = || match backend {
        DbBackend::Sqlite => key(integer("log_index")),
        _ => key(big_integer("log_index")),
    };
    let evidence = table(
        "evidence",
        [
            log_index(),
            blob("hash"),
            blob("statement_hash"),
            blob_null("bytes"),
            text("act"),
            uuid_null("person_id"),
            uuid_null("device_id"),
            big_integer("accepted_ms"),
        ],
    );
    let mut transaction = table(
        "device_transaction",
        [
            log_index(),
            uuid("device_id"),
            big_integer("era"),
            big_integer("sequence"),
            big_integer("taken_ms"),
            big_integer("accepted_ms"),
            blob("sha256"),
            big_integer("length"),
            text("media_type"),
            text("file_name"),
            blob_null("payload"),
            text_null("object_key"),
        ],
    );
    // The bytes are here or in the object store, in one place.
    transaction.check(
        Expr::col("payload")
            .is_null()
            .ne(Expr::col("object_key").is_null()),
    );
    let mut tile = table(
        "log_tile",
        [
            small_integer("level"),
            big_integer("tile_index"),
            blob("data"),
        ],
    );
    tile.primary_key(Index::create().col("level").col("tile_index"));
    let head = table(
        "log_head",
        [
            key(small_integer("id")),
            big_integer("size"),
            blob("root"),
            text("checkpoint"),
        ],
    );
    let refusal = table(
        "refusal",
        [
            key(uuid("id")),
            big_integer("at_ms"),
            text("door"),
            text("code"),
            text("detail"),
            uuid_null("device_id"),
            uuid_null("person_id"),
            text("address"),
        ],
    );
    let setting = table("setting", [key(text("key")), blob("value")]);
    vec![evidence, transaction, tile, head, refusal, setting]
}

fn indices() -> Vec<IndexCreateStatement> {
    let unique = |mut index: IndexCreateStatement| index.unique().to_owned();
    vec![
        index("person", &["role", "state"]),
        index("credential", &["person_id"]),
        index("credential", &["device_id"]),
        index("link", &["expires_ms"]),
        index("session", &["person_id"]),
        index("session", &["credential_id"]),
        index("session", &["expires_ms"]),
        // A maker that was removed may come back, as another record.
        unique(index("authority", &["sha256"]))
            .cond_where(Expr::col("removed_ms").is_null())
            .to_owned(),
        unique(index("device", &["authority_id", "serial"])),
        index("device", &["owner", "id"]),
        index("device", &["state", "id"]),
        index("device", &["credential_id"]),
        unique(index("announcement", &["code_hash"])),
        index("announcement", &["expires_ms"]),
        index("announcement", &["credential_id"]),
        unique(index("evidence", &["hash"])),
        unique(index("evidence", &["statement_hash"])),
        index("evidence", &["person_id", "log_index"])
            .cond_where(Expr::col("person_id").is_not_null())
            .to_owned(),
        // A device's history. Its transactions have a table of their own.
        index("evidence", &["device_id", "log_index"])
            .cond_where(Expr::col("act").ne(super::super::evidence::TRANSACTION_ACT))
            .to_owned(),
        unique(index(
            "device_transaction",
            &["device_id", "era", "sequence"],
        )),
    ]
}
