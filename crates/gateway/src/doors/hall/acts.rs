//! Making halls, admitting guests, inviting agents, ending grants: what people sign about halls.

use std::time::Duration;

use hallway_evidence::statement::hall::{
    Admit, Agent, AgentName, Create, Dismiss, End, Guest, Hall as HallAct, HallName, InviteAgent,
    Named, Names, Right, Rights, ServiceName, StoreName, Whom,
};
use hallway_evidence::{GrantId, Line, PersonId, RealmName};
use hallway_webauthn::wire::Base64Url;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::act::{Actor, Outcome, includes, role_needed};
use super::super::web::keys::line;
use super::super::web::links::NewLink;
use super::super::witness;
use super::demands::{self, NeedsRequest};
use super::grants::name_of;
use super::{approvals, open, own_authorities, partners};
use crate::Gateway;
use crate::depends::Ended;
use crate::hall::names;
use crate::http::problem::Problem;
use crate::http::session::{Caller, link_token_hash};
use crate::partners::active;
use crate::realm_authority::rotation::Replacement;
use crate::store::{
    self, GrantState, GuestId, Hall, HallAgent, HallGuest, Role, StoreError, VisitorId,
};

/// How long an agent's invitation is good: an hour.
const INVITATION: Duration = Duration::from_secs(3600);

/// An act on halls, as asked for. Names are `a-z`, `0-9` and `-`; rights are `read:STORE`,
/// `write:STORE`, `delete:STORE` and `connect:SERVICE`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum HallRequest {
    /// Make a hall.
    CreateHall {
        /// Its name.
        #[schemars(with = "String")]
        name: HallName,
        /// What people call it.
        title: String,
    },
    /// Remove a hall; everybody in it is put out.
    RemoveHall {
        /// Which.
        #[schemars(with = "String")]
        hall: HallName,
    },
    /// Let somebody enter.
    AdmitToHall {
        /// Which hall.
        #[schemars(with = "String")]
        hall: HallName,
        /// Whom.
        guest: GuestRequest,
        /// To do what.
        #[schemars(with = "Vec<String>")]
        rights: Rights,
        /// What is demanded besides.
        #[serde(default)]
        needs: NeedsRequest,
    },
    /// Let somebody no longer enter.
    DismissFromHall {
        /// Which hall.
        #[schemars(with = "String")]
        hall: HallName,
        /// Whom.
        guest: GuestRequest,
    },
    /// Invite a machine by a one-time token.
    InviteAgent {
        /// To which hall.
        #[schemars(with = "String")]
        hall: HallName,
        /// What it is called there.
        #[schemars(with = "String")]
        agent: AgentName,
        /// Another agent there that provides the same, so that one of the two may fail.
        #[schemars(with = "Option<String>")]
        #[serde(default)]
        beside: Option<AgentName>,
        /// The stores that it provides there, and nobody else.
        #[schemars(with = "Vec<String>")]
        #[serde(default)]
        stores: Names<StoreName>,
        /// The services that it provides there, and nobody else.
        #[schemars(with = "Vec<String>")]
        #[serde(default)]
        services: Names<ServiceName>,
    },
    /// Put a machine out.
    DismissAgent {
        /// Of which hall.
        #[schemars(with = "String")]
        hall: HallName,
        /// Which.
        #[schemars(with = "String")]
        agent: AgentName,
    },
    /// Enter a hall.
    OpenHall {
        /// The realm where the hall is; this one without it.
        #[schemars(with = "Option<String>")]
        host: Option<RealmName>,
        /// Which.
        #[schemars(with = "String")]
        hall: HallName,
        /// To do what; everything that one is admitted to without it.
        #[schemars(with = "Option<Vec<String>>")]
        rights: Option<Vec<Right>>,
        /// For how long; as long as the operator allows without it.
        duration_ms: Option<u64>,
        /// The P-256 key to certify, SubjectPublicKeyInfo. Without it the hall opens in this
        /// session.
        #[schemars(with = "Option<String>")]
        public_key: Option<Base64Url>,
    },
    /// Approve what somebody else opens.
    ApproveGrant {
        /// Which.
        #[schemars(with = "String")]
        grant: GrantId,
    },
    /// End somebody's grant.
    EndGrant {
        /// Which.
        #[schemars(with = "String")]
        grant: GrantId,
    },
}

