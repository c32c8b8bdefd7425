//! A key file, opened in process, driven by the client.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use hallway_client::{
    AttestationPreference, Client, ClientError, Connection, CreatedCredential, GetAssertion,
    MakeCredential, NoPin, Pin, Presence, ReportConnection, User, UserVerification,
};
use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::{AuthenticatorData, Flags};
use hallway_ctap::cbor::{Form, Map};
use hallway_ctap::cose::{Algorithm, PublicKey};
use hallway_ctap::status::Status;
use hallway_softkey::{
    ANSWER_WITHIN, Answer, Asker, Consent, KeyFile, KeyFileError, NewKey, Protection, Question,
    SoftKey, Wait, Worker, serve_udp, serve_unix,
};

const ORIGIN: &str = "https://gate.example";

fn protection() -> Protection {
    Protection::OperatorKey([7; 32].into())
}

fn new_key(folder: &Path, new: &NewKey) -> std::path::PathBuf {
    let path = folder.join("test.key");
    KeyFile::create(&path, &protection(), new).unwrap();
    path
}

fn asked(discoverable: bool) -> MakeCredential<'static> {
    MakeCredential {
        rp_id: "gate.example",
        rp_name: "Gate",
        user: User {
            id: b"ada",
            name: "ada",
            display_name: "Ada",
        },
        challenge: &[1; 32],
        algorithms: &[Algorithm::Es256],
        discoverable,
        user_verification: UserVerification::Discouraged,
        exclude: &[],
        attestation: AttestationPreference::Direct,
    }
}

fn sign(allow: &[Vec<u8>], presence: Presence) -> GetAssertion<'_> {
    GetAssertion {
        rp_id: "gate.example",
        challenge: &[2; 32],
        allow,
        user_verification: UserVerification::Discouraged,
        presence,
    }
}

/// Checks the signature of an assertion, and gives its signature counter and flags.
fn verified(created: &CreatedCredential, asserted: &hallway_client::Asserted) -> (u32, Flags) {
    let object = Map::parse(&created.attestation_object, Form::Canonical).unwrap();
    let auth_data = object.get("authData").unwrap().bytes().unwrap();
    let registered = AuthenticatorData::parse(auth_data).unwrap();
    let key = registered.attested_credential.unwrap().public_key;
    let Ok(PublicKey::Ec2 { x, y, .. }) = PublicKey::decode(key) else {
        panic!("not an EC key");
    };
    let hash = digest(&SHA256, &asserted.client_data_json);
    let signed = [&asserted.authenticator_data, hash.as_ref()].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, [&[4], x, y].concat())
        .verify(&signed, &asserted.signature)
        .unwrap();
    let data = AuthenticatorData::parse(&asserted.authenticator_data).unwrap();
    (data.sign_count, data.flags)
}

#[test]
fn silent_assertions_verify_and_their_counter_never_repeats_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let path = new_key(folder.path(), &NewKey::personal());
    let open = || SoftKey::open(&path, &protection(), Consent::Always).unwrap();
    let mut client = Client::new(open(), ORIGIN);
    let created = client.make_credential(&asked(false), &mut NoPin).unwrap();
    let allow = [created.credential_id.clone()];
    let mut last = 0;
    for crash in [true, false, true] {
        for _ in 0..10 {
            let asserted = client
                .get_assertion(&sign(&allow, Presence::Silent), &mut NoPin)
                .unwrap();
            let (count, flags) = verified(&created, &asserted);
            assert!(count > last, "{count} after {last}");
            assert_eq!(flags, Flags::default());
            last = count;
        }
        if crash {
            // What a crash leaves behind: the file as it is on the disk now.
            let copy = folder.path().join("copy.key");
            std::fs::copy(&path, &copy).unwrap();
            drop(client);
            std::fs::rename(&copy, &path).unwrap();
        } else {
            drop(client);
        }
        client = Client::new(open(), ORIGIN);
    }
}

#[test]
fn silent_assertions_write_the_file_rarely() {
    let folder = tempfile::tempdir().unwrap();
    let path = new_key(folder.path(), &NewKey::personal());
    let key = SoftKey::open(&path, &protection(), Consent::Always).unwrap();
    let mut client = Client::new(key, ORIGIN);
    let created = client.make_credential(&asked(false), &mut NoPin).unwrap();
    let allow = [created.credential_id];
    let before = std::fs::metadata(&path).unwrap().len();
    for _ in 0..1000 {
        client
            .get_assertion(&sign(&allow, Presence::Silent), &mut NoPin)
            .unwrap();
    }
    assert_eq!(std::fs::metadata(&path).unwrap().len(), before);
}

