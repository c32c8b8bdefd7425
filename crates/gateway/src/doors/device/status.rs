//! "Is my registration still valid?", answered to a device that signs the question.

use axum::Json;
use axum::extract::State;
use hallway_evidence::statement::Act;
use hallway_evidence::{Timestamp, TrustFile};
use hallway_webauthn::wire::Base64Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unattended::{TurnedAway, Unverified, near};
use crate::Gateway;
use crate::doors::evidence;
use crate::doors::web::grant::Peer;
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::ledger::DeviceKey;
use crate::refusal::{Door, Subject};
use crate::store::{Announcement, Device, DeviceState, Repositories};

/// A signed question.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Question {
    /// A signed statement of the act `device.status`, CBOR.
    #[schemars(with = "String")]
    pub signed_statement: Base64Url,
}

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Status {
    /// announced, claimed, registered, suspended, stolen, released or retired.
    #[schemars(with = "String")]
    pub state: DeviceState,
    /// The sequence number of the last transaction that was accepted; 0 before the first.
    pub last_sequence: u64,
    /// The device's id, once it is claimed.
    #[schemars(with = "Option<String>")]
    pub device_id: Option<String>,
    /// The serial number.
    pub serial: String,
    /// The owner's name.
    pub owner: Option<String>,
    /// The receipts that its transactions rest on, a CBOR bundle: the claim, the enrolment, the
    /// owner's key, and what allowed that.
    #[schemars(with = "Option<String>")]
    pub receipts: Option<Base64Url>,
    /// What checks receipts.
    #[schemars(with = "serde_json::Value")]
    pub trust: TrustFile,
    /// The gateway's time, milliseconds since 1970.
    pub now_ms: u64,
}

/// Answers a signed question.
pub async fn ask(
    State(gateway): State<Gateway>,
    peer: Peer,
    Input(question): Input<Question>,
) -> Result<Json<Status>, Problem> {
    match status(&gateway, &question).await {
        Ok(status) => Ok(Json(status)),
        Err(TurnedAway { problem, device }) => {
            let subject = Subject::from(&peer).device(device);
            gateway.refuse(Door::Device, &problem, subject).await;
            Err(problem)
        }
    }
}

async fn status(gateway: &Gateway, question: &Question) -> Result<Status, TurnedAway> {
    let asked = Unverified::decode(gateway, &question.signed_statement.0)?;
    if !matches!(asked.statement.act, Act::DeviceStatus(_)) {
        return Err(
            Problem::malformed("the statement does not ask for the registration's state").into(),
        );
    }
    let reader = gateway.store.read();
    let id = &asked.signed.credential_id;
    // The signature counter is judged among transactions, where the order is known: a question may
    // overtake what was signed offline before it.
    match gateway.keyring.get(reader, id).await? {
        Some(key) => {
            let _ = asked.verify(gateway, &key.record)?;
            let of_device = TurnedAway::of(key.device);
            near(gateway.now(), asked.statement.issued, gateway.clock_skew())
                .map_err(&of_device)?;
            registered(gateway, &key).await.map_err(of_device)
        }
        None => {
            let waiting = reader
                .announcements()
                .by_credential(id)
                .await?
                .ok_or_else(unknown)?;
            let _ = asked.verify(gateway, &waiting.record())?;
            near(gateway.now(), asked.statement.issued, gateway.clock_skew())?;
            Ok(announced(gateway, &waiting).await?)
        }
    }
}

fn unknown() -> Problem {
    Problem::forbidden(
        "unknown-credential",
        "this credential is not enrolled here; enrol the device",
    )
}

async fn announced(gateway: &Gateway, waiting: &Announcement) -> Result<Status, Problem> {
    if gateway.now() >= waiting.expires {
        return Err(unknown());
    }
    Ok(Status {
        state: DeviceState::Announced,
        last_sequence: 0,
        device_id: None,
        serial: waiting.serial.clone(),
        owner: None,
        receipts: None,
        trust: gateway.trust_file().await?,
        now_ms: gateway.now().as_ms(),
    })
}

/// How often it is noted that a device asked, in milliseconds.
const SEEN_EVERY_MS: u64 = 60_000;

/// A device that asks for the first time after its claim is registered from then on.
async fn registered(gateway: &Gateway, key: &DeviceKey) -> Result<Status, Problem> {
    let now = gateway.now();
    let mut device = enrolled(gateway.store.read(), key).await?;
    if is_worth_a_note(&device, now) {
        device = gateway
            .transact(|unit| Box::pin(note(unit, key, now)))
            .await?;
    }
    let owner = match device.owner {
        Some(owner) => gateway.store.read().people().get(owner).await?,
        None => None,
    };
    let receipts = evidence::grounds_of_device(gateway, &device).await?;
    Ok(Status {
        state: device.state,
        last_sequence: device.last_sequence,
        device_id: Some(device.id.to_string()),
        serial: device.serial,
        owner: owner.map(|owner| owner.name),
        receipts: receipts.map(|bundle| Base64Url(bundle.encode())),
        trust: gateway.trust_file().await?,
        now_ms: now.as_ms(),
    })
}

/// The device, if the key is its own: a credential that it has replaced since is no longer enrolled.
async fn enrolled(reader: &dyn Repositories, key: &DeviceKey) -> Result<Device, Problem> {
    let device = reader.devices().get(key.device).await?;
    let current = |device: &Device| {
        let id = device.credential.as_ref();
        id.is_some_and(|id| id.as_bytes() == key.record.id)
    };
    device.filter(current).ok_or_else(unknown)
}

/// Whether a question changes anything that is kept. One of a device that may send nothing never
/// does, however often it asks.
fn is_worth_a_note(device: &Device, now: Timestamp) -> bool {
    match device.state {
        DeviceState::Claimed => true,
        DeviceState::Registered => device
            .last_seen
            .is_none_or(|seen| now.as_ms().saturating_sub(seen.as_ms()) >= SEEN_EVERY_MS),
        DeviceState::Announced
        | DeviceState::Suspended
        | DeviceState::Stolen
        | DeviceState::Released
        | DeviceState::Retired => false,
    }
}

async fn note(unit: &dyn Repositories, key: &DeviceKey, now: Timestamp) -> Result<Device, Problem> {
    // Somebody may have suspended it meanwhile.
    let device = enrolled(unit, key).await?;
    if !is_worth_a_note(&device, now) {
        return Ok(device);
    }
    unit.devices().note_seen(device.id, now).await?;
    if device.state != DeviceState::Claimed {
        return Ok(device);
    }
    unit.devices()
        .set_state(device.id, DeviceState::Registered)
        .await?;
    Ok(Device {
        state: DeviceState::Registered,
        ..device
    })
}
