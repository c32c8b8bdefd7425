//! Dependencies: when something ends, everything that depends on it ends too, for good.
//!
//! `hanging_on` is the table of the spine; each door has a table of its own
//! ([`Door::end`](crate::door::Door::end)). [`end`] walks the tables inside the unit of work that
//! ends the first thing, so nobody sees a state in between. Every door also checks that a person is
//! not suspended; the walk makes sure that nothing from before comes back when they are reinstated.

use hallway_evidence::{CredentialId, PersonId, Timestamp};

use crate::Gateway;
use crate::door_name::DoorName;
use crate::http::problem::Problem;
use crate::store::{EvidenceHash, LinksOf, Purpose, Role, SessionsOf, TokenHash, Unit};

/// Something that has just ended, or been reduced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The time before the gateway had an owner: the first owner has registered.
    SetUp,
    /// A person's right to use their keys: the person is suspended.
    Activity(PersonId),
    /// A person's role: the person has another one now.
    Role(PersonId),
    /// A person's role as an owner.
    Ownership(PersonId),
    /// Everything that a person has open.
    Presence(PersonId),
    /// All keys that a person had before they recovered lost access.
    LostKeys(PersonId),
    /// A person's key: it was removed.
    Key(PersonId, CredentialId),
    /// The trust in a person's key at all doors: its model, or the policy, rules it out.
    Trust(PersonId, CredentialId),
    /// The trust in a person's key at one door, by the policy of that door alone.
    TrustAt(DoorName, CredentialId),
    /// A session.
    Session(TokenHash),
    /// The link for this person and purpose, which a newer one replaces.
    Link(PersonId, Purpose),
}

/// A kind of thing that depends on something else.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Hanging {
    /// Everything that a person opened with keys that the policy of their present role refuses.
    RefusedKeys(PersonId),
    /// Sessions. Everything that depends on each of them ends next.
    Sessions(SessionsOf),
    /// One-time links that are still unused.
    Links(LinksOf),
    /// Unused one-time links that a person handed out: with this key of theirs, or with any.
    HandedOut(PersonId, Option<CredentialId>),
}

/// The table: the things that depend on the thing that ended.
fn hanging_on(ended: &Ended) -> Vec<Hanging> {
    use Hanging::{HandedOut, Links, RefusedKeys, Sessions};
    match ended.clone() {
        Ended::SetUp => vec![Links(LinksOf::Setup)],
        Ended::Activity(person) => vec![
            Sessions(SessionsOf::Person(person)),
            Links(LinksOf::For(person)),
            HandedOut(person, None),
        ],
        Ended::Role(person) => vec![RefusedKeys(person)],
        Ended::Ownership(person) => vec![HandedOut(person, None)],
        Ended::Presence(person) | Ended::LostKeys(person) => vec![
            Sessions(SessionsOf::Person(person)),
            Links(LinksOf::For(person)),
        ],
        Ended::Key(person, key) | Ended::Trust(person, key) => vec![
            Sessions(SessionsOf::Credential(key.clone())),
            HandedOut(person, Some(key)),
        ],
        Ended::Link(person, purpose) => vec![Links(LinksOf::Purpose(person, purpose))],
        Ended::TrustAt(..) | Ended::Session(_) => Vec::new(),
    }
}

/// Ends everything that depends on `ended`, directly or not. `by` is the person whose act ended it;
/// `None` if the gateway found it out by itself.
///
/// # Errors
/// The database fails.
pub async fn end(
    gateway: &Gateway,
    unit: &Unit<'_>,
    ended: Ended,
    by: Option<PersonId>,
) -> Result<(), Problem> {
    let walk = Walk::new(gateway, unit, by);
    let mut ended = vec![ended];
    while let Some(one) = ended.pop() {
        for door in gateway.doors.each() {
            ended.extend(door.end(&walk, &one).await?);
        }
        for hanging in hanging_on(&one) {
            ended.extend(walk.end(hanging).await?);
        }
    }
    Ok(())
}

/// Ends a session, if it still exists, and everything that depends on it.
///
/// # Errors
/// The database fails.
pub async fn end_session(
    gateway: &Gateway,
    unit: &Unit<'_>,
    token: TokenHash,
    by: PersonId,
) -> Result<(), Problem> {
    unit.sessions().end(&SessionsOf::Token(token)).await?;
    end(gateway, unit, Ended::Session(token), Some(by)).await
}

/// The key that signed a piece of evidence; `None` once the evidence was erased.
///
/// # Errors
/// The database fails.
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

/// One walk through the tables of dependencies.
#[derive(Clone, Copy)]
pub struct Walk<'a> {
    /// The gateway, for its doors and models.
    pub gateway: &'a Gateway,
    /// The unit of work in which everything ends.
    pub unit: &'a Unit<'a>,
    /// The person whose act began the walk; `None` if the gateway began it by itself.
    pub by: Option<PersonId>,
    /// When the walk began, by the gateway's clock.
    pub now: Timestamp,
}

impl<'a> Walk<'a> {
    /// A walk that begins now.
    #[must_use]
    pub fn new(gateway: &'a Gateway, unit: &'a Unit<'a>, by: Option<PersonId>) -> Self {
        Self {
            gateway,
            unit,
            by,
            now: gateway.now(),
        }
    }
}

impl Walk<'_> {
    /// Ends one kind of thing; returns what ended by that and may have dependants of its own.
    async fn end(&self, hanging: Hanging) -> Result<Vec<Ended>, Problem> {
        match hanging {
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
        }
        Ok(Vec::new())
    }

    /// The present role of a person; `None` if there is no such person.
    ///
    /// # Errors
    /// The database fails.
    pub async fn role(&self, person: PersonId) -> Result<Option<Role>, Problem> {
        let person = self.unit.people().get(person).await?;
        Ok(person.map(|person| person.role))
    }

    async fn refused_keys(&self, person: PersonId) -> Result<Vec<Ended>, Problem> {
        let Some(person) = self.unit.people().get(person).await? else {
            return Ok(Vec::new());
        };
        let refused = self.gateway.refused_keys(self.unit, &person).await?;
        Ok(refused.into_iter().map(|(ended, _)| ended).collect())
    }

    /// Whether `evidence` is listed under `person`, and signed with `key` if one is given. Erased
    /// evidence, of which nobody can tell the key any more, counts as signed with `key`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn is_of(
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
        let links = self.unit.links();
        for link in links.list_open(LinksOf::MadeBy(person), self.now).await? {
            let hangs = match &link.evidence {
                Some(evidence) => self.is_of(evidence, person, key).await?,
                None => true,
            };
            if hangs {
                links.withdraw(&link.token).await?;
            }
        }
        Ok(())
    }
}
