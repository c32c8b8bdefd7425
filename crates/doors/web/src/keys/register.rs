//! Registering a key, by the one-time link that allows it.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hallway_api::act::{Answer, Ceremony};
use hallway_api::key::{NewKey, Registered, Registration};
use hallway_evidence::statement::Act;
use hallway_evidence::statement::web::{Reason, RegisterKey};
use hallway_evidence::{CredentialId, Line, PersonId, Response as Signature, SignedStatement};
use hallway_spine::Gateway;
use hallway_spine::act::{ceremony, options};
use hallway_spine::depends::{self, Ended};
use hallway_spine::door_name::DoorName;
use hallway_spine::http::input::{Input, line};
use hallway_spine::http::peer::Peer;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::http::session::Caller;
use hallway_spine::ledger::HashedStatement;
use hallway_spine::models::verdict;
use hallway_spine::seal::Purpose;
use hallway_spine::store::{
    Credential, Ground, Holder, KeyAttestation, Link, MAX_KEYS, Person, PersonState,
    Purpose as LinkPurpose, Role, StoreError, Unit,
};
use hallway_webauthn::wire::RegistrationResponseJson;
use hallway_webauthn::{
    Record, Registration as Verified, RegistrationError, RegistrationPolicy, RegistrationResponse,
    UnixSeconds, verify_registration_observed,
};
use serde::Deserialize;

use super::shown;
use crate::grant::{self, Granted, Grounds};
use crate::join::{self, spent};

/// The outcome of a registration.
struct Done {
    key: Credential,
    attestation: Option<KeyAttestation>,
    person: Person,
    granted: Option<Granted>,
}

/// The link with this secret, if it allows a registration. This does not use it up.
async fn find(gateway: &Gateway, token: &str) -> Result<Link, Problem> {
    let link = join::open(gateway, token).await?;
    match link.purpose {
        LinkPurpose::SignIn => Err(spent()),
        _ => Ok(link),
    }
}

/// Gives a statement and options for a new key.
pub async fn begin(
    State(gateway): State<Gateway>,
    peer: Peer,
    Input(request): Input<NewKey>,
) -> Result<Json<Ceremony>, Problem> {
    let offered = offer(&gateway, &request).await;
    gateway
        .or_refuse(DoorName::WEB, &peer, offered)
        .await
        .map(Json)
}

async fn offer(gateway: &Gateway, request: &NewKey) -> Result<Ceremony, Problem> {
    let link = find(gateway, &request.token).await?;
    let act = register_key(gateway, &link, request).await?;
    let held = gateway
        .store
        .read()
        .credentials()
        .held_by(Holder::Person(act.person))
        .await?;
    // Checked before the touch: there may be no room for a further key, and without fresh metadata
    // no key can be accepted.
    if act.reason == Reason::Additional && held.len() >= MAX_KEYS {
        return Err(StoreError::TooManyKeys(act.person).into());
    }
    let _ = gateway.models.for_person(act.role, gateway.now())?;
    let statement = ceremony::statement(gateway, act.clone())?;
    let options = options::creation(gateway, &statement, &act, &held);
    ceremony::seal(
        gateway,
        Purpose::RegisterKey,
        link.token.as_bytes(),
        &statement,
        options,
    )
}

async fn register_key(
    gateway: &Gateway,
    link: &Link,
    request: &NewKey,
) -> Result<RegisterKey, Problem> {
    let label = line("label", &request.label)?;
    let (person, name, role, reason) = match (link.purpose, link.person) {
        (LinkPurpose::Recovery, Some(id)) => present(gateway, id, Reason::Recovery).await?,
        (LinkPurpose::Additional, Some(id)) => present(gateway, id, Reason::Additional).await?,
        (LinkPurpose::Invitation, _) => {
            let role = link.role.unwrap_or(Role::Member);
            let name = line("name", &link.name)?;
            (PersonId::generate(), name, role, Reason::Invitation)
        }
        (LinkPurpose::Setup, _) => {
            let name = line("name", request.name.as_deref().unwrap_or_default())?;
            (PersonId::generate(), name, Role::Owner, Reason::Setup)
        }
        _ => return Err(spent()),
    };
    Ok(RegisterKey {
        person,
        name,
        role,
        label,
        reason,
        link: link.token.0,
        authorised_by: link.evidence.map(|hash| hash.0),
    })
}

