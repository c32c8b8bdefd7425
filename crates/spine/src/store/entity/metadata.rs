//! The table `metadata`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "metadata")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub signer: Vec<u8>,
    pub number: Option<i64>,
    pub next_update_ms: Option<i64>,
    pub sha256: Option<Vec<u8>>,
    pub source: String,
    pub taken_ms: Option<i64>,
    pub checked_ms: Option<i64>,
    pub problem: Option<String>,
    pub next_attempt_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
