//! The table `cosigner`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "cosigner")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub witness_key: String,
    pub size: i64,
    pub checkpoint: Option<String>,
    pub cosigned_ms: Option<i64>,
    pub asked_ms: Option<i64>,
    pub problem: Option<String>,
    pub failures: i64,
    pub next_attempt_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
