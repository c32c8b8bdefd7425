//! The acts of people who are signed in. Each takes two steps and one touch, and leaves one piece
//! of evidence.
//!
//! A client asks for an act by the name of its statement. Each act is a file that implements
//! [`Perform`] for the statement's terms, and a line in the list of its door; see [`Door::acts`].

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
use crate::http::problem::{Code, Problem};
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

/// The routes by which people perform acts.
pub fn routes(doors: Doors) -> Vec<Route> {
    let member = Access::Person(Role::Member);
    vec![
        Route::post("/api/acts/statement", member, begin)
            .summary("Ask for the statement of an act")
            .takes_as(move |schemas| wanted(doors, schemas))
            .gives::<Ceremony>(),
        Route::post("/api/acts", member, finish)
            .summary("Perform the act of a signed statement")
            .takes::<Answer>()
            .gives_as(move |schemas| outcome(doors, schemas)),
    ]
}

/// The schema of [`Outcome`], with the further members that the acts of all doors return.
fn outcome(doors: Doors, generator: &mut SchemaGenerator) -> Schema {
    let mut schema = Outcome::json_schema(generator).to_value();
    for (name, described) in doors.acts().values().filter_map(|act| act.gives) {
        schema["properties"][name] = described(generator).to_value();
    }
    Schema::try_from(schema).unwrap_or_default()
}

/// A request for an act: the name of the statement, and the members that the act needs.
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
    /// The address, which can be used once.
    pub link: String,
    /// When the link expires, milliseconds since 1970.
    pub expires_ms: u64,
}

/// The outcome of an act.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Outcome {
    /// The hash of the evidence, hexadecimal.
    pub evidence: String,
    /// When the evidence was accepted, milliseconds since 1970. With this time and the signed
    /// statement, the hash can be computed.
    pub accepted_ms: u64,
    /// A one-time link to hand on.
    #[serde(flatten)]
    pub link: Option<NewLink>,
    /// Further members that depend on the act, such as the `device` that the act was about, or the
    /// `grant` that it opened.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A person who performs an act, and the unit of work in which they do.
pub struct Actor<'a> {
    /// The gateway at which the act is performed.
    pub gateway: &'a Gateway,
    /// The unit of work that logged the evidence.
    pub unit: &'a Unit<'a>,
    /// The person who signed.
    pub person: &'a Person,
    /// The key that signed.
    pub credential: &'a CredentialId,
    /// The session in which the person signed.
    pub caller: &'a Caller,
    /// The evidence of the act.
    pub evidence: EvidenceHash,
    /// The index of the evidence in the log, counted from 0.
    pub log_index: u64,
    /// The signed statement.
    pub statement: &'a Statement,
    /// When the evidence was accepted.
    pub now: Timestamp,
    /// The bytes of which the statement has only the hash, if the act has some.
    pub attachment: Option<&'a [u8]>,
    /// Whether the act ended anything on which other doors depend.
    ended: AtomicBool,
}

/// The outcome of an act, and the doors that it concerns.
struct Done {
    outcome: Outcome,
    /// The door of the statement.
    door: DoorName,
    /// Whether the act ended anything on which other doors depend.
    ended: bool,
}

impl Outcome {
    /// An outcome that has only the evidence.
    pub fn done(actor: &Actor<'_>) -> Self {
        Self {
            evidence: actor.evidence.to_string(),
            accepted_ms: actor.now.as_ms(),
            link: None,
            more: Map::new(),
        }
    }

    /// An outcome that has the evidence, and `more` under `name`.
    ///
    /// # Errors
    /// `more` cannot be written as JSON.
    pub fn with(actor: &Actor<'_>, name: &str, more: &impl Serialize) -> Result<Self, Problem> {
        let more = serde_json::to_value(more).map_err(|error| Problem::internal(&error))?;
        Ok(Self {
            more: Map::from_iter([(name.to_owned(), more)]),
            ..Self::done(actor)
        })
    }

    /// An outcome that has the evidence, and a one-time link to `page` of this gateway, which this
    /// act makes.
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
    /// Ends everything that depends on what this act ended.
    ///
    /// # Errors
    /// The database fails.
    pub async fn end(&self, ended: Ended) -> Result<(), Problem> {
        self.ended.store(true, Ordering::Relaxed);
        depends::end(self.gateway, self.unit, ended, Some(self.person.id)).await
    }

    /// The secret of the link that this act makes; its hash is in the statement.
    pub fn link_token(&self) -> String {
        link_token(self.gateway, &self.statement.nonce)
    }
}

/// The refusal for a person whose role is lower than `least`.
pub fn role_needed(least: Role) -> Problem {
    Problem::new(
        Code::Role,
        format!("this needs the role {least}; ask an owner of this realm"),
    )
}

/// Handles the first step of an act: returns the statement to sign.
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
    gateway
        .acts
        .get(name)
        .ok_or_else(|| Problem::malformed("there is no such act; /openapi.json lists all acts"))
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

/// Handles the second step of an act: checks the signature and performs the act.
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
    // The session may have ended since the request came in.
    let session = unit.sessions();
    let session = session.get(&caller.session.token, gateway.now()).await?;
    session.ok_or_else(Problem::unauthenticated)?;
    let checked = assertion::check(gateway, unit, proven).await?;
    if checked.person.id != caller.person.id {
        return Err(Problem::new(
            Code::OtherPerson,
            "this key belongs to another person than the one who is signed in",
        ));
    }
    let stated = &checked.statement.act;
    let act = gateway
        .acts
        .get(stated.name())
        .ok_or_else(|| Problem::malformed("this statement is not answered at this address"))?;
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
