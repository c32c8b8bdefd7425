//! What devices are known by, apart from the record of the authority that attested them.
//!
//! A device was unique under a row of `authority`, so it was another one as soon as its maker's
//! certificate was. Where one unit has several records from that time, the oldest keeps its marks:
//! whatever that one's owner said of it counts.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use hallway_spine::store::attestation;
use hallway_spine::store::migration::make::{index, key, refer, table};
use hallway_spine::store::migration::statements::{execute, rows};
use sea_orm::prelude::Uuid;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{blob, blob_null, uuid};

use crate::issuers;

pub(crate) struct DeviceMarks;

impl MigrationName for DeviceMarks {
    fn name(&self) -> &'static str {
        "0011_device_marks"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for DeviceMarks {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["key_sha256", "subject_sha256"] {
            let add = Table::alter()
                .table("authority")
                .add_column(blob_null(column))
                .to_owned();
            manager.alter_table(add).await?;
            manager.create_index(index("authority", &[column])).await?;
        }
        let marks = table("device_mark", [key(blob("mark")), uuid("device_id")]);
        let marks = refer(
            marks,
            ("device_mark", "device_id"),
            ("device", "id"),
            ForeignKeyAction::Restrict,
        );
        manager.create_table(marks).await?;
        manager
            .create_index(index("device_mark", &["device_id"]))
            .await?;
        // A device that is enrolled under a renewed certificate moves to that one's record, where
        // another record of the same unit may be from before.
        let database = manager.get_connection();
        database
            .execute_unprepared("DROP INDEX device_authority_id_serial")
            .await?;
        know_authorities(database).await?;
        mark_devices(database).await
    }
}

/// Writes down what each authority is known by.
async fn know_authorities(database: &SchemaManagerConnection<'_>) -> Result<(), DbErr> {
    for row in rows(database, "SELECT id, certificate FROM authority", []).await? {
        let (id, der): (Uuid, Vec<u8>) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        // It could not have been installed if it were no certificate.
        let Some(authority) = issuers::Issuer::of(&der) else {
            continue;
        };
        let subject = authority.subject.map(|hash| hash.to_vec());
        execute(
            database,
            "UPDATE authority SET key_sha256 = $1, subject_sha256 = $2 WHERE id = $3",
            [authority.key.to_vec().into(), subject.into(), id.into()],
        )
        .await?;
    }
    Ok(())
}

/// Gives each device its marks: from the chain that it showed, as far as its authority, or from the
/// authority alone where no chain was kept.
async fn mark_devices(database: &SchemaManagerConnection<'_>) -> Result<(), DbErr> {
    let sql = "SELECT d.id, d.serial, a.certificate, t.chain FROM device d \
               JOIN authority a ON a.id = d.authority_id \
               LEFT JOIN attestation t ON t.credential_id = d.credential_id \
               ORDER BY d.created_ms, d.id";
    for row in rows(database, sql, []).await? {
        let (id, serial): (Uuid, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let anchor: Vec<u8> = row.try_get_by_index(2)?;
        let chain: Option<Vec<u8>> = row.try_get_by_index(3)?;
        let chain = chain
            .and_then(|bytes| attestation::decode(&bytes).ok())
            .unwrap_or_default();
        let below = issuers::below(&chain, &anchor).unwrap_or_default();
        let Some(authorities) = issuers::on_the_way(&chain, below, &anchor) else {
            continue;
        };
        let unit = chain.first().and_then(|leaf| issuers::unit_mark(leaf));
        for mark in authorities.marks(&serial).chain(unit) {
            execute(
                database,
                "INSERT INTO device_mark (mark, device_id) VALUES ($1, $2) \
                 ON CONFLICT (mark) DO NOTHING",
                [mark.0.to_vec().into(), id.into()],
            )
            .await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hallway_spine::store::Schema;
    use hallway_spine::store::connect::{self, Address};
    use hallway_spine::store::migration::run as migrate;
    use rcgen::{CertificateParams, DnType, KeyPair};
    use sea_orm::EntityTrait;
    use sea_orm::sea_query::Value;

    use super::*;
    use crate::issuers;
    use crate::store::entity::{device_mark, maker};
    use crate::store::{migrations, tables};

    #[tokio::test]
    async fn the_oldest_record_of_a_unit_keeps_its_marks() {
        use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hallway.db");
        let database = connect::open(&Address::Sqlite(path)).await.unwrap().writer;
        let schema = Schema::default().with(migrations(), tables());
        let steps = schema.steps().iter();
        let before = steps
            .take_while(|step| step.name() != DeviceMarks.name())
            .count();
        migrate(&database, &schema.steps()[..before]).await.unwrap();
        let key = KeyPair::generate().unwrap();
        let run = async |sql: &str, values: Vec<Value>| {
            let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
            database.execute_raw(statement).await.unwrap();
        };
        let uuid = |n: u8| Value::from(sea_orm::prelude::Uuid::from_bytes([n; 16]));
        // One maker, whose certificate was renewed; one camera, that was enrolled under each.
        let mut first = Vec::new();
        for n in 1..=2u8 {
            let mut params = CertificateParams::default();
            params
                .distinguished_name
                .push(DnType::CommonName, format!("maker-{n}"));
            let certificate = params.self_signed(&key).unwrap();
            if n == 1 {
                first = certificate.der().to_vec();
            }
            run(
                "INSERT INTO authority (id, name, certificate, sha256, added_ms)
                 VALUES ($1, 'Maker', $2, $3, 1)",
                vec![
                    uuid(n),
                    certificate.der().to_vec().into(),
                    vec![n; 32].into(),
                ],
            )
            .await;
            run(
                "INSERT INTO device (id, serial, authority_id, aaguid, name, state, era,
                    last_sequence, last_taken_ms, created_ms)
                 VALUES ($1, $2, $3, $1, 'x', 'stolen', 1, 0, 0, $4)",
                vec![
                    uuid(10 + n),
                    ["SN-1", "sn-1"][usize::from(n) - 1].into(),
                    uuid(n),
                    i64::from(n).into(),
                ],
            )
            .await;
        }
        migrate(&database, schema.steps()).await.unwrap();
        let hash = issuers::Issuer::of(&first).unwrap().key;
        for row in maker::Entity::find().all(&database).await.unwrap() {
            assert_eq!(row.key_sha256.as_deref(), Some(hash.as_slice()));
        }
        let marks = device_mark::Entity::find().all(&database).await.unwrap();
        let of = |n: u8| {
            let mine = marks
                .iter()
                .filter(|mark| *mark.device_id.as_bytes() == [n; 16]);
            mine.count()
        };
        // The key's and the first name's; the second name's is all that is left for the other.
        assert_eq!((of(11), of(12)), (2, 1));
        let mut expected = issuers::Issuers::default();
        expected.add(hash, None);
        let by_key = expected.marks("SN-1").next().unwrap();
        assert!(
            marks
                .iter()
                .any(|mark| mark.mark == by_key.0 && *mark.device_id.as_bytes() == [11; 16])
        );
    }
}
