//! Records to test with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hallway_ctap::aaguid::Aaguid;
use hallway_door_device::ingest::Submission;
use hallway_door_device::store::{Device, DeviceState, DeviceTables, Maker, PayloadLocation};
use hallway_evidence::log::SigningKey;
use hallway_evidence::statement::device::{Delivery, Payload, Transaction};
use hallway_evidence::statement::people::ChangeRole;
use hallway_evidence::statement::{Act, Statement, web};
use hallway_evidence::{
    CredentialId, DeviceId, Evidence, Line, PersonId, Response, SignedStatement, Timestamp,
};
use hallway_spine::ledger::{Entry, Ledger};
use hallway_spine::store::{
    Credential, DeviceMark, EvidenceHash, Holder, MakerId, Person, PersonState, Role, Store,
    TokenHash,
};

/// A number that no other call gives.
fn unique() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// 32 bytes that no other call gives.
pub(crate) fn hash32() -> [u8; 32] {
    let mut bytes = [0xa5; 32];
    bytes[..4].copy_from_slice(&unique().to_be_bytes());
    bytes
}

pub(crate) fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(ms)
}

/// What no other device is known by.
pub(crate) fn mark() -> DeviceMark {
    DeviceMark(hash32())
}

pub(crate) fn token() -> TokenHash {
    hash32().into()
}

pub(crate) fn person(role: Role) -> Person {
    Person {
        id: PersonId::generate(),
        name: format!("Person {}", unique()),
        role,
        state: PersonState::Active,
        created: at(1_000),
    }
}

pub(crate) fn credential(holder: Holder) -> Credential {
    Credential {
        id: CredentialId::new(hash32()).unwrap(),
        holder,
        public_key: vec![1; 77],
        sign_count: 0,
        aaguid: Aaguid([7; 16]),
        label: "a key".to_owned(),
        transports: vec!["usb".to_owned(), "nfc".to_owned()],
        backup_eligible: true,
        backed_up: false,
        uv_initialized: true,
        user_handle: vec![9; 16],
        created: at(u64::from(unique())),
        last_used: None,
        registration: EvidenceHash(hash32()),
    }
}

pub(crate) fn maker() -> Maker {
    Maker {
        id: MakerId::generate(),
        name: "Cameras Ltd".to_owned(),
        certificate: vec![0x30; 400],
        sha256: hash32(),
        added: at(1_000),
        removed: None,
        evidence: None,
        key: hash32(),
        subject: Some(hash32()),
    }
}

pub(crate) fn device(maker: MakerId, owner: PersonId) -> Device {
    Device {
        id: DeviceId::generate(),
        serial: format!("SN-{}", unique()),
        maker,
        aaguid: Aaguid([8; 16]),
        name: "the camera".to_owned(),
        owner: Some(owner),
        state: DeviceState::Registered,
        suspended_by: None,
        credential: Some(CredentialId::new(hash32()).unwrap()),
        era: 1,
        last_sequence: 0,
        last_taken: at(0),
        last_seen: None,
        set_aside: 0,
        set_aside_since: None,
        created: at(1_000),
        enrolment: Some(EvidenceHash(hash32())),
        claim: Some(EvidenceHash(hash32())),
    }
}

/// Keeps an owner and `count` registered devices of that owner, with their credentials.
pub(crate) async fn registered_devices(store: &Store, count: usize) -> Vec<Device> {
    let (owner, maker) = (person(Role::Owner), maker());
    let devices: Vec<Device> = (0..count).map(|_| device(maker.id, owner.id)).collect();
    let (owner, maker, all) = (&owner, &maker, &devices);
    let kept: Result<(), hallway_spine::store::StoreError> = store
        .transact(|unit| {
            Box::pin(async move {
                unit.people().add(owner).await?;
                unit.makers().add(maker).await?;
                for device in all {
                    unit.devices().add(device, &[mark()]).await?;
                    let mut credential = credential(Holder::Device(device.id));
                    credential.id = device.credential.clone().unwrap();
                    unit.credentials().add(&credential).await?;
                }
                Ok(())
            })
        })
        .await;
    kept.unwrap();
    devices
}

/// The log's writer of one gateway. All gateways have the same key.
pub(crate) fn ledger() -> Arc<Ledger> {
    Arc::new(Ledger::new(
        SigningKey::from_seed("gate.example/log", &[3; 32]).unwrap(),
    ))
}

fn statement(act: Act) -> Vec<u8> {
    let mut nonce = [0; 16];
    nonce.copy_from_slice(&hash32()[..16]);
    Statement {
        realm: Line::new("gate.example").unwrap(),
        issued: at(1_000),
        nonce,
        act,
    }
    .encode()
}

fn signed(statement: Vec<u8>, credential_id: CredentialId) -> SignedStatement {
    SignedStatement {
        statement,
        credential_id,
        response: Response::Assertion {
            client_data_json: b"{}".to_vec(),
            authenticator_data: vec![1; 37],
            signature: hash32().to_vec(),
        },
    }
}

/// Evidence of a sign-in. The store does not verify it: that is the door's work.
pub(crate) fn evidence() -> Evidence {
    let credential = CredentialId::new(*b"somebody's key").unwrap();
    Evidence {
        signed: signed(statement(web::SignIn {}.into()), credential),
        accepted: at(2_000),
    }
}

/// Evidence that this person's role changed, signed by somebody's key.
pub(crate) fn promotion(person: PersonId, role: Role) -> Evidence {
    let act = ChangeRole {
        person,
        name: Line::new("Emily").unwrap(),
        role,
    };
    let credential = CredentialId::new(*b"somebody's key").unwrap();
    Evidence {
        signed: signed(statement(act.into()), credential),
        accepted: at(2_000),
    }
}

/// What the log takes in for this evidence.
pub(crate) fn entry(evidence: Evidence) -> Entry {
    Entry::new(evidence.signed.into(), evidence.accepted).unwrap()
}

pub(crate) fn entries(count: usize) -> Vec<Entry> {
    (0..count).map(|_| entry(evidence())).collect()
}

/// A transaction of `device`, taken at `taken` ms.
pub(crate) fn submission(device: &Device, sequence: u64, taken: u64) -> Submission {
    let line = |text: &str| Line::new(text).unwrap();
    let bytes = format!("photo {}", unique()).into_bytes();
    let described = Payload::of(&bytes, line("image/jpeg"), line("1.jpg"));
    let act = Transaction {
        sequence,
        taken: at(taken),
        delivery: Delivery::Live,
        payload: described.clone(),
        challenge: None,
    };
    let credential = device.credential.clone().unwrap();
    Submission {
        device: device.id,
        signed: signed(statement(act.into()), credential).into(),
        sequence,
        taken: at(taken),
        described,
        payload: PayloadLocation::Inline(bytes),
        sign_count: 0,
    }
}

/// Numbers that are as good as random, and the same for the same seed (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 to `end` - 1.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
