//! Whether a grant opens anything now.

use hallway_evidence::statement::hall::{AgentName, HallName, Right, Rights};
use hallway_evidence::{PersonId, RealmName, Timestamp};

use crate::http::problem::Problem;
use crate::partners;
use crate::store::{
    Grant, GrantHolder, GrantKind, HallAgent, HallGuest, Holder, Person, PersonState, Repositories,
    Visitor,
};

/// Whose a grant is: one of our people, or a partner's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Somebody {
    /// The id, at home.
    pub id: PersonId,
    /// The name.
    pub name: String,
    /// The realm where they are at home, when it is another one.
    pub home: Option<RealmName>,
}

/// A grant that is good, and what it allows at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The grant.
    pub grant: Grant,
    /// Whose it is.
    pub person: Somebody,
    /// What its holder may do: what was granted, as far as the admissions still say so. In a
    /// partner's hall only the partner knows that.
    pub rights: Rights,
}

impl Standing {
    /// Asks the database, so that every gateway comes to the same answer. Everything on which a
    /// grant rests must still be there: the person, the key that was touched, the admission, for a
    /// browser the session, and across realms the partner.
    ///
    /// # Errors
    /// 403 says what is gone.
    pub async fn of(
        reader: &dyn Repositories,
        grant: Grant,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        if !grant.is_open(now) {
            return Err(closed("grant-ended", "this grant has ended"));
        }
        let (person, rights) = match &grant.kind {
            GrantKind::Own => {
                let person = at_home(reader, &grant, now).await?;
                let admitted = admitted(reader, &person, &grant.hall).await?;
                (Somebody::from(person), within(&grant, &admitted)?)
            }
            GrantKind::Away { host, role, .. } => {
                let person = at_home(reader, &grant, now).await?;
                if person.role != *role {
                    return Err(closed(
                        "role-changed",
                        "the role that was stated has changed",
                    ));
                }
                partners::active(reader, host).await?;
                (Somebody::from(person), grant.rights.clone())
            }
            GrantKind::Visitor(visitor) => {
                let admitted = vouched(reader, &grant, visitor, now).await?;
                let somebody = Somebody {
                    id: grant.person,
                    name: visitor.name.clone(),
                    home: Some(visitor.home.clone()),
                };
                (somebody, within(&grant, &admitted)?)
            }
        };
        Ok(Self {
            grant,
            person,
            rights,
        })
    }
}

impl From<Person> for Somebody {
    fn from(person: Person) -> Self {
        Self {
            id: person.id,
            name: person.name,
            home: None,
        }
    }
}

/// One of our people, if everything is there on which their grant rests at home.
async fn at_home(
    reader: &dyn Repositories,
    grant: &Grant,
    now: Timestamp,
) -> Result<Person, Problem> {
    let person = reader
        .people()
        .get(grant.person)
        .await?
        .filter(|person| person.state == PersonState::Active)
        .ok_or_else(|| closed("suspended", "the person whose grant this is, is suspended"))?;
    let key = reader.credentials().get(&grant.credential).await?;
    if key.is_none_or(|key| key.holder != Holder::Person(grant.person)) {
        return Err(closed(
            "key-removed",
            "the key that opened this grant was removed",
        ));
    }
    if let GrantHolder::Session(token) = grant.holder
        && reader.sessions().get(&token, now).await?.is_none()
    {
        return Err(closed(
            "signed-out",
            "the browser session of this grant has ended",
        ));
    }
    Ok(person)
}

/// What a visitor is admitted to, if their realm is still a partner and still certifies them.
async fn vouched(
    reader: &dyn Repositories,
    grant: &Grant,
    visitor: &Visitor,
    now: Timestamp,
) -> Result<Vec<Right>, Problem> {
    partners::active(reader, &visitor.home).await?;
    if now > visitor.vouched {
        return Err(closed(
            "not-vouched",
            &format!("{} no longer certifies its person", visitor.home),
        ));
    }
    let admissions = reader
        .halls()
        .admissions_of_visitor(&visitor.home, grant.person, visitor.role)
        .await?;
    Ok(rights_in(&admissions, &grant.hall))
}

/// What was granted, as far as `admitted` still says so.
fn within(grant: &Grant, admitted: &[Right]) -> Result<Rights, Problem> {
    let rights = grant.rights.iter().filter(|right| admitted.contains(right));
    rights.cloned().collect::<Vec<_>>().try_into().map_err(|_| {
        closed(
            "not-admitted",
            "its holder is no longer admitted to this hall",
        )
    })
}

/// Every right that `person` has in `hall` by all admissions that count for them.
pub async fn admitted(
    reader: &dyn Repositories,
    person: &Person,
    hall: &HallName,
) -> Result<Vec<Right>, Problem> {
    let admissions = reader.halls().admissions(person.id, person.role).await?;
    Ok(rights_in(&admissions, hall))
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
