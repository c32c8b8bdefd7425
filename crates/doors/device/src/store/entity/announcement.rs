//! The table `announcement`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "announcement")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub code_hash: Vec<u8>,
    pub serial: String,
    #[sea_orm(column_name = "authority_id")]
    pub maker_id: Uuid,
    pub aaguid: Uuid,
    pub credential_id: Vec<u8>,
    pub public_key: Vec<u8>,
    pub sign_count: i64,
    pub signed: Vec<u8>,
    pub created_ms: i64,
    pub expires_ms: i64,
    pub device_id: Option<Uuid>,
    pub network: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
