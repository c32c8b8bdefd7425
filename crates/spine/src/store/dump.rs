//! Every table of a realm, row by row, between any two databases.
//!
//! Sessions, grants and the locks that they hold, one-time links, announcements and counted attempts
//! stay behind: a backup must hold nothing that opens a door without a key, and a link or code that was
//! used since must not work again. For the same reason invitations that nobody took up yet are expired in a backup.

use std::io;

use futures_util::TryStreamExt;
use minicbor::{Decoder, Encoder};
use sea_orm::prelude::Uuid;
use sea_orm::{
    AccessMode, ActiveModelTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, IdenStatic,
    IntoActiveModel, IsolationLevel, Iterable, ModelTrait, TransactionTrait, Value,
};

use super::entity;
use super::error::StoreError;
use super::schema::Schema;
use super::table::Table;
use super::transact::Store;

/// Rows that are inserted at once.
const BATCH: usize = 50;

/// Why a database could not be dumped or filled. A target that could not be filled is as it was.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The target holds something.
    #[error(
        "the database holds a realm already (there is something in {0}); restore into an empty one"
    )]
    NotEmpty(String),
    /// Made by a program that keeps more than this one.
    #[error(
        "the backup has {0}, which this version does not know; restore it with a newer hallway"
    )]
    Unknown(String),
    /// A record is not what it should be.
    #[error("a record of the backup cannot be read: {0}")]
    Record(String),
}

impl From<DbErr> for DumpError {
    fn from(error: DbErr) -> Self {
        Self::Store(error.into())
    }
}

impl From<minicbor::decode::Error> for DumpError {
    fn from(error: minicbor::decode::Error) -> Self {
        Self::Record(error.to_string())
    }
}

/// Takes one record.
pub(crate) type Write<'w> = dyn FnMut(&[u8]) -> io::Result<()> + Send + 'w;
/// Gives the next record; nothing at the end.
pub(crate) type Read<'r> = dyn FnMut() -> io::Result<Option<Vec<u8>>> + Send + 'r;

impl Store {
    /// Writes every row as it is at one moment, whoever writes meanwhile; gives their number.
    pub async fn dump(&self, write: &mut Write<'_>) -> Result<u64, DumpError> {
        let postgres = self.reader().get_database_backend() == DbBackend::Postgres;
        // A SQLite transaction that reads sees the moment of its first read by itself.
        let database = self
            .reader()
            .begin_with_config(
                postgres.then_some(IsolationLevel::RepeatableRead),
                postgres.then_some(AccessMode::ReadOnly),
            )
            .await?;
        let mut rows = 0;
        for table in self.schema().tables().iter().filter_map(Table::rows) {
            rows += table.dump(&database, write).await?;
        }
        database.rollback().await?;
        Ok(rows)
    }

    /// Whether nothing is kept here yet.
    ///
    /// # Errors
    /// [`DumpError::NotEmpty`] names a table that has rows.
    pub async fn is_unused(&self) -> Result<(), DumpError> {
        let database = self.reader().begin().await?;
        let unused = unused(&database, self.schema()).await;
        database.rollback().await?;
        unused
    }

    /// Fills an empty database, all of it or nothing.
    pub async fn fill(&self, read: &mut Read<'_>) -> Result<u64, DumpError> {
        let database = self.writer().begin().await?;
        match fill(&database, self.schema(), read).await {
            Ok(rows) => {
                database.commit().await?;
                Ok(rows)
            }
            Err(error) => {
                // Whatever becomes of the cancellation, the first error says why.
                let _ = database.rollback().await;
                Err(error)
            }
        }
    }
}

async fn unused(database: &DatabaseTransaction, schema: &Schema) -> Result<(), DumpError> {
    let head = entity::log_head::Entity::find().one(database).await?;
    if head.is_some_and(|head| head.size > 0) {
        return Err(DumpError::NotEmpty("log_head".to_owned()));
    }
    // The head of the log is always there; what it says was just looked at.
    let others = schema
        .tables()
        .iter()
        .filter(|table| table.name() != "log_head");
    for table in others {
        if let Some(rows) = table.rows()
            && rows.count(database).await? > 0
        {
            return Err(DumpError::NotEmpty(table.name().to_owned()));
        }
    }
    Ok(())
}

async fn fill(
    database: &DatabaseTransaction,
    schema: &Schema,
    read: &mut Read<'_>,
) -> Result<u64, DumpError> {
    unused(database, schema).await?;
    entity::log_head::Entity::delete_many()
        .exec(database)
        .await?;
    let (mut table, mut columns) = (String::new(), Vec::new());
    let (mut batch, mut rows) = (Vec::new(), 0);
    while let Some(record) = read()? {
        let mut decoder = Decoder::new(&record);
        decoder.array()?;
        let is_table = decoder.u8()? == TABLE;
        if is_table || batch.len() >= BATCH {
            insert_into_some(
                (schema, &table),
                database,
                &columns,
                core::mem::take(&mut batch),
            )
            .await?;
        }
        if is_table {
            table = decoder.str()?.to_owned();
            let names = decoder.array_iter::<String>()?;
            columns = names.collect::<Result<_, _>>()?;
        } else {
            batch.push(decode_row(&mut decoder)?);
            rows += 1;
        }
    }
    insert_into_some((schema, &table), database, &columns, batch).await?;
    Ok(rows)
}

async fn insert_into_some(
    (schema, name): (&Schema, &str),
    database: &DatabaseTransaction,
    columns: &[String],
    rows: Vec<Vec<Value>>,
) -> Result<(), DumpError> {
    if rows.is_empty() {
        return Ok(());
    }
    let table = schema.tables().iter().find(|table| table.name() == name);
    let table = table.and_then(Table::rows);
    let table = table.ok_or_else(|| DumpError::Unknown(format!("a table {name}")))?;
    table.insert(database, columns, rows).await
}

