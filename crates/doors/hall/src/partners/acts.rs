//! The acts on partners: inviting a realm, accepting an invitation, and leaving.

use std::time::Duration;

use async_trait::async_trait;
use hallway_evidence::log::VerifierKey;
use hallway_evidence::statement::partner::{Accept, Authorities, Invite, Leave, Pins};
use hallway_evidence::statement::witness::SeenLog;
use hallway_evidence::{Line, Origin, OriginError, RealmName};
use hallway_spine::act::{Actor, Asking, Outcome, Perform, Prepared, Registered, act};
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::http::session::token_hash;
use hallway_spine::store::{StoreError, TokenHash};
use hallway_spine::witness::{anew, peers};
use hallway_spine::{Gateway, sha256};
use hallway_webauthn::wire::Base64Url;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::depends::{self, Ended};
use crate::partners::description::{Described, own_realm};
use crate::store::{EndedBy, HallTables, Partner, PartnerState};
use crate::{HallDoor, HallsOf, certificate};

/// How long an invitation is valid, and how long the gateway tries to hand in an accepted one: a
/// week.
const INVITATION_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// The acts on partners.
pub fn acts() -> Vec<Registered> {
    vec![
        act::<HallDoor, Invite>(),
        act::<HallDoor, Accept>(),
        act::<HallDoor, Leave>(),
    ]
}

/// The realm that is invited.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteRequest {
    /// The address of its gateway: `https://HOST[:PORT]`.
    address: String,
}

/// The invitation of another realm.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptRequest {
    /// The link from an owner of the other realm: `https://HOST[:PORT]/partners#TOKEN`.
    link: String,
}

/// The partner to leave.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaveRequest {
    /// Its realm.
    #[schemars(with = "String")]
    realm: RealmName,
}

#[async_trait]
impl Perform<HallDoor> for Invite {
    type Request = InviteRequest;

    async fn prepare(
        asking: &Asking<'_>,
        request: InviteRequest,
    ) -> Result<Prepared<Self>, Problem> {
        let address: Origin = request
            .address
            .trim()
            .parse()
            .map_err(|error: OriginError| Problem::malformed(error.to_string()))?;
        let terms = Self {
            pins: look_at(asking.gateway, &address).await?,
            token: asking.link().0,
            expires: asking.gateway.now().plus(INVITATION_LIFETIME),
        };
        Ok(terms.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        let beginning = Beginning {
            state: PartnerState::Invited,
            token: TokenHash(self.token),
            sealed_token: None,
            expires: self.expires,
        };
        let partner = begun(actor, &self.pins, beginning)?;
        begin(actor, &partner, &self.pins).await?;
        Ok(actor.done_with_link("partners", self.expires))
    }
}

#[async_trait]
impl Perform<HallDoor> for Accept {
    type Request = AcceptRequest;

    async fn prepare(
        asking: &Asking<'_>,
        request: AcceptRequest,
    ) -> Result<Prepared<Self>, Problem> {
        let (address, token) = read_link(&request.link).ok_or_else(|| {
            Problem::malformed("an invitation is a link https://HOST/partners#TOKEN")
        })?;
        let pins = look_at(asking.gateway, &address).await?;
        Ok(Prepared {
            act: Self {
                pins,
                token: sha256(&token.0),
            },
            attachment: Some(token.0),
        })
    }

    /// The token comes back beside the statement, and is kept encrypted until the other gateway has
    /// accepted it.
    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        let token = actor
            .attachment
            .and_then(|token| <&[u8; 32]>::try_from(token).ok())
            .filter(|token| sha256(*token) == self.token)
            .ok_or_else(|| {
                Problem::malformed(
                    "the token beside the statement is missing, or is not that of the invitation",
                )
            })?;
        let beginning = Beginning {
            state: PartnerState::Joining,
            token: TokenHash(self.token),
            sealed_token: Some(actor.gateway.partners().seal_token(token)?),
            expires: actor.now.plus(INVITATION_LIFETIME),
        };
        let partner = begun(actor, &self.pins, beginning)?;
        begin(actor, &partner, &self.pins).await?;
        Ok(actor.done())
    }
}

#[async_trait]
impl Perform<HallDoor> for Leave {
    type Request = LeaveRequest;

    async fn prepare(
        asking: &Asking<'_>,
        LeaveRequest { realm }: LeaveRequest,
    ) -> Result<Prepared<Self>, Problem> {
        find(asking.gateway, &realm).await?;
        Ok(Self { realm }.into())
    }

    /// The partner's authorities are no longer believed, its people's grants end, and their
    /// admissions are removed, so that joining again begins with nothing.
    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        let partners = actor.unit.partners();
        let known = partners.get(&self.realm).await?;
        let known = known.ok_or_else(|| Problem::not_found("partner"))?;
        if !partners
            .end(&self.realm, &known.pact, EndedBy::Us, actor.now)
            .await?
        {
            return Err(Problem::not_found("partner"));
        }
        depends::end_by(actor, Ended::Partnership(self.realm.clone())).await?;
        Ok(actor.done())
    }
}

