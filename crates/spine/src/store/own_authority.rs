//! The realm's own certificate authorities: those that are in its trust bundle, and no other.

use hallway_evidence::Timestamp;
use sea_orm::{EntityTrait, IntoActiveModel, QueryOrder};

use super::column::{Cell, ms, time};
use super::entity::own_authority as row;
use super::error::StoreError;
use super::unit::Unit;
use hallway_evidence::words;

words! {
    /// The stage of an authority of the realm.
    OwnStage {
        /// Known to others, and signs when its turn comes.
        Next = "next",
        /// Signs.
        Signing = "signing",
        /// Signs no more; what it signed may still be valid.
        Retiring = "retiring",
    }
}

/// An authority of this realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnAuthority {
    /// SHA-256 of the certificate.
    pub sha256: [u8; 32],
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// Its private key, PKCS#8 under the operator key.
    pub sealed_key: Vec<u8>,
    /// Since when it is in the realm's bundle.
    pub published: Timestamp,
    /// When its certificate ends.
    pub expires: Timestamp,
    /// What it is there for.
    pub stage: OwnStage,
    /// Since when it is there for that.
    pub since: Timestamp,
}

/// The realm's own authorities. Every change replaces all of them at once.
#[derive(Clone, Copy, Debug)]
pub struct OwnAuthorityRows<'u>(&'u Unit<'u>);

impl Unit<'_> {
    /// The realm's own authorities. Every change replaces all of them at once.
    #[must_use]
    pub const fn own_authorities(&self) -> OwnAuthorityRows<'_> {
        OwnAuthorityRows(self)
    }
}

impl TryFrom<row::Model> for OwnAuthority {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("own_authority", column);
        Ok(Self {
            sha256: cell("sha256").hash(&row.sha256)?,
            certificate: row.certificate,
            sealed_key: row.sealed_key,
            published: time(row.published_ms),
            expires: time(row.expires_ms),
            stage: cell("stage").word(&row.stage)?,
            since: time(row.since_ms),
        })
    }
}

impl From<&OwnAuthority> for row::Model {
    fn from(authority: &OwnAuthority) -> Self {
        Self {
            sha256: authority.sha256.to_vec(),
            certificate: authority.certificate.clone(),
            sealed_key: authority.sealed_key.clone(),
            published_ms: ms(authority.published),
            expires_ms: ms(authority.expires),
            stage: authority.stage.as_str().to_owned(),
            since_ms: ms(authority.since),
        }
    }
}

impl OwnAuthorityRows<'_> {
    /// All of them, in the order of their hashes.
    pub async fn all(&self) -> Result<Vec<OwnAuthority>, StoreError> {
        let rows = row::Entity::find()
            .order_by_asc(row::Column::Sha256)
            .all(&self.0.db())
            .await?;
        rows.into_iter().map(OwnAuthority::try_from).collect()
    }

    /// Replaces all authorities by these. The keys of authorities that are not among them are deleted.
    pub async fn replace(&self, authorities: &[OwnAuthority]) -> Result<(), StoreError> {
        row::Entity::delete_many().exec(&self.0.db()).await?;
        for authority in authorities {
            row::Entity::insert(row::Model::from(authority).into_active_model())
                .exec_without_returning(&self.0.db())
                .await
                .map_err(StoreError::inserting("own authority"))?;
        }
        Ok(())
    }
}
