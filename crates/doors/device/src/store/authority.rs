//! Attestation authorities: whose devices may enrol.

use std::collections::BTreeSet;

use hallway_evidence::Timestamp;
use hallway_spine::store::column::{Cell, ms, time};
use hallway_spine::store::{AuthorityId, EvidenceHash, Page, PageRequest, StoreError, Unit};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::entity::authority as row;
use crate::maker::Authorities;

/// The hashes of an authority's key and subject, as columns.
type KeyAndSubject = (Option<Vec<u8>>, Option<Vec<u8>>);

/// How many authorities may be trusted at a time.
pub const MAX_AUTHORITIES: u64 = 256;

/// An attestation authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Which, for good.
    pub id: AuthorityId,
    /// What the realm calls it.
    pub name: String,
    /// Its certificate, DER.
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

/// The attestation authorities, past and present.
#[derive(Clone, Copy, Debug)]
pub struct AuthorityRows<'u>(pub(super) &'u Unit<'u>);

impl TryFrom<row::Model> for Authority {
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

impl AuthorityRows<'_> {
    /// Installs one.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when its certificate is installed already; [`StoreError::TooMany`].
    pub async fn add(&self, authority: &Authority) -> Result<(), StoreError> {
        let installed = row::Entity::find().filter(row::Column::RemovedMs.is_null());
        if installed.count(&self.0.db()).await? >= MAX_AUTHORITIES {
            return Err(StoreError::TooMany {
                what: "attestation authorities",
                max: MAX_AUTHORITIES,
            });
        }
        let row = row::Model {
            id: authority.id.as_uuid(),
            name: authority.name.clone(),
            certificate: authority.certificate.clone(),
            sha256: authority.sha256.to_vec(),
            added_ms: ms(authority.added),
            removed_ms: authority.removed.map(ms),
            evidence: authority.evidence.map(|hash| hash.0.to_vec()),
            key_sha256: Some(authority.key.to_vec()),
            subject_sha256: authority.subject.map(|hash| hash.to_vec()),
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.0.db())
            .await
            .map_err(StoreError::inserting("authority"))?;
        Ok(())
    }

    /// One of them, removed or not.
    pub async fn get(&self, id: AuthorityId) -> Result<Option<Authority>, StoreError> {
        row::Entity::find_by_id(id.as_uuid())
            .one(&self.0.db())
            .await?
            .map(Authority::try_from)
            .transpose()
    }

    /// The installed one with this certificate.
    pub async fn by_certificate(&self, sha256: &[u8; 32]) -> Result<Option<Authority>, StoreError> {
        row::Entity::find()
            .filter(row::Column::Sha256.eq(sha256.to_vec()))
            .filter(row::Column::RemovedMs.is_null())
            .one(&self.0.db())
            .await?
            .map(Authority::try_from)
            .transpose()
    }

    /// All that are installed, at most [`MAX_AUTHORITIES`], newest first.
    pub async fn installed(&self) -> Result<Vec<Authority>, StoreError> {
        row::Entity::find()
            .filter(row::Column::RemovedMs.is_null())
            .order_by_desc(row::Column::Id)
            .limit(MAX_AUTHORITIES)
            .all(&self.0.db())
            .await?
            .into_iter()
            .map(Authority::try_from)
            .collect()
    }

    /// All, removed ones too.
    pub async fn page(
        &self,
        request: &PageRequest<AuthorityId>,
    ) -> Result<Page<Authority, AuthorityId>, StoreError> {
        let mut query = row::Entity::find()
            .order_by_desc(row::Column::Id)
            .limit(request.limit.with_one_more());
        if let Some(after) = request.after {
            query = query.filter(row::Column::Id.lt(after.as_uuid()));
        }
        let rows = query.all(&self.0.db()).await?;
        let items = rows
            .into_iter()
            .map(Authority::try_from)
            .collect::<Result<_, _>>()?;
        Ok(Page::of(items, request.limit, |authority: &Authority| {
            authority.id
        }))
    }

    /// The given authorities, and all, past and present, that are known to be the same by a key or a
    /// name, however many steps away.
    pub async fn same_as(&self, given: Authorities) -> Result<Authorities, StoreError> {
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
    pub async fn remove(&self, id: AuthorityId, now: Timestamp) -> Result<(), StoreError> {
        let updated = row::Entity::update_many()
            .col_expr(row::Column::RemovedMs, Expr::value(ms(now)))
            .filter(row::Column::Id.eq(id.as_uuid()))
            .filter(row::Column::RemovedMs.is_null())
            .exec(&self.0.db())
            .await?;
        match updated.rows_affected {
            0 => Err(StoreError::Missing("authority")),
            _ => Ok(()),
        }
    }
}
