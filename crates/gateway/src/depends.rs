//! What depends on what: when something ends, all that hung on it ends with it, and for good.
//!
//! `hanging_on` is the whole table. [`end`] walks it inside the unit of work that makes the first
//! end true, so nothing is ever seen between the two. That a suspended person cannot enter is asked
//! at every door besides; what is here is that nothing of before comes back when the person does.

use hallway_evidence::statement::hall::HallName;
use hallway_evidence::{CredentialId, PersonId, RealmName, Timestamp};

use crate::Gateway;
use crate::hall::standing::{self, Left};
use crate::http::problem::Problem;
use crate::models::{Models, distrust};
use crate::store::{
    End, EndCause, EndedBy, EvidenceHash, GrantKind, GrantsOf, LinksOf, PartnerState, Purpose,
    Role, SessionsOf, TokenHash, Unit,
};

/// Something that has just ended, or become less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The time before the gateway had an owner.
    SetUp,
    /// That a person may use their keys.
    Activity(PersonId),
    /// That a person has the role that they had.
    Role(PersonId),
    /// That a person is an owner.
    Ownership(PersonId),
    /// Everything that a person has open.
    Presence(PersonId),
    /// All keys that a person had before they recovered lost access.
    LostKeys(PersonId),
    /// A key of a person's.
    Key(PersonId, CredentialId),
    /// That a person's key opens anything: its model, or the policy, is against it.
    Trust(PersonId, CredentialId),
    /// That a person's key opens halls, by the policy of their door alone.
    TrustInHalls(CredentialId),
    /// A session.
    Session(TokenHash),
    /// The link for this person and purpose, by a newer one.
    Link(PersonId, Purpose),
    /// An admission to a hall, or some of what it gave.
    Admission(HallName),
    /// A hall.
    Hall(HallName),
    /// A partnership.
    Partnership(RealmName),
}

/// What hangs on something else.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Hanging {
    /// What was granted.
    Grants(GrantsOf),
    /// Of what was granted, that to which nobody is admitted any more.
    BeyondAdmissions(GrantsOf),
    /// Visits to partners for which a person stated another role than they have now.
    VisitsInOtherRole(PersonId),
    /// What a person approved in a role that they do not have any more.
    ApprovedInOtherRole(PersonId),
    /// What a person opened with keys that are refused to them in the role that they have now.
    RefusedKeys(PersonId),
    /// Sessions. What hangs on each of them ends next.
    Sessions(SessionsOf),
    /// One-time links that nobody used yet.
    Links(LinksOf),
    /// What a person handed out and nobody took up yet: links, and invitations of agents and
    /// partners. With one of their keys, or with any.
    HandedOut(PersonId, Option<CredentialId>),
    /// What a partner's people were admitted to.
    AdmissionsOf(RealmName),
}

/// The table: what hangs on what ended.
fn hanging_on(ended: &Ended) -> Vec<Hanging> {
    use Hanging::{
        AdmissionsOf, ApprovedInOtherRole, BeyondAdmissions, Grants, HandedOut, Links, RefusedKeys,
        Sessions, VisitsInOtherRole,
    };
    match ended.clone() {
        Ended::SetUp => vec![Links(LinksOf::Setup)],
        Ended::Activity(person) => vec![
            Grants(GrantsOf::Person(person)),
            Grants(GrantsOf::Approver(person)),
            Sessions(SessionsOf::Person(person)),
            Links(LinksOf::For(person)),
            HandedOut(person, None),
        ],
        Ended::Role(person) => vec![
            VisitsInOtherRole(person),
            ApprovedInOtherRole(person),
            BeyondAdmissions(GrantsOf::Person(person)),
            RefusedKeys(person),
        ],
        Ended::Ownership(person) => vec![HandedOut(person, None)],
        Ended::Presence(person) | Ended::LostKeys(person) => vec![
            Grants(GrantsOf::Person(person)),
            Sessions(SessionsOf::Person(person)),
            Links(LinksOf::For(person)),
        ],
        Ended::Key(person, key) | Ended::Trust(person, key) => vec![
            Grants(GrantsOf::Credential(key.clone())),
            Sessions(SessionsOf::Credential(key.clone())),
            HandedOut(person, Some(key)),
        ],
        Ended::TrustInHalls(key) => vec![Grants(GrantsOf::Credential(key))],
        Ended::Session(token) => vec![Grants(GrantsOf::Session(token))],
        Ended::Link(person, purpose) => vec![Links(LinksOf::Purpose(person, purpose))],
        Ended::Admission(hall) => vec![BeyondAdmissions(GrantsOf::Hall(hall))],
        // Its guests and agents are rows of the hall and go with it.
        Ended::Hall(hall) => vec![Grants(GrantsOf::Hall(hall))],
        Ended::Partnership(realm) => vec![
            AdmissionsOf(realm.clone()),
            Grants(GrantsOf::Partner(realm)),
        ],
    }
}

