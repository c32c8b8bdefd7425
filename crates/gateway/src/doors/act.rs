//! Acts of people who are signed in: two steps, one touch, one piece of evidence each.

use axum::Json;
use axum::extract::State;
use hallway_evidence::statement::{Act, Device as DeviceAct, Web};
use hallway_evidence::{CredentialId, Statement, Timestamp};
use hallway_webauthn::wire::Base64Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::assertion::{self, Proven};
use super::authority::{self, AuthorityRequest};
use super::ceremony::{self, Answer, Ceremony};
use super::device::lifecycle::{self, DeviceRequest, DeviceView};
use super::hall::acts::{self as hall, HallRequest};
use super::hall::open::Opened;
use super::hall::own_authorities::{self, OwnAuthorityRequest};
use super::hall::partners::acts::{self as partners, PartnerRequest};
use super::people::{self, PeopleRequest};
use super::web::grant::Peer;
use super::web::links::{self, LinkRequest, NewLink};
use super::web::{keys, options};
use super::witness::anew::{self, WitnessRequest};
use crate::Gateway;
use crate::depends::{self, Ended};
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::session::{Caller, link_token, link_token_hash};
use crate::operator_key::random_bytes;
use crate::refusal::{Door, Subject};
use crate::seal::Purpose;
use crate::store::{EvidenceHash, Holder, Person, Purpose as LinkPurpose, Repositories, Role};

/// What somebody asks to do.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ActRequest {
    /// With people.
    People(PeopleRequest),
    /// With devices.
    Device(DeviceRequest),
    /// With attestation authorities.
    Authority(AuthorityRequest),
    /// With one's own keys.
    Key(KeyRequest),
    /// With one-time links.
    Link(LinkRequest),
    /// With halls.
    Hall(HallRequest),
    /// With other realms.
    Partner(PartnerRequest),
    /// With the realm's own certificate authorities.
    OwnAuthority(OwnAuthorityRequest),
    /// With logs that this realm witnesses.
    Witness(WitnessRequest),
}

impl ActRequest {
    /// The door that a refusal of it is listed under.
    const fn door(&self) -> Door {
        match self {
            Self::People(_) | Self::Key(_) | Self::Link(_) => Door::Web,
            Self::Device(_) | Self::Authority(_) => Door::Device,
            Self::Hall(_) | Self::Partner(_) | Self::OwnAuthority(_) | Self::Witness(_) => {
                Door::Hall
            }
        }
    }
}

/// An act on one's own keys, as asked for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyRequest {
    /// Remove a key.
    RemoveKey {
        /// The credential id, base64url.
        key: String,
    },
}

/// The wrapper of a request.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Wanted {
    /// The act, told apart by its `kind`.
    pub act: ActRequest,
}

/// What an act did.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Outcome {
    /// The hash of the evidence, hexadecimal.
    pub evidence: String,
    /// When the evidence was accepted, milliseconds since 1970: with it and what was signed, the hash
    /// can be computed.
    pub accepted_ms: u64,
    /// A one-time link to hand on.
    #[serde(flatten)]
    pub link: Option<NewLink>,
    /// The device, where it was about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceView>,
    /// What opened, where a hall did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<Opened>,
}

/// Who does it, inside the unit that makes it true.
pub struct Actor<'a> {
    /// The gateway.
    pub gateway: &'a Gateway,
    /// The unit of work.
    pub unit: &'a dyn Repositories,
    /// Who signed.
    pub person: &'a Person,
    /// With which key.
    pub credential: &'a CredentialId,
    /// In which session.
    pub caller: &'a Caller,
    /// The evidence of it.
    pub evidence: EvidenceHash,
    /// The evidence's place in the log.
    pub log_index: u64,
    /// What was signed.
    pub statement: &'a Statement,
    /// When it was accepted.
    pub now: Timestamp,
    /// What the statement names by its hash alone.
    pub attachment: Option<&'a [u8]>,
}

impl Outcome {
    /// Nothing but evidence.
    pub fn done(actor: &Actor<'_>) -> Self {
        Self {
            evidence: actor.evidence.to_string(),
            accepted_ms: actor.now.as_ms(),
            link: None,
            device: None,
            grant: None,
        }
    }
}

impl Actor<'_> {
    /// Refuses whoever has a lesser role.
    ///
    /// # Errors
    /// 403.
    pub fn needs(&self, least: Role) -> Result<(), Problem> {
        if includes(self.person.role, least) {
            Ok(())
        } else {
            Err(role_needed(least))
        }
    }

    /// Ends all that hung on what this act ended.
    ///
    /// # Errors
    /// The database.
    pub async fn end(&self, ended: Ended) -> Result<(), Problem> {
        depends::end(self.gateway, self.unit, ended, Some(self.person.id)).await
    }

    /// The secret of the link that this act makes; its hash is in the statement.
    pub fn link_token(&self) -> String {
        link_token(self.gateway, &self.statement.nonce)
    }
}

/// Whether `role` may do what `least` may: owners all, operators what members may.
pub fn includes(role: Role, least: Role) -> bool {
    let rank = |role| match role {
        Role::Member => 0,
        Role::Operator => 1,
        Role::Owner => 2,
    };
    rank(role) >= rank(least)
}

/// The refusal for a lesser role.
pub fn role_needed(least: Role) -> Problem {
    Problem::forbidden(
        "role",
        format!("this needs the role {least}; ask an owner of this realm"),
    )
}

/// Gives the statement of an act.
pub async fn begin(
    State(gateway): State<Gateway>,
    caller: Caller,
    peer: Peer,
    Input(wanted): Input<Wanted>,
) -> Result<Json<Ceremony>, Problem> {
    let door = wanted.act.door();
    let prepared = prepare(&gateway, &caller, wanted.act).await;
    let subject = Subject::from(&peer).person(caller.person.id);
    gateway.or_refuse(door, subject, prepared).await.map(Json)
}

