//! The dependencies of the hall door: grants, admissions, and invitations of agents and partners.
//!
//! `hanging_on` is the whole table. See [`hallway_spine::depends`].

use hallway_evidence::statement::hall::HallName;
use hallway_evidence::{CredentialId, PersonId, RealmName};
use hallway_spine::Gateway;
use hallway_spine::act::Actor;
use hallway_spine::depends::{self, Walk};
use hallway_spine::http::problem::Problem;
use hallway_spine::store::Unit;

use super::demands::left::{Left, left_by_admissions};
use super::store::{End, EndCause, EndedBy, GrantKind, GrantsOf, PartnerState};
use crate::store::HallTables;

/// Something that has just ended or become less: of this door, or of the spine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Something of the spine.
    Below(depends::Ended),
    /// An admission to a hall, or some of its rights.
    Admission(HallName),
    /// A hall.
    Hall(HallName),
    /// A partnership.
    Partnership(RealmName),
}

/// The rows that depend on something that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Hanging {
    /// Grants.
    Grants(GrantsOf),
    /// Grants to which no admission leads any more.
    BeyondAdmissions(GrantsOf),
    /// Visits to partners for which the person stated a role that has changed since.
    VisitsInOtherRole(PersonId),
    /// Grants that a person approved in a role that has changed since.
    ApprovedInOtherRole(PersonId),
    /// Unused invitations of agents and partners, by one of a person's keys or by any of them.
    HandedOut(PersonId, Option<CredentialId>),
    /// Admissions of a partner's people.
    AdmissionsOf(RealmName),
}

/// The table: what depends on what ended.
fn hanging_on(ended: &Ended) -> Vec<Hanging> {
    use Hanging::{
        AdmissionsOf, ApprovedInOtherRole, BeyondAdmissions, Grants, HandedOut, VisitsInOtherRole,
    };
    use depends::Ended as Below;
    match ended.clone() {
        Ended::Below(below) => match below {
            Below::Activity(person) => vec![
                Grants(GrantsOf::Person(person)),
                Grants(GrantsOf::Approver(person)),
                HandedOut(person, None),
            ],
            Below::Role(person) => vec![
                VisitsInOtherRole(person),
                ApprovedInOtherRole(person),
                BeyondAdmissions(GrantsOf::Person(person)),
            ],
            Below::Ownership(person) => vec![HandedOut(person, None)],
            Below::Presence(person) | Below::LostKeys(person) => {
                vec![Grants(GrantsOf::Person(person))]
            }
            Below::Key(person, key) | Below::Trust(person, key) => vec![
                Grants(GrantsOf::Credential(key.clone())),
                HandedOut(person, Some(key)),
            ],
            Below::TrustAt(door, key) if door == super::NAME => {
                vec![Grants(GrantsOf::Credential(key))]
            }
            Below::Session(token) => vec![Grants(GrantsOf::Session(token))],
            Below::SetUp | Below::Link(..) | Below::TrustAt(..) => Vec::new(),
        },
        Ended::Admission(hall) => vec![BeyondAdmissions(GrantsOf::Hall(hall))],
        // Its guests and agents are rows of the hall and go with it.
        Ended::Hall(hall) => vec![Grants(GrantsOf::Hall(hall))],
        Ended::Partnership(realm) => vec![
            AdmissionsOf(realm.clone()),
            Grants(GrantsOf::Partner(realm)),
        ],
    }
}

/// The cause with which a grant ends that depended on it.
const fn cause(ended: &Ended) -> EndCause {
    use depends::Ended as Below;
    match ended {
        Ended::Below(below) => match below {
            Below::Activity(_) => EndCause::Suspended,
            Below::Role(_) | Below::Ownership(_) => EndCause::RoleChanged,
            Below::LostKeys(_) => EndCause::Recovered,
            Below::Key(..) => EndCause::KeyRemoved,
            Below::Trust(..) | Below::TrustAt(..) => EndCause::ModelRefused,
            Below::SetUp | Below::Link(..) | Below::Presence(_) | Below::Session(_) => {
                EndCause::SignedOut
            }
        },
        Ended::Admission(_) => EndCause::NotAdmitted,
        Ended::Hall(_) => EndCause::HallRemoved,
        Ended::Partnership(_) => EndCause::PartnerLeft,
    }
}

