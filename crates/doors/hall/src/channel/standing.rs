//! Whether a grant opens anything now.

use hallway_evidence::statement::hall::{AgentName, HallName, Right, Rights, StoreName};
use hallway_evidence::{PersonId, RealmName, Timestamp};
use hallway_hall::files::StoreAccess;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::models::Models;
use hallway_spine::models::verdict::KeyFacts;
use hallway_spine::store::{Credential, Holder, Person, PersonState, Unit};

use crate::demands::left::{admissions, admissions_of_visitor};
use crate::demands::needs::{self, Case};
use crate::demands::visitor_key::VisitorKey;
use crate::partners;
use crate::store::{
    EndCause, Grant, GrantHolder, GrantKind, GrantState, HallAgent, HallGuest, HallTables, Visitor,
};

/// The holder of a grant: a person of this realm or of a partner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Somebody {
    /// The id in the home realm.
    pub id: PersonId,
    /// The name.
    pub name: String,
    /// The home realm, if it is another one.
    pub home: Option<RealmName>,
}

/// A grant that stands, and its rights at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The grant.
    pub grant: Grant,
    /// The holder.
    pub person: Somebody,
    /// The holder's rights: those that were granted, as far as the admissions still give them. In a
    /// partner's hall only the partner knows them.
    pub rights: Rights,
}

impl Standing {
    /// Asks the database, so that every gateway comes to the same answer. Everything on which a
    /// grant rests must still be there: the person, the key that was touched and its model's good
    /// standing, the admission, for a browser the session, and across realms the partner.
    ///
    /// # Errors
    /// 403 says what has ended.
    pub async fn of(
        models: &Models,
        reader: &Unit<'_>,
        grant: Grant,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        match grant.state(now) {
            GrantState::Open => {}
            GrantState::Waiting => {
                return Err(Problem::new(
                    Code::WaitingForApproval,
                    "this grant opens nothing until a second person approves it",
                ));
            }
            GrantState::Unapproved => {
                return Err(closed(
                    Code::ApprovalExpired,
                    "nobody approved this grant in time",
                ));
            }
            GrantState::Ended => return Err(ended(&grant)),
            GrantState::RunOut => {
                return Err(closed(Code::GrantEnded, "this grant has ended"));
            }
        }
        let (person, rights) = match &grant.kind {
            GrantKind::Own => {
                let (person, key) = at_home(models, reader, &grant, now).await?;
                let rights = counting(models, reader, &grant, &person, &key, now).await?;
                (Somebody::from(person), rights)
            }
            GrantKind::Away { host, role, .. } => {
                let (person, _) = at_home(models, reader, &grant, now).await?;
                if person.role != *role {
                    return Err(closed(
                        Code::RoleChanged,
                        "the holder's role has changed since the opening",
                    ));
                }
                partners::active(reader, host).await?;
                (Somebody::from(person), grant.rights.clone())
            }
            GrantKind::Visitor(visitor) => {
                let rights = vouched(models, reader, &grant, visitor, now).await?;
                let somebody = Somebody {
                    id: grant.person,
                    name: visitor.name.clone(),
                    home: Some(visitor.home.clone()),
                };
                (somebody, rights)
            }
        };
        Ok(Self {
            grant,
            person,
            rights,
        })
    }
}

