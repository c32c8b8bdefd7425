//! Settings that all gateways of a realm share: its name, its address, its sealed keys.

use sea_orm::sea_query::OnConflict;
use sea_orm::{EntityTrait, IntoActiveModel};

use super::entity::setting as row;
use super::error::StoreError;
use super::unit::Unit;

/// The settings.
#[derive(Clone, Copy, Debug)]
pub struct SettingRows<'u>(&'u Unit<'u>);

impl Unit<'_> {
    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> SettingRows<'_> {
        SettingRows(self)
    }
}

impl SettingRows<'_> {
    /// The value of a setting.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let row = row::Entity::find_by_id(key).one(&self.0.db()).await?;
        Ok(row.map(|row| row.value))
    }

    /// Sets it.
    pub async fn put(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let row = row::Model {
            key: key.to_owned(),
            value: value.to_vec(),
        };
        row::Entity::insert(row.into_active_model())
            .on_conflict(
                OnConflict::column(row::Column::Key)
                    .update_column(row::Column::Value)
                    .to_owned(),
            )
            .exec_without_returning(&self.0.db())
            .await?;
        Ok(())
    }

    /// Forgets it.
    pub async fn remove(&self, key: &str) -> Result<(), StoreError> {
        row::Entity::delete_by_id(key).exec(&self.0.db()).await?;
        Ok(())
    }

    /// Sets it if it is not set, and gives the value that it has now: of several gateways that
    /// start for the first time at once, all go on with the keys that one of them made.
    pub async fn put_first(&self, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        if let Some(value) = self.get(key).await? {
            return Ok(value);
        }
        // Units run one after another, so nobody sets it between the look and this.
        self.put(key, value).await?;
        Ok(value.to_vec())
    }
}
