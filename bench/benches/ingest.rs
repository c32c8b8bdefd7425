//! Unsolicited device transactions, from the bytes on the wire to a receipt that is on disk,
//! against the bare P-256 verifications that the same cores do.
//!
//! `cargo bench -p hallway-bench --bench ingest`. Each database is measured between two runs of
//! bare verifications, so that other work of the machine slows both. The PostgreSQL server runs on
//! the same cores.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

#[path = "../../crates/gateway/tests/contract/cluster.rs"]
mod cluster;
#[path = "ingest/fleet.rs"]
mod fleet;
#[path = "ingest/memory.rs"]
mod memory;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use fleet::{Camera, ORIGIN, RP_ID, Sent, enrol};
use hallway_door_device::ingest::keyring::Keyring;
use hallway_door_device::ingest::{Ingest, Outcome, Submission};
use hallway_door_device::store::PayloadLocation;
use hallway_evidence::log::SigningKey;
use hallway_evidence::statement::Act;
use hallway_evidence::{Response, SignedStatement, Timestamp};
use hallway_spine::ledger::{HashedStatement, Ledger};
use hallway_spine::store::Store;
use hallway_webauthn::{AssertionPolicy, AssertionResponse, RelyingParty, verify_assertion};

/// Cameras that send at the same time, each in order.
const CAMERAS: usize = 8_000;
/// The number of transactions that each camera sends.
const TRANSACTIONS_PER_CAMERA: u64 = 8;
/// The size of each transaction's payload.
const PAYLOAD_BYTES: usize = 256;
/// The ratio to bare verifications that is the aim.
const AIMED_RATIO: f64 = 0.5;

fn main() {
    let cores = std::thread::available_parallelism().unwrap().get();
    let fleet: Vec<Camera> = (0..CAMERAS)
        .map(|_| Camera::new(TRANSACTIONS_PER_CAMERA, PAYLOAD_BYTES))
        .collect();
    let fleet: &'static [Camera] = fleet.leak();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hallway.db");
    println!(
        "{cores} cores, {CAMERAS} cameras, {TRANSACTIONS_PER_CAMERA} transactions of {PAYLOAD_BYTES} bytes each\n"
    );
    println!("database     bare verifications/s  accepted/s  ratio (aim {AIMED_RATIO})");
    for (name, address) in [
        ("SQLite", file.to_str().unwrap().to_owned()),
        ("PostgreSQL", cluster::Cluster::shared().new_database()),
    ] {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(cores)
            .enable_all()
            .build()
            .unwrap();
        let before = bare(fleet, cores);
        let accepted = runtime.block_on(accept(&address, fleet));
        let bare = (before + bare(fleet, cores)) / 2.0;
        let ratio = accepted / bare;
        println!("{name:<12} {bare:>20.0} {accepted:>11.0}  {ratio:.2}");
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (device, connection) = runtime.block_on(async {
        let store = Store::connect(file.to_str().unwrap(), hallway_gateway::doors::ALL.schema())
            .await
            .unwrap();
        let device = memory::per_device(&store, fleet.iter().map(Camera::credential)).await;
        (device, memory::per_connection().await)
    });
    println!(
        "\nmemory for 100,000 devices that send: {} MB",
        device * 100_000 / 1_000_000
    );
    println!(
        "memory for an idle connection, both ends: {} kB",
        connection / 1000
    );
}

/// Bare verifications per second on all cores.
fn bare(fleet: &'static [Camera], cores: usize) -> f64 {
    let deadline = Instant::now() + Duration::from_secs(2);
    let threads: Vec<_> = (0..cores)
        .map(|core| {
            let (key, message, signature) = fleet[core].bare();
            std::thread::spawn(move || {
                let mut count = 0u32;
                while Instant::now() < deadline {
                    key.verify(&message, &signature).unwrap();
                    count += 1;
                }
                count
            })
        })
        .collect();
    threads
        .into_iter()
        .map(|t| f64::from(t.join().unwrap()))
        .sum::<f64>()
        / 2.0
}

/// The gateway's path from bytes to receipts.
struct Door {
    store: Store,
    keys: Keyring,
    ingest: Ingest,
    rp: RelyingParty,
    policy: AssertionPolicy,
}

/// Transactions accepted per second.
async fn accept(address: &str, fleet: &'static [Camera]) -> f64 {
    let store = Store::connect(address, hallway_gateway::doors::ALL.schema())
        .await
        .unwrap();
    enrol(&store, fleet).await;
    let ledger = Ledger::new(SigningKey::from_seed("gate.example/log", &[3; 32]).unwrap());
    let now = || Timestamp::from(SystemTime::now());
    let door = Arc::new(Door {
        ingest: Ingest::start(store.clone(), Arc::new(ledger), now),
        store,
        keys: Keyring::default(),
        rp: RelyingParty::new(RP_ID, ORIGIN),
        policy: AssertionPolicy::unattended_device(),
    });
    let began = Instant::now();
    let mut sending = tokio::task::JoinSet::new();
    for camera in fleet {
        let door = Arc::clone(&door);
        sending.spawn(async move {
            for sent in &camera.sent {
                assert!(!door.take(sent).await.is_empty());
            }
        });
    }
    sending.join_all().await;
    let total = CAMERAS as f64 * TRANSACTIONS_PER_CAMERA as f64;
    let rate = total / began.elapsed().as_secs_f64();
    assert_eq!(
        door.store.read().log().head().await.unwrap().size as f64,
        total
    );
    rate
}

impl Door {
    /// From the bytes on the wire to the bytes of the receipt.
    async fn take(&self, sent: &Sent) -> Vec<u8> {
        let signed = HashedStatement::from(SignedStatement::decode(&sent.signed).unwrap());
        let statement = signed.read_statement().unwrap();
        let Act::DeviceTransaction(terms) = statement.act else {
            panic!("not a transaction");
        };
        let store = self.store.read();
        let key = self
            .keys
            .get(store, &signed.credential_id)
            .await
            .unwrap()
            .unwrap();
        let Response::Assertion {
            client_data_json,
            authenticator_data,
            signature,
        } = &signed.response
        else {
            panic!("not an assertion");
        };
        let response = AssertionResponse {
            credential_id: signed.credential_id.as_bytes(),
            client_data_json,
            authenticator_data,
            signature,
            user_handle: None,
        };
        let challenge = signed.challenge();
        let assertion =
            verify_assertion(&self.rp, &challenge, &self.policy, &key.record, &response).unwrap();
        assert!(terms.payload.matches(&sent.payload));
        let outcome = self.ingest.submit(Submission {
            device: key.device,
            sequence: terms.sequence,
            taken: terms.taken,
            described: terms.payload,
            payload: PayloadLocation::Inline(sent.payload.clone()),
            sign_count: assertion.sign_count,
            signed,
        });
        let outcome = outcome.await.unwrap();
        assert!(matches!(outcome, Outcome::Accepted(_)));
        outcome.into_receipt().encode()
    }
}
