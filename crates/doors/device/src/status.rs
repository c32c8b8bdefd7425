//! "Is my registration still valid?", answered to a device that signs the question.

use axum::Json;
use axum::extract::State;
use hallway_api::device::{self, Question, Status};
use hallway_evidence::Timestamp;
use hallway_evidence::statement::Act;
use hallway_spine::Gateway;
use hallway_spine::http::input::Input;
use hallway_spine::http::peer::Peer;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::refusal::Subject;
use hallway_spine::store::Unit;
use hallway_webauthn::wire::Base64Url;

use super::unattended::{TurnedAway, Unverified, near};
use crate::DevicesOf;
use crate::ingest::keyring::DeviceKey;
use crate::store::{Announcement, Device, DeviceState, DeviceTables};

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
            gateway.refuse(super::NAME, &problem, subject).await;
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
    // Transactions check the signature counter, because their order is known: a question may
    // overtake transactions that were signed offline before it.
    match gateway.devices().keyring.get(reader, id).await? {
        Some(key) => {
            let _ = asked.verify(gateway, &key.record)?;
            let of_device = TurnedAway::of(key.device);
            near(
                gateway.now(),
                asked.statement.issued,
                gateway.devices().settings.clock_skew(),
            )
            .map_err(&of_device)?;
            let said = question.set_aside.map(|count| count.min(MOST_SET_ASIDE));
            registered(gateway, &key, said).await.map_err(of_device)
        }
        None => {
            let waiting = reader
                .announcements()
                .by_credential(id)
                .await?
                .ok_or_else(unknown)?;
            let _ = asked.verify(gateway, &waiting.record())?;
            near(
                gateway.now(),
                asked.statement.issued,
                gateway.devices().settings.clock_skew(),
            )?;
            Ok(announced(gateway, &waiting).await?)
        }
    }
}

fn unknown() -> Problem {
    Problem::new(
        Code::UnknownCredential,
        "this credential is not enrolled here; enrol the device",
    )
}

async fn announced(gateway: &Gateway, waiting: &Announcement) -> Result<Status, Problem> {
    if gateway.now() >= waiting.expires {
        return Err(unknown());
    }
    Ok(Status {
        state: device::State::Announced,
        last_sequence: 0,
        device_id: None,
        serial: waiting.serial.clone(),
        owner: None,
        receipts: None,
        set_aside: None,
        trust: gateway.trust_file().await?,
        now_ms: gateway.now().as_ms(),
    })
}

/// How many milliseconds pass between two notes that a device asked, or that its number of files
/// set aside changed.
const NOTED_EVERY_MS: u64 = 60_000;

/// The most files set aside that are counted.
const MOST_SET_ASIDE: u32 = 10_000;

/// Answers a registered device. A device that asks for the first time after its claim becomes
/// registered. `said` is how many files it has set aside.
async fn registered(
    gateway: &Gateway,
    key: &DeviceKey,
    said: Option<u32>,
) -> Result<Status, Problem> {
    let now = gateway.now();
    let mut device = enrolled(gateway.store.read(), key).await?;
    if Note::of(&device, said, now).is_some() {
        device = gateway
            .transact(|unit| Box::pin(note(unit, key, said, now)))
            .await?;
    }
    let owner = match device.owner {
        Some(owner) => gateway.store.read().people().get(owner).await?,
        None => None,
    };
    let receipts = super::signed::grounds_of_device(gateway, &device).await?;
    Ok(Status {
        state: device.state.into(),
        last_sequence: device.last_sequence,
        device_id: Some(device.id.to_string()),
        serial: device.serial,
        owner: owner.map(|owner| owner.name),
        receipts: receipts.map(|bundle| Base64Url(bundle.encode())),
        set_aside: Some(device.set_aside),
        trust: gateway.trust_file().await?,
        now_ms: now.as_ms(),
    })
}

/// The device that signs with the key. A credential that the device has replaced is no longer
/// enrolled.
async fn enrolled(reader: &Unit<'_>, key: &DeviceKey) -> Result<Device, Problem> {
    let device = reader.devices().get(key.device).await?;
    let current = |device: &Device| {
        let id = device.credential.as_ref();
        id.is_some_and(|id| id.as_bytes() == key.record.id)
    };
    device.filter(current).ok_or_else(unknown)
}

