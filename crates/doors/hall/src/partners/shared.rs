//! The halls that a realm shares with a partner: those that the partner's people may enter.

use std::collections::{BTreeMap, BTreeSet};

use hallway_evidence::statement::hall::{HallName, Needs, Right, Rights};
use hallway_evidence::{Line, PersonId, RealmName};
use hallway_spine::Gateway;
use hallway_spine::http::problem::Problem;
use hallway_spine::store::Role;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::HallsOf;
use crate::store::{GuestId, HallGuest, HallTables, VisitorId};

/// All admissions of one partner's people: the answer to `GET /partner/halls`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// The longest time for which a hall opens here, in milliseconds.
    pub longest_ms: u64,
    /// Each admission, by hall.
    pub halls: Vec<SharedHall>,
}

/// An admission of a partner's person or role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedHall {
    /// The hall.
    pub hall: HallName,
    /// Its title.
    #[serde(deserialize_with = "nearest_line")]
    pub title: Line,
    /// The guest.
    pub guest: SharedGuest,
    /// The guest's rights.
    pub rights: Rights,
    /// The demands.
    #[serde(default)]
    pub needs: Needs,
}

/// A hall that a person of the partner may enter.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HallThere {
    /// The hall.
    #[schemars(with = "String")]
    pub name: HallName,
    /// Its title there.
    pub title: String,
    /// The guest's rights.
    #[schemars(with = "Vec<String>")]
    pub rights: Vec<Right>,
}

/// A guest of a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedGuest {
    /// One person.
    Person(PersonId),
    /// Everybody who has this role at home, or one that includes it.
    Role(Role),
}

impl Shared {
    /// The halls that this realm shares with `partner`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn with(gateway: &Gateway, partner: &RealmName) -> Result<Self, Problem> {
        let halls = gateway.store.read().halls();
        let titles: BTreeMap<HallName, String> = (halls.all().await?.into_iter())
            .map(|hall| (hall.name, hall.title))
            .collect();
        let admissions = halls.shared_with(partner).await?;
        let shared = admissions.into_iter().filter_map(|admission| {
            let HallGuest {
                hall,
                guest,
                rights,
                needs,
                ..
            } = admission;
            let guest = match guest {
                GuestId::Visitor(_, VisitorId::Person(id)) => SharedGuest::Person(id),
                GuestId::Visitor(_, VisitorId::Role(role)) => SharedGuest::Role(role),
                GuestId::Person(_) | GuestId::Role(_) => return None,
            };
            Some(SharedHall {
                title: Line::nearest(titles.get(&hall)?),
                hall,
                guest,
                rights,
                needs,
            })
        });
        let longest = gateway.halls().longest.as_millis();
        Ok(Self {
            longest_ms: u64::try_from(longest).unwrap_or(u64::MAX),
            halls: shared.collect(),
        })
    }

    /// The rights of one of the partner's people in a hall, sorted, each once.
    #[must_use]
    pub fn rights(&self, hall: &HallName, person: PersonId, role: Role) -> Vec<Right> {
        let admissions = self.for_person(person, role);
        rights_of(admissions.filter(|shared| shared.hall == *hall))
    }

    /// The halls that one of the partner's people may enter.
    #[must_use]
    pub fn halls_for(&self, person: PersonId, role: Role) -> Vec<HallThere> {
        let mut admissions: BTreeMap<&HallName, Vec<&SharedHall>> = BTreeMap::new();
        for shared in self.for_person(person, role) {
            admissions.entry(&shared.hall).or_default().push(shared);
        }
        let there = admissions.into_iter().filter_map(|(hall, of_hall)| {
            Some(HallThere {
                name: hall.clone(),
                title: of_hall.last()?.title.to_string(),
                rights: rights_of(of_hall.into_iter()),
            })
        });
        there.collect()
    }

    /// How many halls are shared.
    #[must_use]
    pub fn count_halls(&self) -> usize {
        let halls: BTreeSet<&HallName> = self.halls.iter().map(|shared| &shared.hall).collect();
        halls.len()
    }

    /// The admissions that count for one of the partner's people.
    pub fn for_person(&self, person: PersonId, role: Role) -> impl Iterator<Item = &SharedHall> {
        self.halls.iter().filter(move |shared| match shared.guest {
            SharedGuest::Person(id) => id == person,
            SharedGuest::Role(least) => role >= least,
        })
    }
}

fn rights_of<'s>(admissions: impl Iterator<Item = &'s SharedHall>) -> Vec<Right> {
    let rights: BTreeSet<Right> = admissions
        .flat_map(|shared| shared.rights.iter().cloned())
        .collect();
    rights.into_iter().collect()
}

/// A partner's title of a hall, as one line of text.
fn nearest_line<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Line, D::Error> {
    String::deserialize(deserializer).map(|title| Line::nearest(&title))
}
