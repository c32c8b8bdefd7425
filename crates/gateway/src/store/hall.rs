//! Halls, and who may enter them.

use core::fmt;
use core::str::FromStr;

use async_trait::async_trait;
use hallway_evidence::statement::hall::{HallName, Rights};
use hallway_evidence::{PersonId, RealmName, Timestamp};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::column::{Cell, ms, time};
use super::entity::{hall as row, hall_guest as guest_row};
use super::error::{StoreError, UnknownWord};
use super::ids::EvidenceHash;
use super::person::Role;
use super::unit::Sql;

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

/// Whom an admission is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GuestId {
    /// One person.
    Person(PersonId),
    /// Everybody who has this role, or one that includes it.
    Role(Role),
    /// Somebody of a partner.
    Visitor(RealmName, VisitorId),
}

/// Who of a partner an admission is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VisitorId {
    /// The person with this id at home.
    Person(PersonId),
    /// Everybody who has this role at home, or one that includes it.
    Role(Role),
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
    /// Since when.
    pub admitted: Timestamp,
    /// The evidence of that.
    pub evidence: EvidenceHash,
}

/// The halls of the realm and their guests.
#[async_trait]
pub trait HallRepository: Send + Sync {
    /// Adds a hall.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the name is taken; [`StoreError::TooMany`].
    async fn add(&self, hall: &Hall) -> Result<(), StoreError>;
    /// One hall.
    async fn get(&self, name: &HallName) -> Result<Option<Hall>, StoreError>;
    /// All of them, by name; at most [`MAX_HALLS`].
    async fn all(&self) -> Result<Vec<Hall>, StoreError>;
    /// Removes a hall with its guests and agents.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    async fn remove(&self, name: &HallName) -> Result<(), StoreError>;
    /// Admits somebody; what was said of the same guest before is replaced.
    ///
    /// # Errors
    /// [`StoreError::TooMany`].
    async fn admit(&self, guest: &HallGuest) -> Result<(), StoreError>;
    /// Takes an admission back.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    async fn dismiss(&self, hall: &HallName, guest: &GuestId) -> Result<(), StoreError>;
    /// Takes back every admission of people of a realm; tells how many.
    async fn dismiss_realm(&self, realm: &RealmName) -> Result<u64, StoreError>;
    /// The guests of a hall, in the order of their identifiers; at most [`MAX_GUESTS`].
    async fn guests(&self, hall: &HallName) -> Result<Vec<HallGuest>, StoreError>;
    /// Every admission that counts for a person of this role.
    async fn admissions(&self, person: PersonId, role: Role) -> Result<Vec<HallGuest>, StoreError>;
    /// Every admission that counts for a person of a partner who has this role at home.
    async fn admissions_of_visitor(
        &self,
        realm: &RealmName,
        person: PersonId,
        role: Role,
    ) -> Result<Vec<HallGuest>, StoreError>;
    /// Every admission of people of a realm, by hall.
    async fn shared_with(&self, realm: &RealmName) -> Result<Vec<HallGuest>, StoreError>;
}

impl GuestId {
    /// The guests as whom a person of this role may enter.
    fn of(person: PersonId, role: Role) -> Vec<Self> {
        let roles = included(role).into_iter().map(Self::Role);
        std::iter::once(Self::Person(person)).chain(roles).collect()
    }

    /// The guests as whom a person of a partner may enter.
    fn of_visitor(realm: &RealmName, person: PersonId, role: Role) -> Vec<Self> {
        let roles = included(role).into_iter().map(VisitorId::Role);
        std::iter::once(VisitorId::Person(person))
            .chain(roles)
            .map(|who| Self::Visitor(realm.clone(), who))
            .collect()
    }
}

/// The role and those that it includes.
fn included(role: Role) -> Vec<Role> {
    match role {
        Role::Member => vec![Role::Member],
        Role::Operator => vec![Role::Member, Role::Operator],
        Role::Owner => vec![Role::Member, Role::Operator, Role::Owner],
    }
}

/// How the guests of a realm begin.
const VISITOR: &str = "partner";