/// What the gateway notes about a device that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Note {
    /// The time of the question.
    Seen,
    /// The time of the question, and the number of files set aside.
    SetAside(u32),
}

impl Note {
    /// What to note of a question in which the device says how many files it has set aside. The
    /// question of a device that may not send changes nothing.
    fn of(device: &Device, said: Option<u32>, now: Timestamp) -> Option<Self> {
        let is_new = match device.state {
            DeviceState::Claimed => true,
            DeviceState::Registered => false,
            DeviceState::Announced
            | DeviceState::Suspended
            | DeviceState::Stolen
            | DeviceState::Released
            | DeviceState::Retired => return None,
        };
        let is_due = |noted: Option<Timestamp>| {
            noted.is_none_or(|at| now.as_ms().saturating_sub(at.as_ms()) >= NOTED_EVERY_MS)
        };
        let changed = said.filter(|count| *count != device.set_aside);
        match changed.filter(|_| is_due(device.set_aside_since)) {
            Some(count) => Some(Self::SetAside(count)),
            None => (is_new || is_due(device.last_seen)).then_some(Self::Seen),
        }
    }
}

async fn note(
    unit: &Unit<'_>,
    key: &DeviceKey,
    said: Option<u32>,
    now: Timestamp,
) -> Result<Device, Problem> {
    // The device may have been suspended meanwhile.
    let mut device = enrolled(unit, key).await?;
    match Note::of(&device, said, now) {
        None => return Ok(device),
        Some(Note::Seen) => unit.devices().note_seen(device.id, now).await?,
        Some(Note::SetAside(count)) => {
            unit.devices().note_set_aside(device.id, count, now).await?;
            device.set_aside = count;
        }
    }
    if device.state == DeviceState::Claimed {
        device.state = DeviceState::Registered;
        unit.devices().set_state(device.id, device.state).await?;
    }
    Ok(device)
}

#[cfg(test)]
mod tests {
    use hallway_ctap::aaguid::Aaguid;
    use hallway_evidence::DeviceId;
    use hallway_spine::store::MakerId;

    use super::*;

    fn device() -> Device {
        Device {
            id: DeviceId::generate(),
            serial: "SN-1".to_owned(),
            maker: MakerId::generate(),
            aaguid: Aaguid([8; 16]),
            name: "the camera".to_owned(),
            owner: None,
            state: DeviceState::Registered,
            suspended_by: None,
            credential: None,
            era: 1,
            last_sequence: 0,
            last_taken: Timestamp::default(),
            last_seen: Some(Timestamp::from_ms(100_000)),
            set_aside: 2,
            set_aside_since: Some(Timestamp::from_ms(90_000)),
            created: Timestamp::default(),
            enrolment: None,
            claim: None,
        }
    }

    #[test]
    fn a_question_is_noted_once_a_minute_and_so_is_another_number() {
        let noted = |device: &Device, said, at| Note::of(device, said, Timestamp::from_ms(at));
        let device = device();
        assert_eq!(noted(&device, Some(3), 149_999), None);
        assert_eq!(noted(&device, Some(3), 150_000), Some(Note::SetAside(3)));
        assert_eq!(noted(&device, Some(2), 150_000), None);
        assert_eq!(noted(&device, None, 159_999), None);
        assert_eq!(noted(&device, None, 160_000), Some(Note::Seen));
        assert_eq!(noted(&device, Some(2), 160_000), Some(Note::Seen));
        // The first number of all is noted at once.
        let first = Device {
            set_aside: 0,
            set_aside_since: None,
            ..device.clone()
        };
        assert_eq!(noted(&first, Some(0), 100_001), None);
        assert_eq!(noted(&first, Some(1), 100_001), Some(Note::SetAside(1)));
        // What may send nothing has nothing noted; what was just claimed is registered by asking.
        for (state, expected) in [
            (DeviceState::Suspended, None),
            (DeviceState::Stolen, None),
            (DeviceState::Claimed, Some(Note::SetAside(9))),
        ] {
            let device = Device {
                state,
                ..device.clone()
            };
            assert_eq!(noted(&device, Some(9), 900_000), expected, "{state}");
        }
    }
}
