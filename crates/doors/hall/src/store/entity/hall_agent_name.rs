//! The table `hall_agent_name`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "hall_agent_name")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub hall: String,
    /// `store` or `service`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The agent beside which this one provides it; empty for the one whose it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub beside: String,
    pub agent: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
