//! The table `credential`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credential")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Vec<u8>,
    pub person_id: Option<Uuid>,
    pub device_id: Option<Uuid>,
    pub public_key: Vec<u8>,
    pub sign_count: i64,
    pub aaguid: Uuid,
    pub label: String,
    pub transports: String,
    pub backup_eligible: bool,
    pub backed_up: bool,
    pub uv_initialized: bool,
    pub user_handle: Vec<u8>,
    pub created_ms: i64,
    pub last_used_ms: Option<i64>,
    pub registration_evidence: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
