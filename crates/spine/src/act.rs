//! Acts of people who are signed in: two steps, one touch, one piece of evidence each.
//!
//! An act is asked for by the name of its statement. Each is a file that implements [`Perform`] for
//! the statement's terms, and a line in the list of its door; see [`Door::acts`].

use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::State;
use hallway_evidence::verify::least_role;
use hallway_evidence::{CredentialId, Statement, Timestamp};
use hallway_webauthn::wire::Base64Url;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use self::assertion::Proven;
use self::ceremony::{Answer, Ceremony};
use crate::Gateway;
use crate::depends::{self, Ended};
use crate::door::{Door, Doors};
use crate::http::input::Input;
use crate::http::peer::Peer;
use crate::http::problem::Problem;
use crate::http::route::{Access, Route};
use crate::http::session::{Caller, link_token};
use crate::operator_key::random_bytes;
use crate::refusal::{DoorName, Subject};
use crate::seal::Purpose;
use crate::store::{EvidenceHash, Holder, Person, Role, Unit};

pub mod assertion;
pub mod ceremony;
pub mod options;
mod perform;

pub use perform::{Asking, Given, NameAlone, Perform, Prepared, Registered, act};

/// The routes of acts.
pub fn routes(doors: Doors) -> Vec<Route> {
    let member = Access::Person(Role::Member);
    vec![
        Route::post("/api/acts/statement", member, begin)
            .summary("The statement of an act")
            .takes_as(move |schemas| wanted(doors, schemas))
            .gives::<Ceremony>(),
        Route::post("/api/acts", member, finish)
            .summary("Do what was signed")
            .takes::<Answer>()
            .gives_as(move |schemas| outcome(doors, schemas)),
    ]
}

/// The schema of [`Outcome`], with what the acts of all doors give.
fn outcome(doors: Doors, generator: &mut SchemaGenerator) -> Schema {
    let mut schema = Outcome::json_schema(generator).to_value();
    for (name, described) in doors.acts().values().filter_map(|act| act.gives) {
        schema["properties"][name] = described(generator).to_value();
    }
    Schema::try_from(schema).unwrap_or_default()
}

/// What a person asks to do: the name of the statement, and what the act needs to know.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    /// The name of the statement, such as `hall.open`.
    act: String,
    #[serde(flatten)]
    request: Map<String, Value>,
}

/// The schema of [`Wanted`]: one for each act.
fn wanted(doors: Doors, generator: &mut SchemaGenerator) -> Schema {
    let each = doors.acts();
    let each = each.values().map(|act| {
        let mut schema = (act.request)(generator).to_value();
        schema["description"] = json!(act.declared.doc.trim());
        schema["properties"]["act"] = json!({ "const": act.declared.name });
        let required = schema["required"].as_array().into_iter().flatten();
        schema["required"] = std::iter::once(&json!("act"))
            .chain(required)
            .cloned()
            .collect();
        schema
    });
    let each: Vec<Value> = each.collect();
    schemars::json_schema!({ "oneOf": each })
}

/// A new link.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NewLink {
    /// The address to open, once.
    pub link: String,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: u64,
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
    /// What else came of it: the `device` that it was about, the `grant` that opened.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Who does it, inside the unit that makes it true.
pub struct Actor<'a> {
    /// The gateway.
    pub gateway: &'a Gateway,
    /// The unit of work.
    pub unit: &'a Unit<'a>,
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
    /// Whether it ended anything on which other doors stand.
    ended: AtomicBool,
}

/// What was done, and which doors it concerns.
struct Done {
    outcome: Outcome,
    /// The door of the statement.
    door: DoorName,
    /// Whether something ended on which other doors stand.
    ended: bool,
}

impl Outcome {
    /// Nothing but evidence.
    pub fn done(actor: &Actor<'_>) -> Self {
        Self {
            evidence: actor.evidence.to_string(),
            accepted_ms: actor.now.as_ms(),
            link: None,
            more: Map::new(),
        }
    }

    /// Evidence, and something else under a name.
    ///
    /// # Errors
    /// It is no JSON.
    pub fn with(actor: &Actor<'_>, name: &str, more: &impl Serialize) -> Result<Self, Problem> {
        let more = serde_json::to_value(more).map_err(|error| Problem::internal(&error))?;
        Ok(Self {
            more: Map::from_iter([(name.to_owned(), more)]),
            ..Self::done(actor)
        })
    }

