//! Names of people, each looked up once for a page.

use std::collections::HashMap;

use hallway_evidence::PersonId;

use crate::http::problem::Problem;
use crate::store::Unit;

/// Looks names up, and remembers them.
pub struct Names<'a> {
    reader: &'a Unit<'a>,
    people: HashMap<PersonId, String>,
}

impl<'a> Names<'a> {
    /// No name is known yet.
    pub fn new(reader: &'a Unit<'a>) -> Self {
        Self {
            reader,
            people: HashMap::new(),
        }
    }

    /// What a person is called.
    pub async fn person(&mut self, id: PersonId) -> Result<String, Problem> {
        if let Some(name) = self.people.get(&id) {
            return Ok(name.clone());
        }
        let person = self.reader.people().get(id).await?;
        let name = person.map_or_else(|| "somebody unknown".to_owned(), |person| person.name);
        self.people.insert(id, name.clone());
        Ok(name)
    }
}
