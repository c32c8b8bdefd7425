//! What expires is removed, and nothing before.

use std::time::Duration;

use hallway_ctap::aaguid::Aaguid;
use hallway_door_device::store::{Announcement, DeviceTables, Maker};
use hallway_door_hall::store::{Grant, GrantHolder, GrantKind, HallTables, lock_holder};
use hallway_evidence::statement::hall::Rights;
use hallway_evidence::{CredentialId, GrantId, PersonId, Timestamp};
use hallway_hall::files::{Depth, Lock, LockToken, LockedStore, Scope};
use hallway_spine::Gateway;
use hallway_spine::http::problem::Problem;
use hallway_spine::store::{
    AnnouncementId, Credential, EvidenceHash, Holder, Link, MakerId, Person, PersonState, Purpose,
    Refusal, RefusalId, Role, Session, TokenHash,
};
use hallway_spine::sweep::{Left, MOST, RULES, sweep};

use crate::realm::Sample;

const NOW: u64 = 1_800_000_000_000;
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn announcement(maker: MakerId, number: u32) -> Announcement {
    let mut code = [0; 32];
    code[..4].copy_from_slice(&number.to_be_bytes());
    let now = Timestamp::from_ms(NOW);
    Announcement {
        id: AnnouncementId::generate(),
        code: code.into(),
        serial: format!("SN-{number}"),
        maker,
        aaguid: Aaguid([1; 16]),
        credential: CredentialId::new(number.to_be_bytes()).unwrap(),
        public_key: vec![1; 77],
        sign_count: 0,
        signed: vec![2; 100],
        created: now,
        expires: now.plus(Duration::from_secs(600)),
        device: None,
        network: None,
    }
}

/// A row of everything that expires, and `devices` announcements.
async fn fill(gateway: &Gateway, devices: u32) -> PersonId {
    let now = Timestamp::from_ms(NOW);
    let person = Person {
        id: PersonId::generate(),
        name: "Olga".to_owned(),
        role: Role::Owner,
        state: PersonState::Active,
        created: now,
    };
    let maker = Maker {
        id: MakerId::generate(),
        name: "Maker".to_owned(),
        certificate: vec![1],
        sha256: [7; 32],
        added: now,
        removed: None,
        evidence: None,
        key: [8; 32],
        subject: None,
    };
    let key = Credential {
        id: CredentialId::new([3; 16]).unwrap(),
        holder: Holder::Person(person.id),
        public_key: Vec::new(),
        sign_count: 0,
        aaguid: Aaguid::ZERO,
        label: String::new(),
        transports: Vec::new(),
        backup_eligible: false,
        backed_up: false,
        uv_initialized: false,
        user_handle: Vec::new(),
        created: now,
        last_used: None,
        registration: EvidenceHash([0; 32]),
    };
    let session = Session {
        token: TokenHash([1; 32]),
        person: person.id,
        credential: key.id.clone(),
        evidence: EvidenceHash([0; 32]),
        touched: now,
        created: now,
        last_seen: now,
        expires: now.plus(HOUR),
        address: String::new(),
        agent: String::new(),
    };
    let link = Link {
        token: TokenHash([2; 32]),
        purpose: Purpose::Invitation,
        name: "Mia".to_owned(),
        role: Some(Role::Member),
        person: None,
        created_by: Some(person.id),
        evidence: None,
        created: now,
        expires: now.plus(HOUR),
        used: None,
    };
    let (id, person, maker) = (person.id, &person, &maker);
    let (key, session, link) = (&key, &session, &link);
    let grant = Grant {
        id: GrantId::generate(),
        kind: GrantKind::Own,
        hall: "lab".parse().unwrap(),
        person: id,
        credential: key.id.clone(),
        rights: Rights::parse(["write:data"]).unwrap(),
        holder: GrantHolder::Key([4; 32]),
        opened: now,
        ends: now.plus(DAY),
        ended: None,
        evidence: EvidenceHash([0; 32]),
        address: String::new(),
        approval: None,
    };
    let locked = LockedStore {
        hall: grant.hall.clone(),
        store: "data".parse().unwrap(),
    };
    let lock = Lock {
        token: LockToken::from_bytes([5; 16]),
        root: "a".parse().unwrap(),
        depth: Depth::Itself,
        scope: Scope::Exclusive,
        owner: None,
        holder: lock_holder(grant.id),
        ends_ms: now.plus(HOUR).as_ms(),
    };
    let (grant, locked, lock) = (&grant, &locked, &lock);
    gateway
        .transact(|unit| {
            Box::pin(async move {
                unit.people().add(person).await?;
                unit.makers().add(maker).await?;
                unit.credentials().add(key).await?;
                unit.sessions().add(session).await?;
                unit.links().add(link).await?;
                unit.grants().add(grant).await?;
                unit.hall_locks().add(locked, lock).await?;
                for number in 0..devices {
                    let announcement = announcement(maker.id, number);
                    unit.announcements().add(&announcement).await?;
                }
                Ok::<_, Problem>(())
            })
        })
        .await
        .unwrap();
    let window = Duration::from_secs(600);
    gateway
        .store
        .alone()
        .announcements()
        .count_attempt(id, now, window)
        .await
        .unwrap();
    let refusal = Refusal {
        id: RefusalId::generate(),
        at: now,
        door: "web".to_owned(),
        code: "refused".to_owned(),
        detail: "no".to_owned(),
        device: None,
        person: None,
        address: String::new(),
        more: 0,
        last: now,
    };
    gateway.store.record_refusal(&refusal).await.unwrap();
    id
}