/// A link's address and token.
fn read_link(link: &str) -> Option<(Origin, Base64Url)> {
    let (address, token) = link.trim().split_once("/partners#")?;
    // Checks the length, too.
    token_hash(token)?;
    Some((address.parse().ok()?, token.parse().ok()?))
}

/// Asks the gateway at `address` for the description of its realm, which the owner signs.
async fn look_at(gateway: &Gateway, address: &Origin) -> Result<Pins, Problem> {
    certificate::address(gateway)?;
    let described = gateway
        .partners()
        .fetcher
        .realm(address)
        .await
        .map_err(|error| {
            Problem::new(
                Code::PartnerUnfit,
                // The error may repeat text of the other side.
                Line::nearest(&format!("{address} cannot be a partner: {error}")).to_string(),
            )
        })?;
    if described.realm == own_realm(gateway)? {
        return Err(Problem::new(
            Code::Ourselves,
            format!("{address} is a gateway of this realm itself"),
        ));
    }
    let known = gateway
        .store
        .read()
        .partners()
        .get(&described.realm)
        .await?;
    if known.is_some_and(|known| known.is_active()) {
        return Err(already(&described.realm));
    }
    // The configuration's key of a log takes precedence over a partner's.
    let seen = match peers::configured_key(gateway, described.log.name()) {
        Some(_) => None,
        None => anew::seen_before(gateway.store.read(), &described.log).await?,
    };
    pins(described, seen)
}

fn pins(described: Described, seen: Option<SeenLog>) -> Result<Pins, Problem> {
    let authorities = Authorities::try_from(described.authorities())
        .map_err(|error| Problem::internal(&error))?;
    Ok(Pins {
        log: *described.log.public(),
        realm: described.realm,
        origin: described.origin,
        authorities,
        seen,
    })
}

fn already(realm: &RealmName) -> Problem {
    Problem::new(
        Code::PartnerExists,
        format!("{realm} is a partner already; leave it first"),
    )
}

/// A partner whose partnership has not ended, or 404.
async fn find(gateway: &Gateway, realm: &RealmName) -> Result<Partner, Problem> {
    let partner = gateway.store.read().partners().get(realm).await?;
    partner
        .filter(|partner| partner.state != PartnerState::Ended)
        .ok_or_else(|| Problem::not_found("partner"))
}

/// The side that begins a partnership.
struct Beginning {
    state: PartnerState,
    token: TokenHash,
    sealed_token: Option<Vec<u8>>,
    expires: hallway_evidence::Timestamp,
}

fn begun(actor: &Actor<'_>, pins: &Pins, beginning: Beginning) -> Result<Partner, Problem> {
    let log = VerifierKey::new(&format!("{}/log", pins.realm), pins.log)
        .map_err(|error| Problem::internal(&error))?;
    Ok(Partner {
        realm: pins.realm.clone(),
        origin: pins.origin.clone(),
        state: beginning.state,
        log,
        pins: pins.authorities.as_slice().to_vec(),
        pact: beginning.token,
        sealed_token: beginning.sealed_token,
        expires: beginning.expires,
        invited: None,
        hall: None,
        witness: None,
        bundle: None,
        checked: None,
        problem: None,
        next_attempt: actor.now,
        made_by: actor.person.id,
        made: actor.now,
        joined: None,
        ended: None,
        told: None,
        evidence: actor.evidence,
    })
}

/// Begins a partnership. If the owner signed that the log has another key than the one that was
/// seen, it is watched anew.
async fn begin(actor: &Actor<'_>, partner: &Partner, pins: &Pins) -> Result<(), Problem> {
    if let Some(seen) = &pins.seen {
        anew::put_aside(actor, partner.log.name(), seen).await?;
    }
    let partners = actor.unit.partners();
    partners.begin(partner).await.map_err(refused)
}

fn refused(error: StoreError) -> Problem {
    match error {
        StoreError::Exists { detail, .. } => Problem::new(
            Code::PartnerExists,
            format!("{detail} is a partner already; leave it first"),
        ),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_an_address_and_a_token() {
        let token = Base64Url::from([7u8; 32].as_slice()).to_string();
        let link = format!(" https://gate.beta.example/partners#{token}\n");
        let (address, read) = read_link(&link).unwrap();
        assert_eq!(address.as_str(), "https://gate.beta.example");
        assert_eq!(read.0, [7; 32]);
        for bad in [
            format!("https://gate.beta.example/join#{token}"),
            format!("https://gate.beta.example/x/partners#{token}"),
            format!("http://gate.beta.example/partners#{token}"),
            "https://gate.beta.example/partners#".to_owned(),
            "https://gate.beta.example/partners#AAAA".to_owned(),
        ] {
            assert!(read_link(&bad).is_none(), "{bad}");
        }
    }
}
