//! The table `hall_visit`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "hall_visit")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub evidence: Vec<u8>,
    pub home: String,
    pub bundle: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