#[test]
fn a_device_attests_with_the_identity_that_its_maker_installed() {
    let folder = tempfile::tempdir().unwrap();
    let aaguid = Aaguid([0x42; 16]);
    let pair = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::default();
    let extension = [&[4, 16], &aaguid.0[..]].concat();
    parameters
        .custom_extensions
        .push(rcgen::CustomExtension::from_oid_content(
            &[1, 3, 6, 1, 4, 1, 45724, 1, 1, 4],
            extension,
        ));
    let leaf = parameters.self_signed(&pair).unwrap().der().to_vec();
    let new = NewKey::certified(vec![leaf.clone()], &pair.serialize_der(), aaguid).unwrap();
    let path = new_key(folder.path(), &new);
    let key = SoftKey::open(&path, &protection(), Consent::Always).unwrap();
    let mut client = Client::new(key, ORIGIN);
    assert_eq!(client.info().unwrap().aaguid, aaguid);
    let created = client.make_credential(&asked(false), &mut NoPin).unwrap();
    let object = Map::parse(&created.attestation_object, Form::Canonical).unwrap();
    assert_eq!(object.get("fmt").unwrap().text(), Ok("packed"));
    let statement = object.get("attStmt").unwrap().map().unwrap();
    let chain = statement.get("x5c").unwrap().list().unwrap();
    assert!(chain.iter().map(|c| c.bytes().unwrap()).eq([&leaf[..]]));
    let hash = digest(&SHA256, &created.client_data_json);
    let auth_data = object.get("authData").unwrap().bytes().unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, pair.public_key_raw())
        .verify(
            &[auth_data, hash.as_ref()].concat(),
            statement.get("sig").unwrap().bytes().unwrap(),
        )
        .unwrap();

    let other = rcgen::KeyPair::generate().unwrap();
    assert!(matches!(
        NewKey::certified(vec![leaf.clone()], &other.serialize_der(), aaguid),
        Err(KeyFileError::Attestation(_))
    ));
    assert!(matches!(
        NewKey::certified(vec![leaf], &pair.serialize_der(), Aaguid([0x43; 16])),
        Err(KeyFileError::Attestation(_))
    ));
}

#[test]
fn a_pin_is_set_asked_for_and_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = new_key(folder.path(), &NewKey::personal());
    let key = SoftKey::open(&path, &protection(), Consent::Always).unwrap();
    let mut client = Client::new(key, ORIGIN);
    client.set_pin("12345").unwrap();
    assert!(matches!(
        client.make_credential(&asked(true), &mut NoPin),
        Err(ClientError::PinNotGiven)
    ));
    let mut wrong = Pin(String::from("54321").into());
    let refused = client
        .make_credential(&asked(true), &mut wrong)
        .unwrap_err();
    assert!(matches!(refused, ClientError::WrongPin { left: 7 }));
    assert_eq!(refused.status(), Some(Status::PinInvalid));
    assert_eq!(client.pin_retries().unwrap(), 7);
    let mut right = Pin(String::from("12345").into());
    let created = client.make_credential(&asked(true), &mut right).unwrap();
    let request = GetAssertion {
        user_verification: UserVerification::Required,
        ..sign(&[], Presence::Required)
    };
    let all = client.get_assertions(&request, &mut right).unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].user_handle.as_deref(), Some(&b"ada"[..]));
    assert_eq!(all[0].user_name.as_deref(), Some("ada"));
    let (_, flags) = verified(&created, &all[0]);
    assert_eq!(flags, Flags::USER_PRESENT | Flags::USER_VERIFIED);
    client.change_pin("12345", "another pin").unwrap();
    let refused = client.get_assertion(&request, &mut right).unwrap_err();
    assert_eq!(refused.status(), Some(Status::PinInvalid));
}

#[test]
fn a_key_that_never_consents_only_signs_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let path = new_key(folder.path(), &NewKey::personal());
    let key = SoftKey::open(&path, &protection(), Consent::Always).unwrap();
    let mut client = Client::new(key, ORIGIN);
    let created = client.make_credential(&asked(false), &mut NoPin).unwrap();
    drop(client);
    let key = SoftKey::open(&path, &protection(), Consent::Never).unwrap();
    let mut client = Client::new(key, ORIGIN);
    let allow = [created.credential_id];
    let refused = client
        .get_assertion(&sign(&allow, Presence::Required), &mut NoPin)
        .unwrap_err();
    assert_eq!(refused.status(), Some(Status::OperationDenied));
    client
        .get_assertion(&sign(&allow, Presence::Silent), &mut NoPin)
        .unwrap();
}