impl fmt::Display for GuestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => write!(f, "person/{id}"),
            Self::Role(role) => write!(f, "role/{role}"),
            Self::Visitor(realm, VisitorId::Person(id)) => {
                write!(f, "{VISITOR}/{realm}/person/{id}")
            }
            Self::Visitor(realm, VisitorId::Role(role)) => {
                write!(f, "{VISITOR}/{realm}/role/{role}")
            }
        }
    }
}

impl FromStr for GuestId {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let unknown = || UnknownWord;
        match text.split_once('/').ok_or_else(unknown)? {
            ("person", id) => id.parse().map(Self::Person).map_err(|_| unknown()),
            ("role", role) => role.parse().map(Self::Role).map_err(|_| unknown()),
            (VISITOR, rest) => {
                let (realm, who) = rest.split_once('/').ok_or_else(unknown)?;
                let realm = realm.parse().map_err(|_| unknown())?;
                match who.parse()? {
                    Self::Person(id) => Ok(Self::Visitor(realm, VisitorId::Person(id))),
                    Self::Role(role) => Ok(Self::Visitor(realm, VisitorId::Role(role))),
                    Self::Visitor(..) => Err(unknown()),
                }
            }
            _ => Err(unknown()),
        }
    }
}

/// Rights as a column: separated by blanks.
pub(super) fn rights_text(rights: &Rights) -> String {
    let texts: Vec<String> = rights.iter().map(ToString::to_string).collect();
    texts.join(" ")
}

/// And back.
pub(super) fn rights(cell: Cell, text: &str) -> Result<Rights, StoreError> {
    let rights: Result<Vec<_>, _> = text.split(' ').map(str::parse).collect();
    rights
        .ok()
        .and_then(|rights| Rights::try_from(rights).ok())
        .ok_or(cell.corrupt())
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
            admitted: time(row.admitted_ms),
            evidence: cell("evidence").hash(&row.evidence)?,
        })
    }
}

impl Sql<'_> {
    async fn of_guests(&self, guests: &[GuestId]) -> Result<Vec<HallGuest>, StoreError> {
        guest_row::Entity::find()
            .filter(guest_row::Column::Guest.is_in(guests.iter().map(ToString::to_string)))
            .order_by_asc(guest_row::Column::Hall)
            .all(self.db())
            .await?
            .into_iter()
            .map(HallGuest::try_from)
            .collect()
    }
}

