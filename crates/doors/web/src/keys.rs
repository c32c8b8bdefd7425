//! A person's keys: this file lists and names them, the files beside register and remove them.

mod register;
mod remove;

use axum::Json;
use axum::extract::{Path, State};
use hallway_api::key::Key;
use hallway_evidence::{CredentialId, Line, PersonId};
use hallway_spine::door_name::DoorName;
use hallway_spine::http::input::{Input, line};
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use hallway_spine::models::look;
use hallway_spine::store::{Credential, Holder, KeyAttestation, Role, Unit};
use hallway_spine::{Gateway, act};
use hallway_webauthn::wire::Base64Url;
use schemars::JsonSchema;
use serde::Deserialize;

pub use self::register::{begin, finish};
use crate::Web;

/// The acts on one's own keys.
pub fn acts() -> Vec<act::Registered> {
    vec![act::act::<Web, hallway_evidence::statement::web::RemoveKey>()]
}

/// A key of somebody with this role, as the API shows it.
pub fn shown(
    gateway: &Gateway,
    role: Role,
    key: &Credential,
    attestation: Option<&KeyAttestation>,
) -> Key {
    let now = gateway.now();
    let refused = gateway
        .models
        .admit_person(DoorName::WEB, role, key, attestation, now)
        .err();
    Key {
        id: Base64Url::from(key.id.as_bytes()).to_string(),
        label: key.label.clone(),
        aaguid: key.aaguid.to_string(),
        backup_eligible: key.backup_eligible,
        backed_up: key.backed_up,
        created_ms: key.created.as_ms(),
        last_used_ms: key.last_used.map(|at| at.as_ms()),
        registration: key.registration.to_string(),
        model: look::of_key(gateway, key.aaguid, attestation),
        attested_by: attestation.and_then(|attestation| attestation.anchor.clone()),
        refused: refused.map(|refused| refused.to_string()),
    }
}

/// Lists the caller's keys.
pub async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
) -> Result<Json<Vec<Key>>, Problem> {
    let reader = gateway.store.read();
    let person = &caller.person;
    let held = reader
        .credentials()
        .held_by(Holder::Person(person.id))
        .await?;
    let mut keys = Vec::with_capacity(held.len());
    for key in &held {
        let attestation = reader.attestations().get(&key.id).await?;
        keys.push(shown(&gateway, person.role, key, attestation.as_ref()));
    }
    Ok(Json(keys))
}

/// A new name for a key.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Label {
    /// The person's name for the key.
    pub label: String,
}

/// Names one of the caller's keys.
pub async fn label(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(id): Path<String>,
    Input(request): Input<Label>,
) -> Result<Json<Key>, Problem> {
    let label = line("label", &request.label)?;
    let id = credential_id(&id)?;
    let person = caller.person.id;
    let key = gateway
        .transact(|unit| Box::pin(rename(unit, &id, person, &label)))
        .await?;
    let attestation = gateway.store.read().attestations().get(&id).await?;
    Ok(Json(shown(
        &gateway,
        caller.person.role,
        &key,
        attestation.as_ref(),
    )))
}

async fn rename(
    unit: &Unit<'_>,
    id: &CredentialId,
    person: PersonId,
    label: &Line,
) -> Result<Credential, Problem> {
    let key = own(unit, id, person).await?;
    unit.credentials().rename(id, label.as_str()).await?;
    Ok(Credential {
        label: label.as_str().to_owned(),
        ..key
    })
}

fn credential_id(text: &str) -> Result<CredentialId, Problem> {
    text.parse::<Base64Url>()
        .ok()
        .and_then(|bytes| CredentialId::new(bytes.0).ok())
        .ok_or_else(|| Problem::not_found("key"))
}

/// The key, if it is this person's; another person gets the same 404 as for a key that does not
/// exist.
async fn own(unit: &Unit<'_>, id: &CredentialId, person: PersonId) -> Result<Credential, Problem> {
    unit.credentials()
        .get(id)
        .await?
        .filter(|key| key.holder == Holder::Person(person))
        .ok_or_else(|| Problem::not_found("key"))
}
