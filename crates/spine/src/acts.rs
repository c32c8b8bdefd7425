//! The two routes by which people perform the acts of all doors.

use std::sync::atomic::AtomicBool;

use axum::Json;
use axum::extract::State;
use hallway_api::act::{Answer, Ceremony, Outcome};
use hallway_evidence::Statement;
use hallway_evidence::verify::least_role;
use hallway_webauthn::wire::Base64Url;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tracing::{Span, instrument};

use crate::Gateway;
use crate::act::assertion::{self, Proven};
use crate::act::{Actor, Asking, Registered, ceremony, options};
use crate::door::{Door, Doors};
use crate::door_name::DoorName;
use crate::http::input::Input;
use crate::http::peer::Peer;
use crate::http::problem::{Code, Problem};
use crate::http::route::{Access, Route};
use crate::http::session::Caller;
use crate::operator_key::random_bytes;
use crate::refusal::Subject;
use crate::seal::Purpose;
use crate::store::{Holder, Role, Unit};

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

/// The outcome of an act, and the doors that it concerns.
struct Done {
    outcome: Outcome,
    /// The door of the statement.
    door: DoorName,
    /// Whether the act ended anything on which other doors depend.
    ended: bool,
}

/// Handles the first step of an act: returns the statement to sign.
#[instrument(name = "act", skip_all, fields(act))]
pub async fn begin(
    State(gateway): State<Gateway>,
    caller: Caller,
    peer: Peer,
    Input(wanted): Input<Wanted>,
) -> Result<Json<Ceremony>, Problem> {
    let subject = || Subject::from(&peer).person(caller.person.id);
    let act = known(&gateway, &wanted.act);
    let act = gateway.or_refuse(DoorName::WEB, subject(), act).await?;
    Span::current().record("act", act.declared.name);
    let prepared = prepare(&gateway, &caller, act, wanted.request).await;
    let door = gateway.doors.name_of(act.declared.door());
    gateway.or_refuse(door, subject(), prepared).await.map(Json)
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
    let ceremony = ceremony::seal(
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
#[instrument(name = "act", skip_all, fields(act))]
pub async fn finish(
    State(gateway): State<Gateway>,
    caller: Caller,
    peer: Peer,
    Input(answer): Input<Answer>,
) -> Result<Json<Outcome>, Problem> {
    let done = async {
        let holder = caller.session.token.as_bytes();
        let proven = assertion::prove(&gateway, Purpose::Act, holder, &answer).await?;
        Span::current().record("act", proven.act());
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
            let door = stated.map_or(DoorName::WEB, |stated| {
                gateway.doors.name_of(stated.act.door())
            });
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
        return Err(Problem::role_needed(least));
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
        door: gateway.doors.name_of(stated.door()),
        ended: actor.ended.into_inner(),
    })
}
