//! The table `evidence`.

use sea_orm::entity::prelude::*;

/// A row: one entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "evidence")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    /// Its place in the log, from 0.
    pub log_index: i64,
    /// The SHA-256 of the evidence, the log's entry: 32 bytes.
    pub hash: Vec<u8>,
    /// The SHA-256 of its statement: 32 bytes.
    pub statement_hash: Vec<u8>,
    /// The evidence; none once it was erased.
    pub bytes: Option<Vec<u8>>,
    /// The name of its statement.
    pub act: String,
    /// The person who signed it.
    pub person_id: Option<Uuid>,
    /// The device that signed it, or that it is about.
    pub device_id: Option<Uuid>,
    /// When it was accepted, in unix milliseconds.
    pub accepted_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// No table is joined.
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
