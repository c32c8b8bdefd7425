//! Halls, and who may enter them.

use hallway_evidence::statement::hall::{HallName, Needs, Rights};
use hallway_evidence::{PersonId, RealmName, Timestamp};
use hallway_spine::store::column::{Cell, ms, time};
use hallway_spine::store::{EvidenceHash, Role, StoreError, Unit};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::entity::{hall as row, hall_guest as guest_row};

mod guest;

use guest::VISITOR;
pub use guest::{GuestId, VisitorId};

/// How many halls a realm may have.
pub const MAX_HALLS: u64 = 256;
/// How many guests one hall may have.
pub const MAX_GUESTS: u64 = 1024;

/// A hall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hall {
    /// Its name, for programs.
    pub name: HallName,
    /// What it is called, for people.
    pub title: String,
    /// Who made it.
    pub created_by: PersonId,
    /// When.
    pub created: Timestamp,
    /// The evidence of that.
    pub evidence: EvidenceHash,
}

/// An admission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HallGuest {
    /// To which hall.
    pub hall: HallName,
    /// Of whom.
    pub guest: GuestId,
    /// What the guest may do there.
    pub rights: Rights,
    /// What is demanded besides.
    pub needs: Needs,
    /// Since when.
    pub admitted: Timestamp,
    /// The evidence of that.
    pub evidence: EvidenceHash,
}

/// The halls of the realm and their guests.
#[derive(Clone, Copy, Debug)]
pub struct HallRows<'u>(pub(super) &'u Unit<'u>);

/// Rights as a column: separated by blanks.
pub(crate) fn rights_text(rights: &Rights) -> String {
    let texts: Vec<String> = rights.iter().map(ToString::to_string).collect();
    texts.join(" ")
}

/// And back.
pub(crate) fn rights(cell: Cell, text: &str) -> Result<Rights, StoreError> {
    let rights: Result<Vec<_>, _> = text.split(' ').map(str::parse).collect();
    rights
        .ok()
        .and_then(|rights| Rights::try_from(rights).ok())
        .ok_or(cell.corrupt())
}

/// Needs as a column: JSON, or nothing where nothing is demanded.
fn needs_text(needs: &Needs) -> Result<Option<String>, StoreError> {
    let text = (!needs.is_empty()).then(|| serde_json::to_string(needs));
    text.transpose()
        .map_err(|_| Cell("hall_guest", "needs").corrupt())
}

/// And back. What this version does not understand is not passed over: it was demanded.
fn needs(cell: Cell, text: Option<&str>) -> Result<Needs, StoreError> {
    let needs = text.map(serde_json::from_str).transpose();
    needs
        .map(Option::unwrap_or_default)
        .map_err(|_| cell.corrupt())
}

impl TryFrom<row::Model> for Hall {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("hall", column);
        Ok(Self {
            name: cell("name").word(&row.name)?,
            title: row.title,
            created_by: row.created_by.into(),
            created: time(row.created_ms),
            evidence: cell("evidence").hash(&row.evidence)?,
        })
    }
}

impl TryFrom<guest_row::Model> for HallGuest {
    type Error = StoreError;

    fn try_from(row: guest_row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("hall_guest", column);
        Ok(Self {
            hall: cell("hall").word(&row.hall)?,
            guest: cell("guest").word(&row.guest)?,
            rights: rights(cell("rights"), &row.rights)?,
            needs: needs(cell("needs"), row.needs.as_deref())?,
            admitted: time(row.admitted_ms),
            evidence: cell("evidence").hash(&row.evidence)?,
        })
    }
}

impl HallRows<'_> {
    async fn of_guests(&self, guests: &[GuestId]) -> Result<Vec<HallGuest>, StoreError> {
        guest_row::Entity::find()
            .filter(guest_row::Column::Guest.is_in(guests.iter().map(ToString::to_string)))
            .order_by_asc(guest_row::Column::Hall)
            .all(&self.0.db())
            .await?
            .into_iter()
            .map(HallGuest::try_from)
            .collect()
    }
}