/// Why a grant ended that hung on it.
const fn cause(ended: &Ended) -> EndCause {
    match ended {
        Ended::Activity(_) => EndCause::Suspended,
        Ended::Role(_) | Ended::Ownership(_) => EndCause::RoleChanged,
        Ended::LostKeys(_) => EndCause::Recovered,
        Ended::Key(..) => EndCause::KeyRemoved,
        Ended::Trust(..) | Ended::TrustInHalls(_) => EndCause::ModelRefused,
        Ended::SetUp | Ended::Link(..) | Ended::Presence(_) | Ended::Session(_) => {
            EndCause::SignedOut
        }
        Ended::Admission(_) => EndCause::NotAdmitted,
        Ended::Hall(_) => EndCause::HallRemoved,
        Ended::Partnership(_) => EndCause::PartnerLeft,
    }
}

/// Ends all that hung on what `ended`, and what hung on that. `by` is whose act it was; nobody's
/// where the gateway found it out.
///
/// # Errors
/// The database.
pub async fn end(
    gateway: &Gateway,
    unit: &Unit<'_>,
    ended: Ended,
    by: Option<PersonId>,
) -> Result<(), Problem> {
    let walk = Walk {
        models: &gateway.models,
        unit,
        by,
        now: gateway.now(),
    };
    let mut ended = vec![ended];
    while let Some(one) = ended.pop() {
        for hanging in hanging_on(&one) {
            ended.extend(walk.end(hanging, cause(&one)).await?);
        }
    }
    Ok(())
}

/// Ends a session, if there still is one, and what hung on it.
///
/// # Errors
/// The database.
pub async fn end_session(
    gateway: &Gateway,
    unit: &Unit<'_>,
    token: TokenHash,
    by: PersonId,
) -> Result<(), Problem> {
    unit.sessions().end(&SessionsOf::Token(token)).await?;
    end(gateway, unit, Ended::Session(token), Some(by)).await
}

/// The key that signed a piece of evidence; nothing where that was erased.
///
/// # Errors
/// The database.
pub async fn signed_with(
    unit: &Unit<'_>,
    evidence: &EvidenceHash,
) -> Result<Option<CredentialId>, Problem> {
    let Some(record) = unit.evidence().get(evidence).await? else {
        return Ok(None);
    };
    let Some(bytes) = record.bytes else {
        return Ok(None);
    };
    let evidence =
        hallway_evidence::Evidence::decode(&bytes).map_err(|error| Problem::internal(&error))?;
    Ok(Some(evidence.signed.credential_id))
}

/// One walk along the table.
struct Walk<'a> {
    models: &'a Models,
    unit: &'a Unit<'a>,
    by: Option<PersonId>,
    now: Timestamp,
}

