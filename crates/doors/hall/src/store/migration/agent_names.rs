//! The names of stores and services that agents were invited to provide: each belongs to one agent of
//! its hall, or to one and another that an owner put beside it, which the primary key says for every
//! gateway of the realm at once.
//!
//! An agent that was invited before has none, and provides nothing until it is invited anew.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use hallway_spine::store::migration::make::table;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::text;

pub(crate) struct AgentNames;

impl MigrationName for AgentNames {
    fn name(&self) -> &'static str {
        "0015_agent_names"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for AgentNames {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = ["hall", "kind", "name", "beside", "agent"].map(text);
        let mut names = table("hall_agent_name", columns);
        let key = ["hall", "kind", "name", "beside"];
        names.primary_key(
            key.iter()
                .fold(&mut Index::create(), |index, column| index.col(*column)),
        );
        names.foreign_key(
            ForeignKey::create()
                .from("hall_agent_name", ("hall", "agent"))
                .to("hall_agent", ("hall", "name"))
                .on_delete(ForeignKeyAction::Cascade),
        );
        manager.create_table(names).await
    }
}