/// Who may enter: one of them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum GuestRequest {
    /// A person of the realm.
    Person(#[schemars(with = "String")] PersonId),
    /// Everybody who has this role or one that includes it.
    Role(#[schemars(with = "String")] Role),
    /// Somebody of a partner.
    Visitor {
        /// Of which realm.
        #[schemars(with = "String")]
        realm: RealmName,
        /// Who there.
        whom: WhomRequest,
    },
}

/// Who of a partner may enter: one of the two.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum WhomRequest {
    /// A person of the partner.
    Person {
        /// By the id that the partner gave.
        #[schemars(with = "String")]
        id: PersonId,
        /// What the signer calls them; the id without it.
        #[schemars(with = "Option<String>")]
        name: Option<Line>,
    },
    /// Everybody of the partner who has this role there or one that includes it.
    Role(#[schemars(with = "String")] Role),
}

/// Refuses whoever may not do the act, before anybody touches a key.
fn may(caller: &Caller, least: Role) -> Result<(), Problem> {
    if includes(caller.person.role, least) {
        Ok(())
    } else {
        Err(role_needed(least))
    }
}

/// The statement of an act on halls, which will have this nonce.
pub async fn prepare(
    gateway: &Gateway,
    caller: &Caller,
    request: HallRequest,
    nonce: &[u8; 16],
) -> Result<HallAct, Problem> {
    let least = match request {
        // Whom an opening waits for, the opening says.
        HallRequest::OpenHall { .. } | HallRequest::ApproveGrant { .. } => Role::Member,
        HallRequest::EndGrant { .. } => Role::Operator,
        _ => Role::Owner,
    };
    may(caller, least)?;
    Ok(match request {
        HallRequest::CreateHall { name, title } => {
            if gateway.store.read().halls().get(&name).await?.is_some() {
                return Err(taken("hall"));
            }
            HallAct::Create(Create {
                hall: name,
                title: line("title", &title)?,
            })
        }
        HallRequest::RemoveHall { hall } => {
            find(gateway, &hall).await?;
            HallAct::Remove(Named { hall })
        }
        HallRequest::AdmitToHall {
            hall,
            guest,
            rights,
            needs,
        } => {
            find(gateway, &hall).await?;
            let guest = named(gateway, guest).await?;
            HallAct::Admit(Admit {
                hall,
                guest,
                rights,
                needs: demands::demanded(gateway, needs)?,
            })
        }
        HallRequest::DismissFromHall { hall, guest } => {
            find(gateway, &hall).await?;
            let guest = named(gateway, guest).await?;
            let admitted = gateway.store.read().halls().guests(&hall).await?;
            if !admitted.iter().any(|one| one.guest == guest_id(&guest)) {
                return Err(Problem::not_found("guest"));
            }
            HallAct::Dismiss(Dismiss { hall, guest })
        }
        HallRequest::InviteAgent {
            hall,
            agent,
            beside,
            stores,
            services,
        } => {
            find(gateway, &hall).await?;
            if stores.is_empty() && services.is_empty() {
                return Err(Problem::malformed(
                    "name at least one store or service that the agent provides",
                ));
            }
            let invitation = InviteAgent {
                hall,
                agent,
                beside,
                stores,
                services,
                token: link_token_hash(gateway, nonce).0,
                expires: gateway.now().plus(INVITATION),
            };
            let agents = gateway.store.read().hall_agents();
            let agents = agents.of_hall(&invitation.hall).await?;
            names::can_be_given(&gateway.halls.offers, &agents, &invitation)?;
            HallAct::InviteAgent(invitation)
        }
        HallRequest::DismissAgent { hall, agent } => {
            find(gateway, &hall).await?;
            let agents = gateway.store.read().hall_agents();
            if agents.get(&hall, &agent).await?.is_none() {
                return Err(Problem::not_found("agent"));
            }
            HallAct::DismissAgent(Agent { hall, agent })
        }
        HallRequest::OpenHall {
            host,
            hall,
            rights,
            duration_ms,
            public_key,
        } => {
            let wanted = open::Wanted {
                host,
                hall,
                rights,
                duration_ms,
                public_key,
            };
            HallAct::Open(open::prepare(gateway, caller, wanted, nonce).await?)
        }
        HallRequest::ApproveGrant { grant } => {
            HallAct::Approve(approvals::prepare(gateway, caller, grant).await?)
        }
        HallRequest::EndGrant { grant } => {
            let reader = gateway.store.read();
            let found = reader.grants().get(grant).await?;
            let found = found.ok_or_else(|| Problem::not_found("grant"))?;
            if matches!(
                found.state(gateway.now()),
                GrantState::Ended | GrantState::RunOut
            ) {
                return Err(ended_already());
            }
            let name = name_of(reader, &found).await?;
            HallAct::End(End {
                grant,
                opened: found.evidence.0,
                hall: found.hall,
                name: line("name", &name)?,
            })
        }
    })
}

/// The hall, or 404.
pub async fn find(gateway: &Gateway, name: &HallName) -> Result<Hall, Problem> {
    let hall = gateway.store.read().halls().get(name).await?;
    hall.ok_or_else(|| Problem::not_found("hall"))
}

async fn named(gateway: &Gateway, guest: GuestRequest) -> Result<Guest, Problem> {
    Ok(match guest {
        GuestRequest::Role(role) => Guest::Role(role),
        GuestRequest::Person(id) => {
            let person = gateway.store.read().people().get(id).await?;
            let person = person.ok_or_else(|| Problem::not_found("person"))?;
            Guest::Person {
                id,
                name: line("name", &person.name)?,
            }
        }
        GuestRequest::Visitor { realm, whom } => {
            active(gateway.store.read(), &realm).await?;
            let whom = match whom {
                WhomRequest::Role(role) => Whom::Role(role),
                WhomRequest::Person { id, name } => Whom::Person {
                    id,
                    name: name.unwrap_or_else(|| Line::nearest(&id.to_string())),
                },
            };
            Guest::Visitor { realm, whom }
        }
    })
}

fn guest_id(guest: &Guest) -> GuestId {
    match guest {
        Guest::Person { id, .. } => GuestId::Person(*id),
        Guest::Role(role) => GuestId::Role(*role),
        Guest::Visitor { realm, whom } => {
            let whom = match whom {
                Whom::Person { id, .. } => VisitorId::Person(*id),
                Whom::Role(role) => VisitorId::Role(*role),
            };
            GuestId::Visitor(realm.clone(), whom)
        }
    }
}

/// Does what was signed.
pub async fn perform(actor: &Actor<'_>, act: &HallAct) -> Result<Outcome, Problem> {
    let (unit, now, evidence) = (actor.unit, actor.now, actor.evidence);
    match act {
        HallAct::Open(terms) => return open::perform(actor, terms).await,
        HallAct::InvitePartner(_) | HallAct::AcceptPartner(_) | HallAct::LeavePartner(_) => {
            return partners::acts::perform(actor, act).await;
        }
        HallAct::Approve(terms) => return approvals::perform(actor, terms).await,
        HallAct::ReplaceAuthority(turn) => {
            return own_authorities::perform(actor, turn, Replacement::InTurn).await;
        }
        HallAct::WithdrawAuthority(turn) => {
            return own_authorities::perform(actor, turn, Replacement::AtOnce).await;
        }
        HallAct::BeginLogAnew(terms) => return witness::anew::perform(actor, terms).await,
        HallAct::End(_) => actor.needs(Role::Operator)?,
        _ => actor.needs(Role::Owner)?,
    }
    match act {
        HallAct::Open(_)
        | HallAct::Approve(_)
        | HallAct::InvitePartner(_)
        | HallAct::AcceptPartner(_)
        | HallAct::LeavePartner(_)
        | HallAct::ReplaceAuthority(_)
        | HallAct::WithdrawAuthority(_)
        | HallAct::BeginLogAnew(_) => {}
        HallAct::Create(terms) => {
            let hall = Hall {
                name: terms.hall.clone(),
                title: terms.title.to_string(),
                created_by: actor.person.id,
                created: now,
                evidence,
            };
            unit.halls().add(&hall).await.map_err(refused)?;
        }
        HallAct::Remove(terms) => {
            unit.halls().remove(&terms.hall).await.map_err(refused)?;
            actor.end(Ended::Hall(terms.hall.clone())).await?;
        }
        HallAct::Admit(terms) => {
            exists(actor, &terms.hall).await?;
            if let Guest::Visitor { realm, .. } = &terms.guest {
                active(unit, realm).await?;
            }
            let guest = HallGuest {
                hall: terms.hall.clone(),
                guest: guest_id(&terms.guest),
                rights: terms.rights.clone(),
                needs: terms.needs.clone(),
                admitted: now,
                evidence,
            };
            unit.halls().admit(&guest).await.map_err(refused)?;
            // What was said of the same guest before may have been more.
            actor.end(Ended::Admission(terms.hall.clone())).await?;
        }
        HallAct::Dismiss(terms) => {
            unit.halls()
                .dismiss(&terms.hall, &guest_id(&terms.guest))
                .await
                .map_err(refused)?;
            actor.end(Ended::Admission(terms.hall.clone())).await?;
        }
        HallAct::InviteAgent(terms) => {
            exists(actor, &terms.hall).await?;
            let agents = unit.hall_agents().of_hall(&terms.hall).await?;
            names::can_be_given(&actor.gateway.halls.offers, &agents, terms)?;
            let agent = HallAgent {
                hall: terms.hall.clone(),
                name: terms.agent.clone(),
                beside: terms.beside.clone(),
                stores: terms.stores.clone(),
                services: terms.services.clone(),
                token: terms.token.into(),
                expires: terms.expires,
                joined: None,
                invited: now,
                evidence,
            };
            unit.hall_agents().invite(&agent).await.map_err(refused)?;
            return Ok(Outcome {
                link: Some(NewLink {
                    link: format!("{}/halls#{}", actor.gateway.origin, actor.link_token()),
                    expires_ms: terms.expires.as_ms(),
                }),
                ..Outcome::done(actor)
            });
        }
        HallAct::DismissAgent(terms) => unit
            .hall_agents()
            .dismiss(&terms.hall, &terms.agent)
            .await
            .map_err(refused)?,
        HallAct::End(terms) => {
            let end = store::End::by(actor.person.id, now);
            if !unit.grants().end(terms.grant, &end).await? {
                return Err(ended_already());
            }
        }
    }
    Ok(Outcome::done(actor))
}

async fn exists(actor: &Actor<'_>, hall: &HallName) -> Result<(), Problem> {
    let hall = actor.unit.halls().get(hall).await?;
    hall.map(drop).ok_or_else(|| Problem::not_found("hall"))
}

fn refused(error: StoreError) -> Problem {
    match error {
        StoreError::Missing(what) => Problem::not_found(what),
        StoreError::Exists { what, .. } => taken(what),
        error => error.into(),
    }
}

fn taken(what: &str) -> Problem {
    Problem::conflict(
        "exists",
        format!("there already is a {what} of this name; choose another"),
    )
}

fn ended_already() -> Problem {
    Problem::conflict("grant-ended", "this grant has ended already")
}
