//! The table `hall_grant`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "hall_grant")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub hall: String,
    pub person_id: Option<Uuid>,
    pub credential_id: Vec<u8>,
    pub rights: String,
    pub key_sha256: Option<Vec<u8>>,
    pub session_hash: Option<Vec<u8>>,
    pub opened_ms: i64,
    pub ends_ms: i64,
    pub ended_ms: Option<i64>,
    pub ended_by: Option<Uuid>,
    pub evidence: Vec<u8>,
    pub address: String,
    pub home: Option<String>,
    pub visitor_id: Option<Uuid>,
    pub visitor_name: Option<String>,
    pub visitor_role: Option<String>,
    pub vouched_ms: Option<i64>,
    pub told_ms: Option<i64>,
    pub approval: Option<String>,
    pub approved_ms: Option<i64>,
    pub approved_by: Option<Uuid>,
    pub approval_evidence: Option<Vec<u8>>,
    pub end_cause: Option<String>,
    pub kind: String,
    pub host: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