impl Walk<'_> {
    /// Ends what hangs; gives what ended by that and has something hanging on it in its turn.
    async fn end(&self, hanging: Hanging, cause: EndCause) -> Result<Vec<Ended>, Problem> {
        match hanging {
            Hanging::Grants(which) => {
                let grants = self.unit.grants();
                grants.end_of(&which, &self.because(cause)).await?;
            }
            Hanging::BeyondAdmissions(which) => self.narrow(&which).await?,
            Hanging::VisitsInOtherRole(person) => self.end_visits(person).await?,
            Hanging::ApprovedInOtherRole(person) => self.end_approved(person).await?,
            Hanging::RefusedKeys(person) => return self.refused_keys(person).await,
            Hanging::Sessions(which) => {
                let tokens = self.unit.sessions().end(&which).await?;
                return Ok(tokens.into_iter().map(Ended::Session).collect());
            }
            Hanging::Links(which) => {
                for link in self.unit.links().list_open(which, self.now).await? {
                    self.unit.links().withdraw(&link.token).await?;
                }
            }
            Hanging::HandedOut(person, key) => self.take_back(person, key.as_ref()).await?,
            Hanging::AdmissionsOf(realm) => {
                self.unit.halls().dismiss_realm(&realm).await?;
            }
        }
        Ok(Vec::new())
    }

    fn because(&self, cause: EndCause) -> End {
        End {
            at: self.now,
            by: self.by,
            cause,
        }
    }

    async fn narrow(&self, which: &GrantsOf) -> Result<(), Problem> {
        let grants = self.unit.grants();
        for grant in grants.hanging_on(which, self.now).await? {
            let left = standing::left_by_admissions(self.models, self.unit, &grant, self.now);
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

    async fn role(&self, person: PersonId) -> Result<Option<Role>, Problem> {
        let person = self.unit.people().get(person).await?;
        Ok(person.map(|person| person.role))
    }

    async fn refused_keys(&self, person: PersonId) -> Result<Vec<Ended>, Problem> {
        let Some(person) = self.unit.people().get(person).await? else {
            return Ok(Vec::new());
        };
        let refused = distrust::refused_keys(self.models, self.unit, &person, self.now).await?;
        Ok(refused.into_iter().map(|(ended, _)| ended).collect())
    }

    async fn end_visits(&self, person: PersonId) -> Result<(), Problem> {
        let (grants, role) = (self.unit.grants(), self.role(person).await?);
        let which = GrantsOf::Person(person);
        for grant in grants.hanging_on(&which, self.now).await? {
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
        let (grants, role) = (self.unit.grants(), self.role(person).await?);
        let which = GrantsOf::Approver(person);
        for grant in grants.hanging_on(&which, self.now).await? {
            let needed = grant.approved();
            if needed.is_none_or(|needed| role.is_none_or(|role| role < needed)) {
                let end = self.because(EndCause::ApprovalLost);
                grants.end(grant.id, &end).await?;
            }
        }
        Ok(())
    }

    /// Whether `evidence` is of `person`, and signed with `key` where one is meant. What nobody can
    /// tell any more, because the evidence was erased, counts as that.
    async fn is_of(
        &self,
        evidence: &EvidenceHash,
        person: PersonId,
        key: Option<&CredentialId>,
    ) -> Result<bool, Problem> {
        let record = self.unit.evidence().get(evidence).await?;
        if record.is_some_and(|record| record.person.is_some_and(|of| of != person)) {
            return Ok(false);
        }
        let Some(key) = key else {
            return Ok(true);
        };
        let signer = signed_with(self.unit, evidence).await?;
        Ok(signer.is_none_or(|signer| signer == *key))
    }

    async fn take_back(&self, person: PersonId, key: Option<&CredentialId>) -> Result<(), Problem> {
        let (unit, now) = (self.unit, self.now);
        for link in unit.links().list_open(LinksOf::MadeBy(person), now).await? {
            let hangs = match &link.evidence {
                Some(evidence) => self.is_of(evidence, person, key).await?,
                None => true,
            };
            if hangs {
                unit.links().withdraw(&link.token).await?;
            }
        }
        for agent in unit.hall_agents().invited(now).await? {
            if self.is_of(&agent.evidence, person, key).await? {
                unit.hall_agents().dismiss(&agent.hall, &agent.name).await?;
            }
        }
        for partner in unit.partners().all().await? {
            let waits = matches!(partner.state, PartnerState::Invited | PartnerState::Joining);
            if waits
                && partner.made_by == person
                && self.is_of(&partner.evidence, person, key).await?
            {
                let (realm, pact) = (&partner.realm, &partner.pact);
                unit.partners().end(realm, pact, EndedBy::Us, now).await?;
            }
        }
        Ok(())
    }
}
