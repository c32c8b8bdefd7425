//! People: who belongs to the realm.

use std::collections::{BTreeSet, HashMap};

use hallway_evidence::{PersonId, Timestamp};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

pub use hallway_evidence::statement::people::Role;

use super::column::{Cell, ms, pad, time};
use super::entity::person as row;
use super::error::StoreError;
use super::page::{Limit, Page, PageRequest};
use super::unit::Unit;
use hallway_evidence::words;

words! {
    /// Whether a person's keys open doors.
    PersonState {
        /// They do.
        Active = "active",
        /// They do not, until somebody reinstates the person.
        Suspended = "suspended",
    }
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who, for good. Also the user handle of the person's discoverable credentials.
    pub id: PersonId,
    /// What the person is called.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// Whether the person's keys open doors.
    pub state: PersonState,
    /// When the person joined.
    pub created: Timestamp,
}

/// The people of the realm. Nobody is ever deleted: evidence names them.
#[derive(Clone, Copy, Debug)]
pub struct PersonRows<'u>(&'u Unit<'u>);

impl Unit<'_> {
    /// The people of the realm. Nobody is ever deleted: evidence names them.
    #[must_use]
    pub const fn people(&self) -> PersonRows<'_> {
        PersonRows(self)
    }
}

impl TryFrom<row::Model> for Person {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.into(),
            name: row.name,
            role: Cell("person", "role").word(&row.role)?,
            state: Cell("person", "state").word(&row.state)?,
            created: time(row.created_ms),
        })
    }
}

impl PersonRows<'_> {
    /// Checks that an active owner is left when `person` no longer is one. Units run one after
    /// another, so two owners cannot demote each other at once.
    async fn leave_an_owner(
        &self,
        person: &Person,
        role: Role,
        state: PersonState,
    ) -> Result<(), StoreError> {
        let is_owner = person.role == Role::Owner && person.state == PersonState::Active;
        let stays_owner = role == Role::Owner && state == PersonState::Active;
        if is_owner && !stays_owner && self.count_active(Role::Owner).await? == 1 {
            return Err(StoreError::LastOwner);
        }
        Ok(())
    }

    async fn person(&self, id: PersonId) -> Result<Person, StoreError> {
        self.get(id).await?.ok_or(StoreError::Missing("person"))
    }

    async fn set_person(
        &self,
        id: PersonId,
        column: row::Column,
        value: &str,
    ) -> Result<(), StoreError> {
        let updated = row::Entity::update_many()
            .col_expr(column, Expr::value(value))
            .filter(row::Column::Id.eq(id.as_uuid()))
            .exec(&self.0.db())
            .await?;
        match updated.rows_affected {
            0 => Err(StoreError::Missing("person")),
            _ => Ok(()),
        }
    }
}

impl PersonRows<'_> {
    /// Adds a person.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the id is taken.
    pub async fn add(&self, person: &Person) -> Result<(), StoreError> {
        let row = row::Model {
            id: person.id.as_uuid(),
            name: person.name.clone(),
            role: person.role.as_str().to_owned(),
            state: person.state.as_str().to_owned(),
            created_ms: ms(person.created),
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.0.db())
            .await
            .map_err(StoreError::inserting("person"))?;
        Ok(())
    }

    /// One person.
    pub async fn get(&self, id: PersonId) -> Result<Option<Person>, StoreError> {
        row::Entity::find_by_id(id.as_uuid())
            .one(&self.0.db())
            .await?
            .map(Person::try_from)
            .transpose()
    }

    /// What these people are called. Nothing for those who are not there.
    pub async fn names(
        &self,
        ids: impl IntoIterator<Item = PersonId>,
    ) -> Result<HashMap<PersonId, String>, StoreError> {
        let ids: BTreeSet<_> = ids.into_iter().map(|id| id.as_uuid()).collect();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let named: Vec<(Uuid, String)> = row::Entity::find()
            .select_only()
            .columns([row::Column::Id, row::Column::Name])
            .filter(row::Column::Id.is_in(pad(ids.into_iter().collect())))
            .into_tuple()
            .all(&self.0.db())
            .await?;
        let named = named.into_iter();
        Ok(named.map(|(id, name)| (id.into(), name)).collect())
    }

    /// The people, the last one who joined first.
    pub async fn page(
        &self,
        request: &PageRequest<PersonId>,
    ) -> Result<Page<Person, PersonId>, StoreError> {
        let mut query = row::Entity::find()
            .order_by_desc(row::Column::Id)
            .limit(request.limit.with_one_more());
        if let Some(after) = request.after {
            query = query.filter(row::Column::Id.lt(after.as_uuid()));
        }
        let rows = query.all(&self.0.db()).await?;
        let people = rows
            .into_iter()
            .map(Person::try_from)
            .collect::<Result<_, _>>()?;
        Ok(Page::of(people, request.limit, |person: &Person| person.id))
    }

    /// How many people have the role and are active. No active owner means that the gateway was
    /// never set up.
    pub async fn count_active(&self, role: Role) -> Result<u64, StoreError> {
        Ok(row::Entity::find()
            .filter(row::Column::Role.eq(role.as_str()))
            .filter(row::Column::State.eq(PersonState::Active.as_str()))
            .count(&self.0.db())
            .await?)
    }

    /// Some of the active people who have one of these roles, by name.
    pub async fn active(&self, roles: &[Role], limit: Limit) -> Result<Vec<Person>, StoreError> {
        row::Entity::find()
            .filter(row::Column::State.eq(PersonState::Active.as_str()))
            .filter(row::Column::Role.is_in(roles.iter().map(|role| role.as_str())))
            .order_by_asc(row::Column::Name)
            .order_by_asc(row::Column::Id)
            .limit(u64::from(limit.get()))
            .all(&self.0.db())
            .await?
            .into_iter()
            .map(Person::try_from)
            .collect()
    }

    /// Gives the person another name.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn rename(&self, id: PersonId, name: &str) -> Result<(), StoreError> {
        self.set_person(id, row::Column::Name, name).await
    }

    /// Gives the person another role.
    ///
    /// # Errors
    /// [`StoreError::LastOwner`] when no active owner would be left; [`StoreError::Missing`].
    pub async fn set_role(&self, id: PersonId, role: Role) -> Result<(), StoreError> {
        let person = self.person(id).await?;
        self.leave_an_owner(&person, role, person.state).await?;
        self.set_person(id, row::Column::Role, role.as_str()).await
    }

    /// Suspends or reinstates the person.
    ///
    /// # Errors
    /// [`StoreError::LastOwner`] when no active owner would be left; [`StoreError::Missing`].
    pub async fn set_state(&self, id: PersonId, state: PersonState) -> Result<(), StoreError> {
        let person = self.person(id).await?;
        self.leave_an_owner(&person, person.role, state).await?;
        self.set_person(id, row::Column::State, state.as_str())
            .await
    }
}
