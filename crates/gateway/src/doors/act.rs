//! Acts of people who are signed in: two steps, one touch, one piece of evidence each.
//!
//! An act is asked for by the name of its statement. Each is a file that implements [`Perform`] for
//! the statement's terms, and a line in the list of its door; see [`acts`].

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::Json;
use axum::extract::State;
use hallway_evidence::verify::least_role;
use hallway_evidence::{CredentialId, Statement, Timestamp};
use hallway_webauthn::wire::Base64Url;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::assertion::{self, Proven};
use super::ceremony::{self, Answer, Ceremony};
use super::device::lifecycle::{self, DeviceView};
use super::hall::{self, open::Opened};
use super::web::grant::Peer;
use super::web::links::{self, NewLink};
use super::web::options;
use super::{makers, people, web, witness};
use crate::Gateway;
use crate::depends::{self, Ended};
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::session::{Caller, link_token};
use crate::operator_key::random_bytes;
use crate::refusal::{Door, Subject};
use crate::seal::Purpose;
use crate::store::{EvidenceHash, Holder, Person, Role, Unit};

mod perform;

pub use perform::{Asking, NameAlone, Perform, Prepared, Registered, act};

/// Every act, as each door lists its own.
pub fn acts() -> &'static BTreeMap<&'static str, Registered> {
    static ACTS: LazyLock<BTreeMap<&'static str, Registered>> = LazyLock::new(|| {
        [
            web::keys::acts(),
            links::acts(),
            people::acts(),
            lifecycle::acts(),
            makers::acts(),
            hall::acts(),
            hall::partners::acts(),
            hall::own_authorities::acts(),
            witness::anew::acts(),
        ]
        .into_iter()
        .flatten()
        .map(|act| (act.declared.name, act))
        .collect()
    });
    &ACTS
}

/// What a person asks to do: the name of the statement, and what the act needs to know.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    /// The name of the statement, such as `hall.open`.
    act: String,
    #[serde(flatten)]
    request: Map<String, Value>,
}

impl JsonSchema for Wanted {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Wanted".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let each = acts().values().map(|act| {
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
    /// Refuses whoever has a lesser role.
    ///
    /// # Errors
    /// 403.
    pub fn needs(&self, least: Role) -> Result<(), Problem> {
        if self.person.role >= least {
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
    let act = known(&wanted.act)?;
    let prepared = prepare(&gateway, &caller, act, wanted.request).await;
    let subject = Subject::from(&peer).person(caller.person.id);
    let door = Door::of_refused(act.declared.door());
    gateway.or_refuse(door, subject, prepared).await.map(Json)
}

fn known(name: &str) -> Result<&'static Registered, Problem> {
    acts().get(name).ok_or_else(|| {
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
        Ok(outcome) => {
            // Whoever is inside a hall by what is no longer so is put out at once, not at the
            // next look.
            gateway.partners.wake();
            gateway.halls.inside.look_again(&gateway).await;
            Ok(Json(outcome))
        }
        Err(problem) => {
            let stated = Statement::decode(&answer.statement.0).ok();
            let door = stated.map_or(Door::Web, |stated| Door::of_refused(stated.act.door()));
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
) -> Result<Outcome, Problem> {
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
    let act = acts()
        .get(stated.name())
        .ok_or_else(|| Problem::malformed("this statement has a ceremony of its own"))?;
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
    };
    actor.needs(least_role(stated))?;
    act.perform(&actor, stated).await
}