/// The person who registers a further key.
async fn present(
    gateway: &Gateway,
    id: PersonId,
    reason: Reason,
) -> Result<(PersonId, Line, Role, Reason), Problem> {
    let person = gateway.store.read().people().get(id).await?;
    let person = person.ok_or_else(spent)?;
    Ok((id, line("name", &person.name)?, person.role, reason))
}

/// Registers the key. The holder is signed in with it, unless they are signed in already.
pub async fn finish(
    State(gateway): State<Gateway>,
    caller: Option<Caller>,
    peer: Peer,
    Input(request): Input<Registration>,
) -> Result<Response, Problem> {
    let registered = async {
        let link = find(&gateway, &request.token).await?;
        let proven = prove(&gateway, &link, &request.answer)?;
        let comer = Comer {
            caller,
            peer: &peer,
        };
        gateway
            .transact(|unit| Box::pin(register(&gateway, unit, &link, &proven, &comer)))
            .await
    };
    let registered = registered.await;
    let registered = gateway.or_refuse(DoorName::WEB, &peer, registered).await?;
    let Done {
        key,
        attestation,
        person,
        granted,
    } = registered;
    let body = Json(Registered {
        key: shown(&gateway, person.role, &key, attestation.as_ref()),
        person: grant::shown(&person),
    });
    match granted {
        Some(granted) => Ok(([granted.cookie(&gateway)?], body).into_response()),
        None => Ok(body.into_response()),
    }
}

/// The sender of a new key.
struct Comer<'a> {
    caller: Option<Caller>,
    peer: &'a Peer,
}

/// A verified key that is not registered yet.
struct Proven {
    terms: RegisterKey,
    registration: Verified,
    id: CredentialId,
    signed: HashedStatement,
}

/// Checks the answer. This happens before a unit of work begins, so that a slow check keeps no
/// other unit waiting.
fn prove(gateway: &Gateway, link: &Link, answer: &Answer) -> Result<Proven, Problem> {
    let statement =
        ceremony::open_answer(gateway, Purpose::RegisterKey, link.token.as_bytes(), answer)?;
    let Act::WebRegisterKey(terms) = statement.act.clone() else {
        return Err(Problem::malformed("the statement does not register a key"));
    };
    let json = RegistrationResponseJson::deserialize(&answer.credential)
        .map_err(|error| malformed(&error))?;
    let response = json.as_response().map_err(|error| malformed(&error))?;
    let policy = RegistrationPolicy {
        algorithms: options::ALGORITHMS.to_vec(),
        ..gateway.models.for_person(terms.role, gateway.now())?
    };
    let registration = verify(gateway, &statement.hash(), &policy, &response)?;
    let id = CredentialId::new(registration.credential.id.clone());
    let id = id.map_err(|error| malformed(&error))?;
    let signed = SignedStatement {
        statement: answer.statement.0.clone(),
        credential_id: id.clone(),
        response: Signature::Registration {
            client_data_json: response.client_data_json.to_vec(),
            attestation_object: response.attestation_object.to_vec(),
        },
    };
    Ok(Proven {
        terms,
        registration,
        id,
        signed: signed.into(),
    })
}