/// How many rows each table has.
async fn rows(gateway: &Gateway) -> Vec<i64> {
    use sea_orm::{ConnectionTrait, Statement};
    let database = gateway.store.reader();
    let mut counts = Vec::new();
    let of_doors = gateway.doors.each().flat_map(|door| door.expires());
    for rule in RULES.into_iter().chain(of_doors) {
        let sql = format!("SELECT COUNT(*) FROM {}", rule.table);
        let statement = Statement::from_string(database.get_database_backend(), sql);
        let row = database.query_one_raw(statement).await.unwrap().unwrap();
        counts.push(row.try_get_by_index(0).unwrap());
    }
    counts
}

#[tokio::test]
async fn each_table_is_emptied_once_its_rows_are_over_and_not_before() {
    let sample = Sample::start(NOW).await;
    let (gateway, clock) = (&sample.gateway, &sample.clock);
    fill(gateway, 3).await;
    // The set-up link is there, too.
    let full = [1, 2, 1, 3, 1, 1];
    let hour = 3_600_000;
    for (later, expected) in [
        (0, full),
        // Attempts are over ten minutes after they began; the others have just ended, and nobody needs a
        // lock after its end.
        (hour + 1, [1, 2, 1, 3, 0, 0]),
        (2 * hour + 1, [0, 2, 1, 0, 0, 0]),
        (50 * hour, [0, 0, 1, 0, 0, 0]),
        (91 * 24 * hour, [0; 6]),
    ] {
        clock.set(NOW + later);
        assert_eq!(sweep(gateway).await.unwrap(), Left::Nothing);
        assert_eq!(rows(gateway).await, expected, "after {later} ms");
    }
}

#[tokio::test]
async fn many_rows_go_in_several_turns() {
    let sample = Sample::start(NOW).await;
    let (gateway, clock) = (&sample.gateway, &sample.clock);
    let most = u32::try_from(MOST).unwrap();
    fill(gateway, most + 10).await;
    clock.set(NOW + 10 * 3_600_000);
    assert_eq!(sweep(gateway).await.unwrap(), Left::Something);
    assert_eq!(rows(gateway).await[3], 10);
    assert_eq!(sweep(gateway).await.unwrap(), Left::Nothing);
    assert_eq!(rows(gateway).await[3], 0);
}
