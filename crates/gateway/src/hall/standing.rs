//! Whether a grant opens anything now.

use hallway_evidence::Timestamp;
use hallway_evidence::statement::hall::{Name, Right, Rights};

use crate::http::problem::Problem;
use crate::models::Models;
use crate::refusal::Door;
use crate::store::{
    Grant, GrantHolder, HallAgent, HallGuest, Holder, Person, PersonState, Repositories,
};

/// A grant that is good, and what it allows at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The grant.
    pub grant: Grant,
    /// Whose it is.
    pub person: Person,
    /// What its holder may do: what was granted, as far as the admissions still say so.
    pub rights: Rights,
}

impl Standing {
    /// Asks the database, so that every gateway comes to the same answer. Everything on which a
    /// grant rests must still be there: the person, the key that was touched and its model's good
    /// standing, the admission and, for a browser, the session.
    ///
    /// # Errors
    /// 403 says what is gone.
    pub async fn of(
        models: &Models,
        reader: &dyn Repositories,
        grant: Grant,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        if !grant.is_open(now) {
            return Err(closed("grant-ended", "this grant has ended"));
        }
        let person = reader
            .people()
            .get(grant.person)
            .await?
            .filter(|person| person.state == PersonState::Active)
            .ok_or_else(|| closed("suspended", "the person whose grant this is, is suspended"))?;
        let key = reader.credentials().get(&grant.credential).await?;
        let key = key
            .filter(|key| key.holder == Holder::Person(grant.person))
            .ok_or_else(|| closed("key-removed", "the key that opened this grant was removed"))?;
        if models.may_refuse(Door::Hall, person.role) {
            let attestation = reader.attestations().get(&key.id).await?;
            models.admit_person(Door::Hall, person.role, &key, attestation.as_ref(), now)?;
        }
        if let GrantHolder::Session(token) = grant.holder
            && reader.sessions().get(&token, now).await?.is_none()
        {
            return Err(closed(
                "signed-out",
                "the browser session of this grant has ended",
            ));
        }
        let admitted = admitted(reader, &person, &grant.hall).await?;
        let rights: Vec<Right> = grant
            .rights
            .iter()
            .filter(|right| admitted.contains(right))
            .cloned()
            .collect();
        let rights = rights.try_into().map_err(|_| {
            closed(
                "not-admitted",
                "its holder is no longer admitted to this hall",
            )
        })?;
        Ok(Self {
            grant,
            person,
            rights,
        })
    }
}

/// Every right that `person` has in `hall` by all admissions that count for them.
pub async fn admitted(
    reader: &dyn Repositories,
    person: &Person,
    hall: &Name,
) -> Result<Vec<Right>, Problem> {
    let admissions = reader.halls().admissions(person.id, person.role).await?;
    Ok(rights_in(&admissions, hall))
}

/// The rights that `admissions` give in `hall`, sorted, each once.
pub fn rights_in(admissions: &[HallGuest], hall: &Name) -> Vec<Right> {
    let rights: std::collections::BTreeSet<Right> = admissions
        .iter()
        .filter(|admission| admission.hall == *hall)
        .flat_map(|admission| admission.rights.iter().cloned())
        .collect();
    rights.into_iter().collect()
}

/// The agent, if the machine with this key is still it.
///
/// # Errors
/// 403.
pub async fn agent(
    reader: &dyn Repositories,
    hall: &Name,
    name: &Name,
    key_sha256: &[u8; 32],
) -> Result<HallAgent, Problem> {
    reader
        .hall_agents()
        .get(hall, name)
        .await?
        .filter(|agent| agent.joined.is_some_and(|(_, key)| key == *key_sha256))
        .ok_or_else(|| {
            Problem::forbidden(
                "agent-dismissed",
                "this agent was put out of the hall; ask for a new invitation",
            )
        })
}

fn closed(code: &'static str, what: &str) -> Problem {
    Problem::forbidden(code, format!("{what}; open the hall again"))
}
