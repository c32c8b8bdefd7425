//! The table `partner`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "partner")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub realm: String,
    pub origin: String,
    pub state: String,
    pub log_key: String,
    pub pins: Vec<u8>,
    pub pact: Vec<u8>,
    pub sealed_token: Option<Vec<u8>>,
    pub expires_ms: i64,
    pub invited: Option<Vec<u8>>,
    pub invited_until_ms: Option<i64>,
    pub hall_address: Option<String>,
    pub witness_key: Option<String>,
    pub witness_url: Option<String>,
    pub bundle_sha256: Option<Vec<u8>>,
    pub bundle_sequence: Option<i64>,
    pub bundle_refresh_s: Option<i64>,
    pub bundle_ms: Option<i64>,
    pub checked_ms: Option<i64>,
    pub problem: Option<String>,
    pub next_attempt_ms: i64,
    pub made_by: Uuid,
    pub made_ms: i64,
    pub joined_ms: Option<i64>,
    pub ended_ms: Option<i64>,
    pub ended_by: Option<String>,
    pub told_ms: Option<i64>,
    pub evidence: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
