//! What depends on what: when something ends, all that hung on it ends with it, and for good.
//!
//! `hanging_on` is the table of what every door stands on; each door has one of its own
//! ([`Door::end`](crate::door::Door::end)). [`end`] walks them inside the unit of work that makes the
//! first end true, so nothing is ever seen between the two. That a suspended person cannot enter is
//! asked at every door besides; what is here is that nothing of before comes back when the person does.

use hallway_evidence::{CredentialId, PersonId, Timestamp};

use crate::Gateway;
use crate::http::problem::Problem;
use crate::models::distrust;
use crate::refusal::DoorName;
use crate::store::{EvidenceHash, LinksOf, Purpose, Role, SessionsOf, TokenHash, Unit};

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
    /// That a person's key opens anything at one door, by the policy of that door alone.
    TrustAt(DoorName, CredentialId),
    /// A session.
    Session(TokenHash),
    /// The link for this person and purpose, by a newer one.
    Link(PersonId, Purpose),
}

/// What hangs on something else.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Hanging {
    /// What a person opened with keys that are refused to them in the role that they have now.
    RefusedKeys(PersonId),
    /// Sessions. What hangs on each of them ends next.
    Sessions(SessionsOf),
    /// One-time links that nobody used yet.
    Links(LinksOf),
    /// One-time links that a person handed out and nobody took up yet. With one of their keys, or
    /// with any.
    HandedOut(PersonId, Option<CredentialId>),
}

/// The table: what hangs on what ended.
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

/// One walk along the tables.
#[derive(Clone, Copy)]
pub struct Walk<'a> {
    /// The gateway.
    pub gateway: &'a Gateway,
    /// The unit of work that makes the end true.
    pub unit: &'a Unit<'a>,
    /// Whose act it was; nobody's where the gateway found it out.
    pub by: Option<PersonId>,
    /// When.
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
    /// Ends what hangs; gives what ended by that and has something hanging on it in its turn.
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

    /// The role that a person has now; nothing where there is no such person.
    ///
    /// # Errors
    /// The database.
    pub async fn role(&self, person: PersonId) -> Result<Option<Role>, Problem> {
        let person = self.unit.people().get(person).await?;
        Ok(person.map(|person| person.role))
    }

    async fn refused_keys(&self, person: PersonId) -> Result<Vec<Ended>, Problem> {
        let Some(person) = self.unit.people().get(person).await? else {
            return Ok(Vec::new());
        };
        let refused = distrust::refused_keys(self.gateway, self.unit, &person).await?;
        Ok(refused.into_iter().map(|(ended, _)| ended).collect())
    }

    /// Whether `evidence` is of `person`, and signed with `key` where one is meant. What nobody can
    /// tell any more, because the evidence was erased, counts as that.
    ///
    /// # Errors
    /// The database.
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