impl Standing {
    /// The rights on a store. A store on which nothing was granted gets the same answer, whether it
    /// exists or not.
    ///
    /// # Errors
    /// 403 `not-granted`.
    pub fn access(&self, store: &StoreName) -> Result<StoreAccess, Problem> {
        match StoreAccess::of(&self.rights, store) {
            none if none == StoreAccess::default() => Err(Problem::new(
                Code::NotGranted,
                format!(
                    "this grant allows nothing with the store “{store}”; open the hall for more"
                ),
            )),
            some => Ok(some),
        }
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

/// A person of this realm and their key, if everything on which the grant rests here still stands.
async fn at_home(
    models: &Models,
    reader: &Unit<'_>,
    grant: &Grant,
    now: Timestamp,
) -> Result<(Person, Credential), Problem> {
    let person = reader
        .people()
        .get(grant.person)
        .await?
        .filter(|person| person.state == PersonState::Active)
        .ok_or_else(|| closed(Code::Suspended, "the holder of this grant is suspended"))?;
    let key = reader.credentials().get(&grant.credential).await?;
    let key = key
        .filter(|key| key.holder == Holder::Person(grant.person))
        .ok_or_else(|| {
            closed(
                Code::KeyRemoved,
                "the key that opened this grant was removed",
            )
        })?;
    if models.may_refuse(crate::NAME, person.role) {
        let attestation = reader.attestations().get(&key.id).await?;
        models.admit_person(crate::NAME, person.role, &key, attestation.as_ref(), now)?;
    }
    if let GrantHolder::Session(token) = grant.holder
        && reader.sessions().get(&token, now).await?.is_none()
    {
        return Err(closed(
            Code::SignedOut,
            "the browser session of this grant has ended",
        ));
    }
    Ok((person, key))
}

/// The refusal of a grant that was ended before its time.
fn ended(grant: &Grant) -> Problem {
    let cause = grant.ended.map_or(EndCause::Ended, |end| end.cause);
    let (code, what) = match cause {
        EndCause::Ended => (Code::GrantEnded, "this grant has ended"),
        EndCause::Suspended => (Code::Suspended, "the holder of this grant was suspended"),
        EndCause::Recovered => (
            Code::Recovered,
            "the holder of this grant has recovered lost keys since",
        ),
        EndCause::SignedOut => (Code::SignedOut, "the session of this grant has ended"),
        EndCause::KeyRemoved => (
            Code::KeyRemoved,
            "the key that opened this grant was removed",
        ),
        EndCause::ModelRefused => (
            Code::ModelRefused,
            "the key that opened this grant is no longer accepted",
        ),
        EndCause::RoleChanged => (
            Code::RoleChanged,
            "the holder's role has changed since the opening",
        ),
        EndCause::NotAdmitted => (
            Code::NotAdmitted,
            "the holder of this grant is no longer admitted to this hall",
        ),
        EndCause::NeedsNotMet => (
            Code::NeedsNotMet,
            "the hall demands more now than this grant met",
        ),
        EndCause::ApprovalLost => (
            Code::ApprovalLost,
            "the person who approved this grant may no longer approve it",
        ),
        EndCause::HallRemoved => (Code::HallRemoved, "the hall was removed"),
        EndCause::PartnerLeft => (
            Code::PartnerLeft,
            "the partnership that this grant rested on has ended",
        ),
        EndCause::EndedAtHome => (
            Code::EndedAtHome,
            "this grant has ended in the home realm of its holder",
        ),
    };
    closed(code, what)
}

/// The facts about a visitor, if their home realm is still a partner and still certifies them.
async fn vouched(
    models: &Models,
    reader: &Unit<'_>,
    grant: &Grant,
    visitor: &Visitor,
    now: Timestamp,
) -> Result<Rights, Problem> {
    let partner = partners::active(reader, &visitor.home).await?;
    if now > visitor.vouched {
        return Err(closed(
            Code::NotVouched,
            &format!("{} no longer certifies its person", visitor.home),
        ));
    }
    let admissions = admissions_of_visitor(reader, grant, visitor).await?;
    // Asked every two seconds, so only if it can matter.
    let key = if admissions
        .iter()
        .any(|admission| admission.needs.key.is_some())
    {
        let visit = reader.visits().get(&grant.evidence).await?;
        visit.map(|visit| VisitorKey::of(models, &partner, &visit))
    } else {
        None
    };
    let case = Case {
        models,
        key: key.as_ref().map_or(KeyFacts::UNKNOWN, VisitorKey::facts),
        approved: grant.approved(),
        now,
    };
    within(grant, &admissions, &case)
}

/// The rights of a person of this realm, as far as admissions whose demands are met still give
/// them.
async fn counting(
    models: &Models,
    reader: &Unit<'_>,
    grant: &Grant,
    person: &Person,
    key: &Credential,
    now: Timestamp,
) -> Result<Rights, Problem> {
    let admissions = admissions(reader, grant, person).await?;
    // Asked every two seconds, so only if it can matter.
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
    within(grant, &admissions, &case)
}

/// The granted rights, as far as `admissions` to the hall still give them.
fn within(grant: &Grant, admissions: &[HallGuest], case: &Case<'_>) -> Result<Rights, Problem> {
    let each = admissions
        .iter()
        .map(|admission| (&admission.rights, &admission.needs));
    let weighed = needs::weigh(each, case);
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
            Some(missing) => closed(Code::NeedsNotMet, &missing),
            None => closed(
                Code::NotAdmitted,
                "the holder of this grant is no longer admitted to this hall",
            ),
        }
    })
}

/// The agent, if it still has this key.
///
/// # Errors
/// 403.
pub async fn agent(
    reader: &Unit<'_>,
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
            Problem::new(
                Code::AgentDismissed,
                "this agent was put out of the hall; ask for a new invitation",
            )
        })
}

fn closed(code: Code, what: &str) -> Problem {
    Problem::new(code, format!("{what}; open the hall again"))
}
