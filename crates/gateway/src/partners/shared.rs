//! What a realm shares with a partner: which of its halls the partner's people may enter.

use std::collections::BTreeMap;

use hallway_evidence::statement::hall::{HallName, Needs, Right, Rights};
use hallway_evidence::{PersonId, RealmName};
use serde::{Deserialize, Serialize};

use crate::Gateway;
use crate::doors::act::includes;
use crate::http::problem::Problem;
use crate::store::{GuestId, HallGuest, Role, VisitorId};

/// Everything that is shared with one partner: the answer to `GET /partner/halls`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// The longest that a hall opens for here, in milliseconds.
    pub longest_ms: u64,
    /// Each admission, by hall.
    pub halls: Vec<SharedHall>,
}

/// An admission of a partner's person or role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedHall {
    /// The hall.
    pub hall: HallName,
    /// What people call it.
    pub title: String,
    /// Whom the admission is for.
    pub guest: SharedGuest,
    /// What they may do there.
    pub rights: Rights,
    /// What is demanded for it.
    #[serde(default)]
    pub needs: Needs,
}

/// Who of the partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedGuest {
    /// One person.
    Person(PersonId),
    /// Everybody who has this role at home, or one that includes it.
    Role(Role),
}

impl Shared {
    /// What this realm shares with `partner`.
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
                title: titles.get(&hall)?.clone(),
                hall,
                guest,
                rights,
                needs,
            })
        });
        let longest = gateway.halls.longest.as_millis();
        Ok(Self {
            longest_ms: u64::try_from(longest).unwrap_or(u64::MAX),
            halls: shared.collect(),
        })
    }

    /// What one of the partner's people may do in a hall, sorted, each once.
    #[must_use]
    pub fn rights(&self, hall: &HallName, person: PersonId, role: Role) -> Vec<Right> {
        let rights: std::collections::BTreeSet<Right> = self
            .for_person(person, role)
            .filter(|shared| shared.hall == *hall)
            .flat_map(|shared| shared.rights.iter().cloned())
            .collect();
        rights.into_iter().collect()
    }

    /// The admissions that count for one of the partner's people.
    pub fn for_person(&self, person: PersonId, role: Role) -> impl Iterator<Item = &SharedHall> {
        self.halls.iter().filter(move |shared| match shared.guest {
            SharedGuest::Person(id) => id == person,
            SharedGuest::Role(least) => includes(role, least),
        })
    }
}
