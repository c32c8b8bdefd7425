//! The table `hall_lock`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "hall_lock")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub token: Uuid,
    pub hall: String,
    pub store: String,
    pub path: Vec<u8>,
    pub deep: bool,
    pub exclusive: bool,
    pub owner: Option<String>,
    pub grant_id: Uuid,
    pub ends_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
