//! What visitors brought: the evidence of partners' people who entered our halls.

use hallway_evidence::{Bundle, BundleError, RealmName};
use hallway_spine::store::column::Cell;
use hallway_spine::store::{EvidenceHash, StoreError, Unit};
use sea_orm::{EntityTrait, IntoActiveModel};

use super::entity::hall_visit as row;

/// Evidence that a visitor brought, with the proofs of the log at home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The hash of the opening, which is an entry of the log at home and of ours.
    pub evidence: EvidenceHash,
    /// The visitor's realm.
    pub home: RealmName,
    /// The opening, and the registration of the key that signed it.
    pub bundle: Bundle,
}

/// The visits, past and present.
#[derive(Clone, Copy, Debug)]
pub struct VisitRows<'u>(pub(super) &'u Unit<'u>);

impl TryFrom<row::Model> for Visit {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("hall_visit", column);
        Ok(Self {
            evidence: cell("evidence").hash(&row.evidence)?,
            home: cell("home").word(&row.home)?,
            bundle: Bundle::decode(&row.bundle)
                .map_err(|_: BundleError| cell("bundle").corrupt())?,
        })
    }
}

impl VisitRows<'_> {
    /// Keeps one.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when it was brought before.
    pub async fn add(&self, visit: &Visit) -> Result<(), StoreError> {
        let row = row::Model {
            evidence: visit.evidence.0.to_vec(),
            home: visit.home.to_string(),
            bundle: visit.bundle.encode(),
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.0.db())
            .await
            .map_err(StoreError::inserting("visit"))?;
        Ok(())
    }

    /// The visit of this evidence; nothing when no visitor brought it.
    pub async fn get(&self, evidence: &EvidenceHash) -> Result<Option<Visit>, StoreError> {
        row::Entity::find_by_id(evidence.0.to_vec())
            .one(&self.0.db())
            .await?
            .map(Visit::try_from)
            .transpose()
    }
}
