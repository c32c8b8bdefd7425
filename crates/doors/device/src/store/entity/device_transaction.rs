//! The table `device_transaction`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "device_transaction")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub log_index: i64,
    pub device_id: Uuid,
    pub era: i64,
    pub sequence: i64,
    pub taken_ms: i64,
    pub accepted_ms: i64,
    pub sha256: Vec<u8>,
    pub length: i64,
    pub media_type: String,
    pub file_name: String,
    pub payload: Option<Vec<u8>>,
    pub object_key: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
