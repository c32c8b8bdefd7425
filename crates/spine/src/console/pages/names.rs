//! The people whom a page names.

use std::collections::HashMap;

use hallway_evidence::PersonId;

use crate::http::problem::Problem;
use crate::store::{Limit, Person, Role, Unit};

/// The names of the people on one page, read in one query.
pub struct Names(HashMap<PersonId, String>);

impl Names {
    /// Reads what these people are called.
    ///
    /// # Errors
    /// The database fails.
    pub async fn of(
        reader: &Unit<'_>,
        people: impl IntoIterator<Item = PersonId>,
    ) -> Result<Self, Problem> {
        Ok(Self(reader.people().names(people).await?))
    }

    /// What a person is called, of those whose names were read.
    #[must_use]
    pub fn person(&self, id: PersonId) -> String {
        let name = self.0.get(&id).cloned();
        name.unwrap_or_else(|| "somebody unknown".to_owned())
    }
}

/// The people among whom a page lets its visitor choose: the active ones, by name, as many as a list may
/// have.
///
/// # Errors
/// The database fails.
pub async fn choices(reader: &Unit<'_>) -> Result<Vec<Person>, Problem> {
    let most = Limit::nearest(u64::from(Limit::MAX));
    Ok(reader.people().active(Role::ALL, most).await?)
}

/// A person as an option of a choice: the id, and the name.
#[must_use]
pub fn option(person: Person) -> (String, String) {
    (person.id.to_string(), person.name)
}