    /// A one-time link to `page` of this gateway, which this act makes.
    pub fn with_link(actor: &Actor<'_>, page: &str, expires: Timestamp) -> Self {
        Self {
            link: Some(NewLink {
                link: format!("{}/{page}#{}", actor.gateway.origin, actor.link_token()),
                expires_ms: expires.as_ms(),
            }),
            ..Self::done(actor)
        }
    }
}

impl Actor<'_> {
    /// Ends all that hung on what this act ended.
    ///
    /// # Errors
    /// The database.
    pub async fn end(&self, ended: Ended) -> Result<(), Problem> {
        self.ended.store(true, Ordering::Relaxed);
        depends::end(self.gateway, self.unit, ended, Some(self.person.id)).await
    }

    /// The secret of the link that this act makes; its hash is in the statement.
    pub fn link_token(&self) -> String {
        link_token(self.gateway, &self.statement.nonce)
    }
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
    let act = known(&gateway, &wanted.act)?;
    let prepared = prepare(&gateway, &caller, act, wanted.request).await;
    let subject = Subject::from(&peer).person(caller.person.id);
    let door = door_of(&gateway, act.declared.door());
    gateway.or_refuse(door, subject, prepared).await.map(Json)
}

/// The name of a statement's door, by the first word of the statement's name.
fn door_of(gateway: &Gateway, word: &str) -> DoorName {
    let door = gateway.doors.of_statement(word);
    door.map_or(DoorName::WEB, |door| door.name())
}

fn known<'g>(gateway: &'g Gateway, name: &str) -> Result<&'g Registered, Problem> {
    gateway.acts.get(name).ok_or_else(|| {
        Problem::malformed("there is no such act; /openapi.json lists those that there are")
    })
}

async fn prepare(
    gateway: &Gateway,
    caller: &Caller,
    act: &Registered,
    request: Map<String, Value>,
) -> Result<Ceremony, Problem> {
    let nonce = *random_bytes::<16>().map_err(|error| Problem::internal(&error))?;
    let asking = Asking {
        gateway,
        caller,
        nonce: &nonce,
    };
    let prepared = act.prepare(&asking, request).await?;
    let statement = ceremony::statement_with_nonce(gateway, prepared.act, nonce)?;
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
        attachment: prepared.attachment.map(Base64Url),
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
        Ok(done) => {
            let concerned = |door: &&dyn Door| done.ended || door.name() == done.door;
            for door in gateway.doors.each().filter(concerned) {
                door.after_act(&gateway).await;
            }
            Ok(Json(done.outcome))
        }
        Err(problem) => {
            let stated = Statement::decode(&answer.statement.0).ok();
            let door = stated.map_or(DoorName::WEB, |stated| door_of(&gateway, stated.act.door()));
            let subject = Subject::from(&peer).person(caller.person.id);
            gateway.refuse(door, &problem, subject).await;
            Err(problem)
        }
    }
}

async fn perform(
    gateway: &Gateway,
    unit: &Unit<'_>,
    caller: &Caller,
    (answer, proven): (&Answer, &Proven),
) -> Result<Done, Problem> {
    // It may have ended since the request came in.
    let session = unit.sessions();
    let session = session.get(&caller.session.token, gateway.now()).await?;
    session.ok_or_else(Problem::unauthenticated)?;
    let checked = assertion::check(gateway, unit, proven).await?;
    if checked.person.id != caller.person.id {
        return Err(Problem::forbidden(
            "other-person",
            "this key belongs to another person than the one who is signed in",
        ));
    }
    let stated = &checked.statement.act;
    let act = gateway
        .acts
        .get(stated.name())
        .ok_or_else(|| Problem::malformed("this statement has a ceremony of its own"))?;
    let least = least_role(stated);
    if checked.person.role < least {
        return Err(role_needed(least));
    }
    act.before(gateway, unit, stated).await?;
    let accepted = gateway
        .accept(
            unit,
            checked.signed,
            Some(checked.person.id),
            act.device(stated),
        )
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
        ended: AtomicBool::new(false),
    };
    let outcome = act.perform(&actor, stated).await?;
    Ok(Done {
        outcome,
        door: door_of(gateway, stated.door()),
        ended: actor.ended.into_inner(),
    })
}