#[async_trait]
impl HallRepository for Sql<'_> {
    async fn add(&self, hall: &Hall) -> Result<(), StoreError> {
        if row::Entity::find().count(self.db()).await? >= MAX_HALLS {
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
            .exec_without_returning(self.db())
            .await
            .map_err(StoreError::inserting("hall"))?;
        Ok(())
    }

    async fn get(&self, name: &HallName) -> Result<Option<Hall>, StoreError> {
        row::Entity::find_by_id(name.as_str())
            .one(self.db())
            .await?
            .map(Hall::try_from)
            .transpose()
    }

    async fn all(&self) -> Result<Vec<Hall>, StoreError> {
        row::Entity::find()
            .order_by_asc(row::Column::Name)
            .limit(MAX_HALLS)
            .all(self.db())
            .await?
            .into_iter()
            .map(Hall::try_from)
            .collect()
    }

    async fn remove(&self, name: &HallName) -> Result<(), StoreError> {
        let deleted = row::Entity::delete_by_id(name.as_str())
            .exec(self.db())
            .await?;
        match deleted.rows_affected {
            0 => Err(StoreError::Missing("hall")),
            _ => Ok(()),
        }
    }

    async fn admit(&self, guest: &HallGuest) -> Result<(), StoreError> {
        let guests =
            guest_row::Entity::find().filter(guest_row::Column::Hall.eq(guest.hall.as_str()));
        if guests.count(self.db()).await? >= MAX_GUESTS {
            return Err(StoreError::TooMany {
                what: "guests of this hall",
                max: MAX_GUESTS,
            });
        }
        let row = guest_row::Model {
            hall: guest.hall.to_string(),
            guest: guest.guest.to_string(),
            rights: rights_text(&guest.rights),
            admitted_ms: ms(guest.admitted),
            evidence: guest.evidence.0.to_vec(),
        };
        guest_row::Entity::insert(row.into_active_model())
            .on_conflict(
                OnConflict::columns([guest_row::Column::Hall, guest_row::Column::Guest])
                    .update_columns([
                        guest_row::Column::Rights,
                        guest_row::Column::AdmittedMs,
                        guest_row::Column::Evidence,
                    ])
                    .to_owned(),
            )
            .exec_without_returning(self.db())
            .await?;
        Ok(())
    }

    async fn dismiss(&self, hall: &HallName, guest: &GuestId) -> Result<(), StoreError> {
        let deleted = guest_row::Entity::delete_by_id((hall.to_string(), guest.to_string()))
            .exec(self.db())
            .await?;
        match deleted.rows_affected {
            0 => Err(StoreError::Missing("guest")),
            _ => Ok(()),
        }
    }

    async fn guests(&self, hall: &HallName) -> Result<Vec<HallGuest>, StoreError> {
        guest_row::Entity::find()
            .filter(guest_row::Column::Hall.eq(hall.as_str()))
            .order_by_asc(guest_row::Column::Guest)
            .limit(MAX_GUESTS)
            .all(self.db())
            .await?
            .into_iter()
            .map(HallGuest::try_from)
            .collect()
    }

    async fn admissions(&self, person: PersonId, role: Role) -> Result<Vec<HallGuest>, StoreError> {
        self.of_guests(&GuestId::of(person, role)).await
    }

    async fn admissions_of_visitor(
        &self,
        realm: &RealmName,
        person: PersonId,
        role: Role,
    ) -> Result<Vec<HallGuest>, StoreError> {
        self.of_guests(&GuestId::of_visitor(realm, person, role))
            .await
    }

    async fn shared_with(&self, realm: &RealmName) -> Result<Vec<HallGuest>, StoreError> {
        // The database narrows it down; a wildcard in a name can't widen what is given.
        let prefix = format!("{VISITOR}/{realm}/");
        let rows = guest_row::Entity::find()
            .filter(guest_row::Column::Guest.starts_with(&prefix))
            .order_by_asc(guest_row::Column::Hall)
            .order_by_asc(guest_row::Column::Guest)
            .all(self.db())
            .await?;
        rows.into_iter()
            .filter(|row| row.guest.starts_with(&prefix))
            .map(HallGuest::try_from)
            .collect()
    }

    async fn dismiss_realm(&self, realm: &RealmName) -> Result<u64, StoreError> {
        let shared = self.shared_with(realm).await?;
        for guest in &shared {
            HallRepository::dismiss(self, &guest.hall, &guest.guest).await?;
        }
        Ok(shared.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_text_and_back() {
        let ids = [
            GuestId::Person(PersonId::generate()),
            GuestId::Role(Role::Operator),
            GuestId::Visitor(
                "b.example".parse().unwrap(),
                VisitorId::Person(PersonId::generate()),
            ),
            GuestId::Visitor("b.example".parse().unwrap(), VisitorId::Role(Role::Member)),
        ];
        for id in ids {
            assert_eq!(id.to_string().parse::<GuestId>(), Ok(id));
        }
        for bad in [
            "",
            "person",
            "person/x",
            "role/king",
            "machine/1",
            "partner/b.example",
            "partner/role/member",
            "partner/b/partner/c/role/member",
        ] {
            assert!(bad.parse::<GuestId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_role_enters_as_itself_and_as_what_it_includes() {
        let id = PersonId::generate();
        let as_whom = |role| GuestId::of(id, role).len();
        assert_eq!(as_whom(Role::Member), 2);
        assert_eq!(as_whom(Role::Operator), 3);
        assert_eq!(as_whom(Role::Owner), 4);
        assert!(!GuestId::of(id, Role::Operator).contains(&GuestId::Role(Role::Owner)));
    }
}