impl HallRows<'_> {
    /// Adds a hall.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the name is taken; [`StoreError::TooMany`].
    pub async fn add(&self, hall: &Hall) -> Result<(), StoreError> {
        if row::Entity::find().count(&self.0.db()).await? >= MAX_HALLS {
            return Err(StoreError::TooMany {
                what: "halls",
                max: MAX_HALLS,
            });
        }
        let row = row::Model {
            name: hall.name.to_string(),
            title: hall.title.clone(),
            created_by: hall.created_by.as_uuid(),
            created_ms: ms(hall.created),
            evidence: hall.evidence.0.to_vec(),
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.0.db())
            .await
            .map_err(StoreError::inserting("hall"))?;
        Ok(())
    }

    /// One hall.
    pub async fn get(&self, name: &HallName) -> Result<Option<Hall>, StoreError> {
        row::Entity::find_by_id(name.as_str())
            .one(&self.0.db())
            .await?
            .map(Hall::try_from)
            .transpose()
    }

    /// All of them, by name; at most [`MAX_HALLS`].
    pub async fn all(&self) -> Result<Vec<Hall>, StoreError> {
        row::Entity::find()
            .order_by_asc(row::Column::Name)
            .limit(MAX_HALLS)
            .all(&self.0.db())
            .await?
            .into_iter()
            .map(Hall::try_from)
            .collect()
    }

    /// Removes a hall with its guests and agents.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn remove(&self, name: &HallName) -> Result<(), StoreError> {
        let deleted = row::Entity::delete_by_id(name.as_str())
            .exec(&self.0.db())
            .await?;
        match deleted.rows_affected {
            0 => Err(StoreError::Missing("hall")),
            _ => Ok(()),
        }
    }

    /// Admits somebody; what was said of the same guest before is replaced.
    ///
    /// # Errors
    /// [`StoreError::TooMany`].
    pub async fn admit(&self, guest: &HallGuest) -> Result<(), StoreError> {
        let others = guest_row::Entity::find()
            .filter(guest_row::Column::Hall.eq(guest.hall.as_str()))
            .filter(guest_row::Column::Guest.ne(guest.guest.to_string()));
        if others.count(&self.0.db()).await? >= MAX_GUESTS {
            return Err(StoreError::TooMany {
                what: "guests of this hall",
                max: MAX_GUESTS,
            });
        }
        let row = guest_row::Model {
            hall: guest.hall.to_string(),
            guest: guest.guest.to_string(),
            rights: rights_text(&guest.rights),
            needs: needs_text(&guest.needs)?,
            admitted_ms: ms(guest.admitted),
            evidence: guest.evidence.0.to_vec(),
        };
        guest_row::Entity::insert(row.into_active_model())
            .on_conflict(
                OnConflict::columns([guest_row::Column::Hall, guest_row::Column::Guest])
                    .update_columns([
                        guest_row::Column::Rights,
                        guest_row::Column::Needs,
                        guest_row::Column::AdmittedMs,
                        guest_row::Column::Evidence,
                    ])
                    .to_owned(),
            )
            .exec_without_returning(&self.0.db())
            .await?;
        Ok(())
    }

    /// Takes an admission back.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn dismiss(&self, hall: &HallName, guest: &GuestId) -> Result<(), StoreError> {
        let deleted = guest_row::Entity::delete_by_id((hall.to_string(), guest.to_string()))
            .exec(&self.0.db())
            .await?;
        match deleted.rows_affected {
            0 => Err(StoreError::Missing("guest")),
            _ => Ok(()),
        }
    }

    /// The guests of a hall, in the order of their identifiers; at most [`MAX_GUESTS`].
    pub async fn guests(&self, hall: &HallName) -> Result<Vec<HallGuest>, StoreError> {
        guest_row::Entity::find()
            .filter(guest_row::Column::Hall.eq(hall.as_str()))
            .order_by_asc(guest_row::Column::Guest)
            .limit(MAX_GUESTS)
            .all(&self.0.db())
            .await?
            .into_iter()
            .map(HallGuest::try_from)
            .collect()
    }

    /// Every admission that counts for a person of this role.
    pub async fn admissions(
        &self,
        person: PersonId,
        role: Role,
    ) -> Result<Vec<HallGuest>, StoreError> {
        self.of_guests(&GuestId::of(person, role)).await
    }

    /// Every admission that counts for a person of a partner who has this role at home.
    pub async fn admissions_of_visitor(
        &self,
        realm: &RealmName,
        person: PersonId,
        role: Role,
    ) -> Result<Vec<HallGuest>, StoreError> {
        self.of_guests(&GuestId::of_visitor(realm, person, role))
            .await
    }

    /// Every admission of people of a realm, by hall.
    pub async fn shared_with(&self, realm: &RealmName) -> Result<Vec<HallGuest>, StoreError> {
        // The database narrows it down; a wildcard in a name can't widen what is given.
        let prefix = format!("{VISITOR}/{realm}/");
        let rows = guest_row::Entity::find()
            .filter(guest_row::Column::Guest.starts_with(&prefix))
            .order_by_asc(guest_row::Column::Hall)
            .order_by_asc(guest_row::Column::Guest)
            .all(&self.0.db())
            .await?;
        rows.into_iter()
            .filter(|row| row.guest.starts_with(&prefix))
            .map(HallGuest::try_from)
            .collect()
    }

    /// Takes back every admission of people of a realm; tells how many.
    pub async fn dismiss_realm(&self, realm: &RealmName) -> Result<u64, StoreError> {
        let shared = self.shared_with(realm).await?;
        for guest in &shared {
            self.dismiss(&guest.hall, &guest.guest).await?;
        }
        Ok(shared.len() as u64)
    }
}
