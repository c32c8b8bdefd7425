//! The table `evidence`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "evidence")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub log_index: i64,
    pub hash: Vec<u8>,
    pub statement_hash: Vec<u8>,
    pub bytes: Option<Vec<u8>>,
    pub act: String,
    pub person_id: Option<Uuid>,
    pub device_id: Option<Uuid>,
    pub accepted_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