/// A record that names a table and its columns: `[0, name, [column, …]]`.
const TABLE: u8 = 0;
/// A record that is a row of the table named last: `[1, [tag, value], …]`.
const ROW: u8 = 1;

pub(super) async fn dump<E: EntityTrait>(
    database: &DatabaseTransaction,
    write: &mut Write<'_>,
    held: fn(E::Model) -> E::Model,
) -> Result<u64, DumpError> {
    let columns: Vec<E::Column> = E::Column::iter().collect();
    write(&encode_table::<E>(&columns))?;
    let mut stream = E::find().stream(database).await?;
    let mut rows = 0;
    while let Some(row) = stream.try_next().await? {
        let row = held(row);
        let cells = columns.iter().map(|column| row.get(*column)).collect();
        write(&encode_row(cells)?)?;
        rows += 1;
    }
    Ok(rows)
}

pub(super) async fn insert<E: EntityTrait>(
    database: &DatabaseTransaction,
    names: &[String],
    rows: Vec<Vec<Value>>,
) -> Result<(), DumpError>
where
    E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
    E::Model: IntoActiveModel<E::ActiveModel>,
{
    let table = E::default();
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let column = E::Column::iter().find(|column| column.as_str() == name);
        columns.push(column.ok_or_else(|| {
            DumpError::Unknown(format!("a column {name} in {}", table.table_name()))
        })?);
    }
    let mut models = Vec::with_capacity(rows.len());
    for row in rows {
        if row.len() != columns.len() {
            return Err(DumpError::Record("a row of another length".to_owned()));
        }
        let mut model = <E::ActiveModel as ActiveModelTrait>::default();
        for (column, value) in columns.iter().zip(row) {
            model.try_set(*column, value)?;
        }
        models.push(model);
    }
    E::insert_many(models)
        .exec_without_returning(database)
        .await?;
    Ok(())
}

fn encode_table<E: EntityTrait>(columns: &[E::Column]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    // Writing to a Vec cannot fail.
    let _ = encoder.array(3).and_then(|encoder| encoder.u8(TABLE));
    let _ = encoder.str(E::default().table_name());
    let _ = encoder.array(columns.len() as u64);
    for column in columns {
        let _ = encoder.str(column.as_str());
    }
    encoder.into_writer()
}

fn encode_row(cells: Vec<Value>) -> Result<Vec<u8>, DumpError> {
    let mut encoder = Encoder::new(Vec::new());
    let _ = encoder.array(cells.len() as u64 + 1);
    let _ = encoder.u8(ROW);
    for cell in cells {
        let _ = encoder.array(2);
        // The tag says which type a missing value would have.
        let _ = match cell {
            Value::Bool(value) => encoder.u8(0).and_then(|encoder| encoder.encode(value)),
            Value::SmallInt(value) => encoder.u8(1).and_then(|encoder| encoder.encode(value)),
            Value::Int(value) => encoder.u8(2).and_then(|encoder| encoder.encode(value)),
            Value::BigInt(value) => encoder.u8(3).and_then(|encoder| encoder.encode(value)),
            Value::String(value) => encoder.u8(4).and_then(|encoder| encoder.encode(value)),
            Value::Bytes(value) => encoder
                .u8(5)
                .and_then(|encoder| encoder.encode(value.map(minicbor::bytes::ByteVec::from))),
            Value::Uuid(value) => encoder.u8(6).and_then(|encoder| {
                let bytes = value.map(|id| minicbor::bytes::ByteVec::from(id.as_bytes().to_vec()));
                encoder.encode(bytes)
            }),
            other => return Err(DumpError::Unknown(format!("a value {other:?}"))),
        };
    }
    Ok(encoder.into_writer())
}

fn decode_row(decoder: &mut Decoder<'_>) -> Result<Vec<Value>, DumpError> {
    let mut cells = Vec::new();
    while decoder.position() < decoder.input().len() {
        decoder.array()?;
        cells.push(match decoder.u8()? {
            0 => Value::Bool(decoder.decode()?),
            1 => Value::SmallInt(decoder.decode()?),
            2 => Value::Int(decoder.decode()?),
            3 => Value::BigInt(decoder.decode()?),
            4 => Value::String(decoder.decode()?),
            5 => Value::Bytes(bytes(decoder)?),
            6 => Value::Uuid(match bytes(decoder)? {
                None => None,
                Some(bytes) => Some(
                    Uuid::from_slice(&bytes)
                        .map_err(|error| DumpError::Record(error.to_string()))?,
                ),
            }),
            tag => return Err(DumpError::Unknown(format!("a value of type {tag}"))),
        });
    }
    Ok(cells)
}

fn bytes(decoder: &mut Decoder<'_>) -> Result<Option<Vec<u8>>, DumpError> {
    let bytes: Option<minicbor::bytes::ByteVec> = decoder.decode()?;
    Ok(bytes.map(Into::into))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_reads_back() {
        let row = vec![
            Value::Bool(Some(true)),
            Value::SmallInt(Some(-1)),
            Value::Int(None),
            Value::BigInt(Some(i64::MAX)),
            Value::String(Some("é".to_owned())),
            Value::Bytes(Some(vec![0; 300])),
            Value::Bytes(None),
            Value::Uuid(Some(Uuid::from_u128(7))),
            Value::Uuid(None),
        ];
        let bytes = encode_row(row.clone()).unwrap();
        let mut decoder = Decoder::new(&bytes);
        decoder.array().unwrap();
        assert_eq!(decoder.u8().unwrap(), ROW);
        assert_eq!(decode_row(&mut decoder).unwrap(), row);
    }
}