#[test]
fn another_relying_party_gets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = new_key(folder.path(), &NewKey::personal());
    let key = SoftKey::open(&path, &protection(), Consent::Always).unwrap();
    let mut client = Client::new(key, ORIGIN);
    for discoverable in [false, true] {
        let created = client
            .make_credential(&asked(discoverable), &mut NoPin)
            .unwrap();
        let allow = [created.credential_id];
        let request = GetAssertion {
            rp_id: "evil.example",
            ..sign(&allow, Presence::Silent)
        };
        let refused = client.get_assertion(&request, &mut NoPin).unwrap_err();
        assert_eq!(refused.status(), Some(Status::NoCredentials));
    }
}

/// Never answers by itself.
struct Away;

impl Asker for Away {
    fn ask(&mut self, _: &Question<'_>, wait: &Wait) -> Answer {
        loop {
            if let Some(answer) = wait.over() {
                return answer;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

fn asking(asker: impl Asker + 'static) -> Consent {
    Consent::Ask {
        asker: Box::new(asker),
        within: ANSWER_WITHIN,
    }
}

fn over_the_wire<C: Connection>(connection: C) {
    let mut client = Client::new(connection, ORIGIN);
    let created = client.make_credential(&asked(false), &mut NoPin).unwrap();
    let allow = [created.credential_id.clone()];
    let asserted = client
        .get_assertion(&sign(&allow, Presence::Required), &mut NoPin)
        .unwrap();
    let (_, flags) = verified(&created, &asserted);
    assert_eq!(flags, Flags::USER_PRESENT);
}

#[test]
fn udp_and_a_unix_socket_reach_the_same_key_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = new_key(folder.path(), &NewKey::personal());
    let key = SoftKey::open(&path, &protection(), Consent::Always).unwrap();
    let (worker, thread) = Worker::start(key).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = udp.local_addr().unwrap();
    let socket = folder.path().join("key.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::thread::scope(|scope| {
        let (by_udp, by_unix) = (worker.clone(), worker);
        scope.spawn(|| serve_udp(by_udp, udp, &stop).unwrap());
        let (listener, stop) = (&listener, &stop);
        scope.spawn(move || serve_unix(&by_unix, listener, stop).unwrap());
        let clients: Vec<_> = (0..4)
            .map(|i| {
                let socket = &socket;
                scope.spawn(move || match i % 2 {
                    0 => over_the_wire(ReportConnection::unix(socket).unwrap()),
                    _ => {
                        // One UDP socket is one key: two programs take turns.
                        if i == 1 {
                            over_the_wire(ReportConnection::udp(address).unwrap());
                        }
                    }
                })
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    thread.join().unwrap();
    SoftKey::open(&path, &protection(), Consent::Always).unwrap();
}

#[test]
fn an_owner_who_is_away_keeps_the_connection_alive_and_a_cancel_ends_the_wait() {
    use hallway_client::Reports;
    use hallway_ctap::ctaphid::{Channel, HidCommand, Packet, reports};
    use std::time::{Duration, Instant};

    let folder = tempfile::tempdir().unwrap();
    let path = new_key(folder.path(), &NewKey::personal());
    let key = SoftKey::open(&path, &protection(), asking(Away)).unwrap();
    let (worker, thread) = Worker::start(key).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = udp.local_addr().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| serve_udp(worker, udp, &stop).unwrap());
        let mut socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(address).unwrap();
        let mut send = |channel, command, payload: &[u8]| {
            for report in reports(channel, command, payload).unwrap() {
                Reports::send(&mut socket, &report).unwrap();
            }
        };
        send(Channel::BROADCAST, HidCommand::Init, &[1; 8]);
        // The first channel that a key gives out.
        let channel = Channel(1);
        send(channel, HidCommand::Cbor, &[0x0b]);
        let started = Instant::now();
        let mut keepalives = 0;
        let status = loop {
            let report = Reports::receive(&mut socket, Duration::from_secs(2))
                .unwrap()
                .unwrap();
            match Packet::parse(&report) {
                Packet::Init {
                    command: HidCommand::Keepalive,
                    data,
                    ..
                } => {
                    assert_eq!(data[0], 2);
                    keepalives += 1;
                    if keepalives == 3 {
                        for report in reports(channel, HidCommand::Cancel, &[]).unwrap() {
                            Reports::send(&mut socket, &report).unwrap();
                        }
                    }
                }
                Packet::Init {
                    command: HidCommand::Cbor,
                    data,
                    ..
                } => break data[0],
                _ => {}
            }
        };
        assert_eq!(Status::from_code(status), Some(Status::KeepaliveCancel));
        assert!(keepalives >= 3);
        assert!(started.elapsed() < Duration::from_secs(5));
        stop.store(true, Ordering::Relaxed);
    });
    thread.join().unwrap();
}
