//! The table `hall_guest`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "hall_guest")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub hall: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub guest: String,
    pub rights: String,
    pub admitted_ms: i64,
    pub evidence: Vec<u8>,
    pub needs: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
