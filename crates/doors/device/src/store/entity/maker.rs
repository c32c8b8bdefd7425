//! The table `authority`, which has the makers: tables keep their first names.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "authority")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub certificate: Vec<u8>,
    pub sha256: Vec<u8>,
    pub added_ms: i64,
    pub removed_ms: Option<i64>,
    pub evidence: Option<Vec<u8>>,
    pub key_sha256: Option<Vec<u8>>,
    pub subject_sha256: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
