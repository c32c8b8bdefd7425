//! The table `device`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "device")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub serial: String,
    #[sea_orm(column_name = "authority_id")]
    pub maker_id: Uuid,
    pub aaguid: Uuid,
    pub name: String,
    pub owner: Option<Uuid>,
    pub state: String,
    pub credential_id: Option<Vec<u8>>,
    pub era: i64,
    pub last_sequence: i64,
    pub last_taken_ms: i64,
    pub last_seen_ms: Option<i64>,
    pub created_ms: i64,
    pub enrolment_evidence: Option<Vec<u8>>,
    pub claim_evidence: Option<Vec<u8>>,
    pub suspended_by: Option<String>,
    pub set_aside: i64,
    pub set_aside_ms: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
