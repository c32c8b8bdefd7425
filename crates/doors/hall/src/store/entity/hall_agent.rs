//! The table `hall_agent`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "hall_agent")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub hall: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub token_hash: Vec<u8>,
    pub expires_ms: i64,
    pub key_sha256: Option<Vec<u8>>,
    pub joined_ms: Option<i64>,
    pub invited_ms: i64,
    pub evidence: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
