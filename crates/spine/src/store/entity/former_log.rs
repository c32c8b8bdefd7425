//! The table `former_log`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "former_log")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub evidence: Vec<u8>,
    pub origin: String,
    pub log_key: String,
    pub size: i64,
    pub checkpoint: String,
    pub cosigned_ms: i64,
    pub fork: Option<String>,
    pub forked_ms: Option<i64>,
    pub ended_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