/// Ends all that depended on `ended`. `by` is the person whose act it was; `None` if the gateway
/// found it out.
///
/// # Errors
/// The database.
pub async fn end(
    gateway: &Gateway,
    unit: &Unit<'_>,
    ended: Ended,
    by: Option<PersonId>,
) -> Result<(), Problem> {
    walked(&Walk::new(gateway, unit, by), ended).await
}

/// Ends all that depended on what the act of `actor` ended.
///
/// # Errors
/// The database.
pub async fn end_by(actor: &Actor<'_>, ended: Ended) -> Result<(), Problem> {
    end(actor.gateway, actor.unit, ended, Some(actor.person.id)).await
}

/// As [`end`], within a walk.
///
/// # Errors
/// The database.
pub async fn walked(walk: &Walk<'_>, ended: Ended) -> Result<(), Problem> {
    let cause = cause(&ended);
    for hanging in hanging_on(&ended) {
        Ending { walk, cause }.end(hanging).await?;
    }
    Ok(())
}

struct Ending<'a> {
    walk: &'a Walk<'a>,
    cause: EndCause,
}

impl Ending<'_> {
    async fn end(&self, hanging: Hanging) -> Result<(), Problem> {
        let unit = self.walk.unit;
        match hanging {
            Hanging::Grants(which) => {
                unit.grants()
                    .end_of(&which, &self.because(self.cause))
                    .await?;
            }
            Hanging::BeyondAdmissions(which) => self.narrow(&which).await?,
            Hanging::VisitsInOtherRole(person) => self.end_visits(person).await?,
            Hanging::ApprovedInOtherRole(person) => self.end_approved(person).await?,
            Hanging::HandedOut(person, key) => self.take_back(person, key.as_ref()).await?,
            Hanging::AdmissionsOf(realm) => {
                unit.halls().dismiss_realm(&realm).await?;
            }
        }
        Ok(())
    }

    fn because(&self, cause: EndCause) -> End {
        End {
            at: self.walk.now,
            by: self.walk.by,
            cause,
        }
    }

    async fn narrow(&self, which: &GrantsOf) -> Result<(), Problem> {
        let grants = self.walk.unit.grants();
        for grant in grants.hanging_on(which, self.walk.now).await? {
            let left = left_by_admissions(
                &self.walk.gateway.models,
                self.walk.unit,
                &grant,
                self.walk.now,
            );
            match left.await? {
                Left::Rights(rights) if rights == grant.rights => {}
                Left::Rights(rights) => grants.narrow(grant.id, &rights).await?,
                Left::Nothing(cause) => {
                    let end = self.because(cause);
                    grants.end(grant.id, &end).await?;
                }
            }
        }
        Ok(())
    }

    async fn end_visits(&self, person: PersonId) -> Result<(), Problem> {
        let (grants, role) = (self.walk.unit.grants(), self.walk.role(person).await?);
        let which = GrantsOf::Person(person);
        for grant in grants.hanging_on(&which, self.walk.now).await? {
            if let GrantKind::Away { role: stated, .. } = grant.kind
                && Some(stated) != role
            {
                let end = self.because(EndCause::RoleChanged);
                grants.end(grant.id, &end).await?;
            }
        }
        Ok(())
    }

    async fn end_approved(&self, person: PersonId) -> Result<(), Problem> {
        let (grants, role) = (self.walk.unit.grants(), self.walk.role(person).await?);
        let which = GrantsOf::Approver(person);
        for grant in grants.hanging_on(&which, self.walk.now).await? {
            let needed = grant.approved();
            if needed.is_none_or(|needed| role.is_none_or(|role| role < needed)) {
                let end = self.because(EndCause::ApprovalLost);
                grants.end(grant.id, &end).await?;
            }
        }
        Ok(())
    }

    async fn take_back(&self, person: PersonId, key: Option<&CredentialId>) -> Result<(), Problem> {
        let (unit, now) = (self.walk.unit, self.walk.now);
        for agent in unit.hall_agents().invited(now).await? {
            if self.walk.is_of(&agent.evidence, person, key).await? {
                unit.hall_agents().dismiss(&agent.hall, &agent.name).await?;
            }
        }
        for partner in unit.partners().all().await? {
            let waits = matches!(partner.state, PartnerState::Invited | PartnerState::Joining);
            if waits
                && partner.made_by == person
                && self.walk.is_of(&partner.evidence, person, key).await?
            {
                let (realm, pact) = (&partner.realm, &partner.pact);
                unit.partners().end(realm, pact, EndedBy::Us, now).await?;
            }
        }
        Ok(())
    }
}
