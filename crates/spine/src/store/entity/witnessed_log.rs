//! The table `witnessed_log`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "witnessed_log")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub origin: String,
    pub log_key: String,
    pub size: i64,
    pub checkpoint: String,
    pub cosigned_ms: i64,
    pub fork: Option<String>,
    pub forked_ms: Option<i64>,
    pub doubted_size: Option<i64>,
    pub doubted_ms: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
