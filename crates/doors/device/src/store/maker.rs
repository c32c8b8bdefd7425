//! Makers: whose devices may enrol.

use std::collections::BTreeSet;

use hallway_evidence::Timestamp;
use hallway_spine::store::column::{Cell, ms, time};
use hallway_spine::store::{EvidenceHash, MakerId, Page, PageRequest, StoreError, Unit};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::entity::maker as row;
use crate::issuers::Issuers;

/// The hashes of a maker's key and subject, as columns.
type KeyAndSubject = (Option<Vec<u8>>, Option<Vec<u8>>);

/// How many makers may be trusted at a time.
pub const MAX_MAKERS: u64 = 256;

/// A maker of devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maker {
    /// Which, for good.
    pub id: MakerId,
    /// What the realm calls it.
    pub name: String,
    /// The certificate of its attestation authority, DER.
    pub certificate: Vec<u8>,
    /// SHA-256 of the certificate.
    pub sha256: [u8; 32],
    /// When it was installed.
    pub added: Timestamp,
    /// When it was removed. Devices that enrolled before stay enrolled.
    pub removed: Option<Timestamp>,
    /// The evidence that installed it; nothing for one from the configuration.
    pub evidence: Option<EvidenceHash>,
    /// SHA-256 of its public key: what stays the same when its certificate is renewed.
    pub key: [u8; 32],
    /// SHA-256 of its subject: what stays the same when it gets another key. Nothing for an empty
    /// one.
    pub subject: Option<[u8; 32]>,
}

/// The makers, past and present.
#[derive(Clone, Copy, Debug)]
pub struct MakerRows<'u>(pub(super) &'u Unit<'u>);

impl TryFrom<row::Model> for Maker {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("authority", column);
        Ok(Self {
            id: row.id.into(),
            name: row.name,
            certificate: row.certificate,
            sha256: cell("sha256").hash(&row.sha256)?,
            added: time(row.added_ms),
            removed: row.removed_ms.map(time),
            evidence: cell("evidence").hash_option(row.evidence.as_deref())?,
            key: cell("key_sha256").hash(&row.key_sha256.unwrap_or_default())?,
            subject: cell("subject_sha256").hash_option(row.subject_sha256.as_deref())?,
        })
    }
}

impl MakerRows<'_> {
    /// Installs one.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when its certificate is installed already; [`StoreError::TooMany`].
    pub async fn add(&self, maker: &Maker) -> Result<(), StoreError> {
        let installed = row::Entity::find().filter(row::Column::RemovedMs.is_null());
        if installed.count(&self.0.db()).await? >= MAX_MAKERS {
            return Err(StoreError::TooMany {
                what: "makers",
                max: MAX_MAKERS,
            });
        }
        let row = row::Model {
            id: maker.id.as_uuid(),
            name: maker.name.clone(),
            certificate: maker.certificate.clone(),
            sha256: maker.sha256.to_vec(),
            added_ms: ms(maker.added),
            removed_ms: maker.removed.map(ms),
            evidence: maker.evidence.map(|hash| hash.0.to_vec()),
            key_sha256: Some(maker.key.to_vec()),
            subject_sha256: maker.subject.map(|hash| hash.to_vec()),
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.0.db())
            .await
            .map_err(StoreError::inserting("maker"))?;
        Ok(())
    }

    /// One of them, removed or not.
    pub async fn get(&self, id: MakerId) -> Result<Option<Maker>, StoreError> {
        row::Entity::find_by_id(id.as_uuid())
            .one(&self.0.db())
            .await?
            .map(Maker::try_from)
            .transpose()
    }

    /// The installed one with this certificate.
    pub async fn by_certificate(&self, sha256: &[u8; 32]) -> Result<Option<Maker>, StoreError> {
        row::Entity::find()
            .filter(row::Column::Sha256.eq(sha256.to_vec()))
            .filter(row::Column::RemovedMs.is_null())
            .one(&self.0.db())
            .await?
            .map(Maker::try_from)
            .transpose()
    }

    /// All that are installed, at most [`MAX_MAKERS`], newest first.
    pub async fn installed(&self) -> Result<Vec<Maker>, StoreError> {
        row::Entity::find()
            .filter(row::Column::RemovedMs.is_null())
            .order_by_desc(row::Column::Id)
            .limit(MAX_MAKERS)
            .all(&self.0.db())
            .await?
            .into_iter()
            .map(Maker::try_from)
            .collect()
    }

    /// All, removed ones too.
    pub async fn page(
        &self,
        request: &PageRequest<MakerId>,
    ) -> Result<Page<Maker, MakerId>, StoreError> {
        let mut query = row::Entity::find()
            .order_by_desc(row::Column::Id)
            .limit(request.limit.with_one_more());
        if let Some(after) = request.after {
            query = query.filter(row::Column::Id.lt(after.as_uuid()));
        }
        let rows = query.all(&self.0.db()).await?;
        let items = rows
            .into_iter()
            .map(Maker::try_from)
            .collect::<Result<_, _>>()?;
        Ok(Page::of(items, request.limit, |maker: &Maker| maker.id))
    }

    /// The given issuers, and all makers, past and present, that have a key or a name in common
    /// with them, however many steps away.
    pub async fn same_as(&self, given: Issuers) -> Result<Issuers, StoreError> {
        let mut found = given;
        loop {
            let hashes = |hashes: &BTreeSet<[u8; 32]>| -> Vec<Vec<u8>> {
                hashes.iter().map(|hash| hash.to_vec()).collect()
            };
            let by_key = row::Column::KeySha256.is_in(hashes(&found.keys));
            let by_subject = row::Column::SubjectSha256.is_in(hashes(&found.subjects));
            let related: Vec<KeyAndSubject> = row::Entity::find()
                .select_only()
                .column(row::Column::KeySha256)
                .column(row::Column::SubjectSha256)
                .distinct()
                .filter(Condition::any().add(by_key).add(by_subject))
                .into_tuple()
                .all(&self.0.db())
                .await?;
            let mut is_more = false;
            for (key, subject) in related {
                let cell = |column| Cell("authority", column);
                let key = cell("key_sha256").hash(&key.unwrap_or_default())?;
                let subject = cell("subject_sha256").hash_option(subject.as_deref())?;
                is_more |= found.add(key, subject);
            }
            if !is_more {
                return Ok(found);
            }
        }
    }

    /// Removes one: nothing that it attests enrols from now on.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when it is not installed.
    pub async fn remove(&self, id: MakerId, now: Timestamp) -> Result<(), StoreError> {
        let updated = row::Entity::update_many()
            .col_expr(row::Column::RemovedMs, Expr::value(ms(now)))
            .filter(row::Column::Id.eq(id.as_uuid()))
            .filter(row::Column::RemovedMs.is_null())
            .exec(&self.0.db())
            .await?;
        match updated.rows_affected {
            0 => Err(StoreError::Missing("maker")),
            _ => Ok(()),
        }
    }
}