async fn register(
    gateway: &Gateway,
    unit: &Unit<'_>,
    link: &Link,
    proven: &Proven,
    comer: &Comer<'_>,
) -> Result<Done, Problem> {
    let Proven {
        terms,
        registration,
        id,
        signed,
    } = proven;
    let now = gateway.now();
    let attestation = verdict::to_keep(&registration.attestation);
    let record = registration.credential.clone();
    let person = person(gateway, unit, link, terms).await?;
    never_registered(unit, id).await?;
    let accepted = gateway
        .accept(unit, signed.clone(), Some(person.id), None)
        .await?;
    let key = Credential {
        id: id.clone(),
        holder: Holder::Person(person.id),
        public_key: record.public_key,
        sign_count: record.sign_count,
        aaguid: registration.aaguid,
        label: terms.label.as_str().to_owned(),
        transports: record.transports,
        backup_eligible: record.backup_eligible,
        backed_up: record.backed_up,
        uv_initialized: record.uv_initialized,
        user_handle: person.id.as_bytes().to_vec(),
        created: now,
        last_used: None,
        registration: accepted.hash,
    };
    // A person who recovers has lost the old keys, which must open nothing any more. They are
    // removed first, so that there is room for the new one.
    let ended = |ended| depends::end(gateway, unit, ended, Some(person.id));
    if terms.reason == Reason::Recovery {
        let held = Holder::Person(person.id);
        for lost in unit.credentials().held_by(held).await? {
            ended(Ended::Key(person.id, lost.id.clone())).await?;
            unit.credentials().remove_even_the_last(&lost.id).await?;
        }
    }
    unit.credentials()
        .add(&key)
        .await
        .map_err(|error| match error {
            StoreError::Exists { .. } => registered_already(),
            error => error.into(),
        })?;
    if let Some(attestation) = &attestation {
        unit.attestations().add(id, attestation).await?;
    }
    match terms.reason {
        Reason::Recovery => ended(Ended::LostKeys(person.id)).await?,
        Reason::Setup => ended(Ended::SetUp).await?,
        Reason::Invitation | Reason::Additional => {}
    }
    let stays = terms.reason == Reason::Additional
        && comer
            .caller
            .as_ref()
            .is_some_and(|caller| caller.person.id == person.id);
    let granted = if stays {
        None
    } else {
        let grounds = Grounds {
            credential: id.clone(),
            evidence: accepted.hash,
            touched: accepted.at,
        };
        Some(grant::open(gateway, unit, person.clone(), grounds, comer.peer).await?)
    };
    Ok(Done {
        key,
        attestation,
        person,
        granted,
    })
}

/// Verifies a registration. A refusal names the failed step, and the outcome of the others.
fn verify(
    gateway: &Gateway,
    challenge: &[u8],
    policy: &RegistrationPolicy,
    response: &RegistrationResponse<'_>,
) -> Result<Verified, Problem> {
    let now = gateway.now();
    let mut steps = Record::default();
    verify_registration_observed(
        &gateway.rp,
        challenge,
        policy,
        UnixSeconds::from_ms(now.as_ms()),
        response,
        &mut steps,
    )
    .map_err(|error| {
        let problem = match error {
            RegistrationError::Model(error) => gateway.models.explained(error, now).into(),
            error => Problem::new(Code::BadRegistration, error.to_string()),
        };
        match serde_json::to_value(&steps) {
            Ok(steps) => problem.with("steps", steps),
            Err(error) => Problem::internal(&error),
        }
    })
}

/// Refuses a credential that was ever registered here, also one that was removed since: in the log,
/// a credential has one holder for good.
async fn never_registered(unit: &Unit<'_>, id: &CredentialId) -> Result<(), Problem> {
    if unit.credentials().get(id).await?.is_some() {
        return Err(registered_already());
    }
    let registration = Ground::Registration(id.clone());
    match unit.grounds().last_before(&registration, LOG_END).await? {
        None => Ok(()),
        Some(_) => Err(Problem::new(
            Code::KnownKey,
            "this key was registered here before; use another, or reset it",
        )),
    }
}

/// A log index that is larger than all others: an index has 63 bits.
const LOG_END: u64 = i64::MAX.unsigned_abs();

fn registered_already() -> Problem {
    Problem::new(Code::KnownKey, "this key is registered already")
}

fn malformed(error: &dyn std::error::Error) -> Problem {
    Problem::malformed(format!(
        "the answer is not a WebAuthn registration: {error}"
    ))
}

/// The person who gets the key. This uses up the link.
async fn person(
    gateway: &Gateway,
    unit: &Unit<'_>,
    link: &Link,
    terms: &RegisterKey,
) -> Result<Person, Problem> {
    let now = gateway.now();
    let used = unit.links().consume(&link.token, now).await?;
    used.ok_or_else(spent)?;
    match terms.reason {
        Reason::Recovery | Reason::Additional => unit
            .people()
            .get(terms.person)
            .await?
            .filter(|person| person.state == PersonState::Active)
            .ok_or_else(spent),
        Reason::Setup if unit.people().count_active(Role::Owner).await? > 0 => Err(Problem::new(
            Code::SetUp,
            "this gateway has an owner already",
        )),
        Reason::Setup | Reason::Invitation => {
            let person = Person {
                id: terms.person,
                name: terms.name.as_str().to_owned(),
                role: terms.role,
                state: PersonState::Active,
                created: now,
            };
            unit.people().add(&person).await?;
            Ok(person)
        }
    }
}