async fn prepare(
    gateway: &Gateway,
    caller: &Caller,
    wanted: ActRequest,
) -> Result<Ceremony, Problem> {
    let nonce = *random_bytes::<16>().map_err(|error| Problem::internal(&error))?;
    let mut attachment = None;
    let act: Act = match wanted {
        ActRequest::People(request) => {
            if !includes(caller.person.role, Role::Owner) {
                return Err(role_needed(Role::Owner));
            }
            people::prepare(gateway, request, link_token_hash(gateway, &nonce))
                .await?
                .into()
        }
        ActRequest::Device(request) => lifecycle::prepare(gateway, caller, request).await?.into(),
        ActRequest::Authority(request) => {
            let (act, certificate) = authority::prepare(gateway, caller, request).await?;
            attachment = certificate.map(Base64Url);
            act.into()
        }
        ActRequest::Key(KeyRequest::RemoveKey { key }) => {
            keys::prepare_removal(gateway, caller, &key).await?.into()
        }
        ActRequest::Link(request) => {
            let token = link_token_hash(gateway, &nonce);
            links::prepare(gateway, caller, request, token)
                .await?
                .into()
        }
        ActRequest::Hall(request) => hall::prepare(gateway, caller, request, &nonce)
            .await?
            .into(),
        ActRequest::Partner(request) => {
            let token = link_token_hash(gateway, &nonce);
            let prepared = partners::prepare(gateway, caller, request, token).await?;
            attachment = prepared.token;
            prepared.act.into()
        }
        ActRequest::OwnAuthority(request) => own_authorities::prepare(gateway, caller, request)
            .await?
            .into(),
        ActRequest::Witness(request) => anew::prepare(gateway, caller, request).await?.into(),
    };
    let statement = ceremony::statement_with_nonce(gateway, act, nonce)?;
    let held = gateway
        .store
        .read()
        .credentials()
        .held_by(Holder::Person(caller.person.id))
        .await?;
    let public_key = options::request(gateway, &statement, &held);
    let ceremony = Ceremony::new(
        gateway,
        Purpose::Act,
        caller.session.token.as_bytes(),
        &statement,
        public_key,
    )?;
    Ok(Ceremony {
        attachment,
        ..ceremony
    })
}

/// Takes the touch and does it.
pub async fn finish(
    State(gateway): State<Gateway>,
    caller: Caller,
    peer: Peer,
    Input(answer): Input<Answer>,
) -> Result<Json<Outcome>, Problem> {
    let done = async {
        let holder = caller.session.token.as_bytes();
        let proven = assertion::prove(&gateway, Purpose::Act, holder, &answer).await?;
        gateway
            .transact(|unit| Box::pin(perform(&gateway, unit, &caller, (&answer, &proven))))
            .await
    };
    match done.await {
        Ok(outcome) => {
            // Whoever is inside a hall by what is no longer so is put out at once, not at the
            // next look.
            gateway.partners.wake();
            gateway.halls.inside.look_again(&gateway).await;
            Ok(Json(outcome))
        }
        Err(problem) => {
            let stated = Statement::decode(&answer.statement.0).ok();
            let door = stated.map_or(Door::Web, |stated| Door::about(&stated.act));
            let subject = Subject::from(&peer).person(caller.person.id);
            gateway.refuse(door, &problem, subject).await;
            Err(problem)
        }
    }
}

async fn perform(
    gateway: &Gateway,
    unit: &dyn Repositories,
    caller: &Caller,
    (answer, proven): (&Answer, &Proven),
) -> Result<Outcome, Problem> {
    // It may have ended since the request came in.
    let session = unit.sessions();
    let session = session.get(&caller.session.token, gateway.now()).await?;
    session.ok_or_else(Problem::unauthenticated)?;
    let checked = assertion::check(gateway, unit, proven).await?;
    if checked.person.id != caller.person.id {
        return Err(Problem::forbidden(
            "other-person",
            "this key belongs to somebody else than who is signed in",
        ));
    }
    let device = match &checked.statement.act {
        Act::Device(act) => lifecycle::concerns(act),
        _ => None,
    };
    if let Act::Device(DeviceAct::Claim(terms)) = &checked.statement.act {
        lifecycle::log_enrolment(gateway, unit, terms).await?;
    }
    let accepted = gateway
        .accept(unit, checked.signed, Some(checked.person.id), device)
        .await?;
    let actor = Actor {
        gateway,
        unit,
        person: &checked.person,
        credential: &checked.credential.id,
        caller,
        evidence: accepted.hash,
        log_index: accepted.log_index,
        statement: &checked.statement,
        now: accepted.at,
        attachment: answer.attachment.as_ref().map(|bytes| bytes.0.as_slice()),
    };
    match &checked.statement.act {
        Act::People(act) => people::perform(&actor, act).await,
        Act::Device(act) => lifecycle::perform(&actor, act).await,
        Act::Authority(act) => authority::perform(&actor, act).await,
        Act::Web(Web::RemoveKey(terms)) => keys::perform_removal(&actor, terms).await,
        Act::Web(Web::AddKey(terms)) => {
            links::make_own(&actor, terms, LinkPurpose::Additional).await
        }
        Act::Web(Web::SignInLink(terms)) => {
            links::make_own(&actor, terms, LinkPurpose::SignIn).await
        }
        Act::Web(Web::WithdrawLink(terms)) => links::withdraw(&actor, terms).await,
        Act::Hall(act) => hall::perform(&actor, act).await,
        Act::Web(_) => Err(Problem::malformed(
            "this statement has a ceremony of its own",
        )),
    }
}
