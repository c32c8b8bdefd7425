//! Whether a grant opens anything now.

use hallway_evidence::Timestamp;
use hallway_evidence::statement::hall::{AgentName, HallName, Right, Rights};

use super::needs::{self, Case};
use crate::http::problem::Problem;
use crate::models::Models;
use crate::models::verdict::KeyFacts;
use crate::store::{
    Credential, Grant, GrantHolder, GrantState, HallAgent, HallGuest, Holder, Person, PersonState,
    Repositories,
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
    /// grant rests must still be there: the person, the key that was touched, the admission and,
    /// for a browser, the session.
    ///
    /// # Errors
    /// 403 says what is gone.
    pub async fn of(
        models: &Models,
        reader: &dyn Repositories,
        grant: Grant,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        match grant.state(now) {
            GrantState::Open => {}
            GrantState::Waiting => {
                return Err(Problem::forbidden(
                    "waiting-for-approval",
                    "this grant opens nothing before a second person approved it",
                ));
            }
            GrantState::Unapproved => {
                return Err(closed(
                    "approval-expired",
                    "nobody approved this grant in time",
                ));
            }
            GrantState::Ended | GrantState::RunOut => {
                return Err(closed("grant-ended", "this grant has ended"));
            }
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
        if let GrantHolder::Session(token) = grant.holder
            && reader.sessions().get(&token, now).await?.is_none()
        {
            return Err(closed(
                "signed-out",
                "the browser session of this grant has ended",
            ));
        }
        let rights = counting(models, reader, &grant, &person, &key, now).await?;
        Ok(Self {
            grant,
            person,
            rights,
        })
    }
}

/// What was granted, as far as admissions whose needs are met still give it.
async fn counting(
    models: &Models,
    reader: &dyn Repositories,
    grant: &Grant,
    person: &Person,
    key: &Credential,
    now: Timestamp,
) -> Result<Rights, Problem> {
    let mut admissions = reader.halls().admissions(person.id, person.role).await?;
    admissions.retain(|admission| admission.hall == grant.hall);
    // Asked every two seconds, so only where it can matter.
    let attestation = if admissions
        .iter()
        .any(|admission| admission.needs.key.is_some())
    {
        reader.attestations().get(&key.id).await?
    } else {
        None
    };
    let case = Case {
        models,
        key: KeyFacts::of(key, attestation.as_ref()),
        approved: grant.approved(),
        now,
    };
    let each = admissions
        .iter()
        .map(|admission| (&admission.rights, &admission.needs));
    let weighed = needs::weigh(each, &case);
    let granted = grant.rights.iter();
    let counting: Vec<Right> = granted
        .filter(|right| weighed.open.contains(*right))
        .cloned()
        .collect();
    counting.try_into().map_err(|_| {
        let lost = grant
            .rights
            .iter()
            .find_map(|right| weighed.missing_for(right));
        match lost {
            Some(missing) => closed("needs-not-met", &missing),
            None => closed(
                "not-admitted",
                "its holder is no longer admitted to this hall",
            ),
        }
    })
}

/// The rights that `admissions` give in `hall`, sorted, each once.
pub fn rights_in(admissions: &[HallGuest], hall: &HallName) -> Vec<Right> {
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
    hall: &HallName,
    name: &AgentName,
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
