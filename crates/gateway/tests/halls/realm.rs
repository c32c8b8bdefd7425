//! A gateway with its hall listener, people with keys, and a service behind it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hallway_ctap::aaguid::Aaguid;
use hallway_door_hall::settings::{HallSettings, Service, Store};
use hallway_evidence::statement::web::{Reason, RegisterKey};
use hallway_evidence::{
    CredentialId, Line, PersonId, Response, SignedStatement, Statement, Timestamp,
};
use hallway_gateway::config::Config;
use hallway_gateway::{Clock, Gateway, Start, SystemClock, routes};
use hallway_hall::{Bundle, HallClient, HallKey, Opening, Place};
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::new_token;
use hallway_spine::settings::{Bounded, Policies};
use hallway_spine::store::{Credential, EvidenceHash, Holder, Person, PersonState, Role, Session};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower::ServiceExt;

use crate::key::Key;

/// The machine's clock, and what a test puts in front of it.
#[derive(Debug, Default)]
pub(crate) struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let ahead = Duration::from_millis(self.0.load(Ordering::SeqCst));
        SystemClock.now().plus(ahead)
    }
}

/// One gateway that serves.
pub(crate) struct House {
    pub(crate) gateway: Gateway,
    pub(crate) clock: Arc<TestClock>,
    folder: PathBuf,
    _own: Option<tempfile::TempDir>,
    _stop: oneshot::Sender<()>,
}

/// Somebody with a key and a session.
pub(crate) struct Guest {
    pub(crate) id: PersonId,
    pub(crate) token: String,
    pub(crate) credential: CredentialId,
    pub(crate) key: Key,
}

/// A refused request: status and code.
pub(crate) type Refused = (u16, String);

/// A service that sends back what it gets.
pub(crate) async fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
                let _ = writer.shutdown().await;
            });
        }
    });
    address
}

impl House {
    /// A gateway whose halls `one` and `two` both offer the service `echo`, and `one` also
    /// `other`.
    pub(crate) async fn open() -> Self {
        Self::called("localhost").await
    }

    /// Another gateway of the same realm.
    pub(crate) async fn another(&self) -> Self {
        let hall = Self::furniture(&self.folder).await;
        Self::of_realm(&self.folder, Some(hall), &self.gateway.rp.id).await
    }

    /// What is behind the halls.
    async fn furniture(folder: &Path) -> HallSettings {
        let address = echo().await;
        let service = |hall: &str, name: &str| Service {
            hall: hall.parse().unwrap(),
            name: name.parse().unwrap(),
            address: address.parse().unwrap(),
        };
        let files = folder.join("files");
        std::fs::create_dir_all(&files).unwrap();
        std::fs::write(files.join("notes.txt"), "notes").unwrap();
        HallSettings {
            listen: "127.0.0.1:0".parse().unwrap(),
            stores: vec![Store {
                hall: "one".parse().unwrap(),
                name: "data".parse().unwrap(),
                folder: Some(files),
                bucket: None,
            }],
            services: vec![
                service("one", "echo"),
                service("one", "other"),
                service("two", "echo"),
                service("two", "hidden"),
            ],
            ..HallSettings::default()
        }
    }

    /// Another gateway of the same realm, which asks more of people's keys.
    pub(crate) async fn another_with(&self, policy: Policies) -> Self {
        let config = Config {
            policy,
            ..Config::default()
        };
        Self::configured(&self.folder, config).await
    }

    /// A gateway of a realm of this name, with the halls of [`House::open`].
    pub(crate) async fn called(realm: &str) -> Self {
        Self::certifying(realm, HallSettings::default().certificate_seconds.get()).await
    }

    /// The same, whose certificates last so long.
    pub(crate) async fn certifying(realm: &str, certificate_seconds: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hall = HallSettings {
            certificate_seconds: Bounded::nearest(certificate_seconds),
            ..Self::furniture(folder.path()).await
        };
        let mut house = Self::of_realm(folder.path(), Some(hall), realm).await;
        house._own = Some(folder);
        house
    }

    async fn of_realm(folder: &Path, hall: Option<HallSettings>, realm: &str) -> Self {
        let config = Config {
            realm: realm.parse().unwrap(),
            hall,
            ..Config::default()
        };
        Self::configured(folder, config).await
    }

    async fn configured(folder: &Path, config: Config) -> Self {
        let clock = Arc::new(TestClock::default());
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            ..config
        };
        let start = Start {
            folder: folder.to_owned(),
            config,
            operator_key: None,
            clock: clock.clone(),
            doors: hallway_gateway::doors::ALL,
        };
        let ready = start.ready().await.unwrap();
        let gateway = ready.gateway.clone();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(ready.serve(async move {
            let _ = stopped.await;
        }));
        Self {
            gateway,
            clock,
            folder: folder.to_owned(),
            _own: None,
            _stop: stop,
        }
    }

    /// Lets the time go on.
    pub(crate) fn later(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap();
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) async fn person(&self, role: Role) -> Guest {
        let person = Person {
            id: PersonId::generate(),
            name: format!("{role}"),
            role,
            state: PersonState::Active,
            created: self.gateway.now(),
        };
        let key = Key::new(CredentialId::new(person.id.as_bytes().to_vec()).unwrap());
        let credential = Credential {
            id: key.credential.clone(),
            holder: Holder::Person(person.id),
            public_key: key.public(),
            sign_count: 0,
            aaguid: Aaguid::ZERO,
            label: "a key".to_owned(),
            transports: Vec::new(),
            backup_eligible: false,
            backed_up: false,
            uv_initialized: true,
            user_handle: person.id.as_bytes().to_vec(),
            created: self.gateway.now(),
            last_used: None,
            registration: EvidenceHash([0; 32]),
        };
        let registration = self.registration(&person, &key);
        let (token, hash) = new_token().unwrap();
        let now = self.gateway.now();
        let session = Session {
            token: hash,
            person: person.id,
            credential: credential.id.clone(),
            evidence: EvidenceHash([0; 32]),
            touched: now,
            created: now,
            last_seen: now,
            expires: now.plus(Duration::from_secs(1_000_000)),
            address: "192.0.2.1".to_owned(),
            agent: String::new(),
        };
        let (one, two, three, registration) = (&person, &credential, &session, &registration);
        self.gateway
            .transact(|unit| {
                Box::pin(async move {
                    unit.people().add(one).await?;
                    let signed = registration.clone().into();
                    let logged = self
                        .gateway
                        .accept(unit, signed, Some(one.id), None)
                        .await?;
                    let key = Credential {
                        registration: logged.hash,
                        ..two.clone()
                    };
                    unit.credentials().add(&key).await?;
                    Ok::<_, Problem>(unit.sessions().add(three).await?)
                })
            })
            .await
            .unwrap();
        Guest {
            id: person.id,
            token,
            credential: credential.id,
            key,
        }
    }

    /// What registering a person's key leaves in the log.
    fn registration(&self, person: &Person, key: &Key) -> SignedStatement {
        let statement = Statement {
            realm: Line::new(self.gateway.rp.id.as_str()).unwrap(),
            issued: self.gateway.now(),
            nonce: *person.id.as_bytes(),
            act: RegisterKey {
                person: person.id,
                name: Line::new(person.name.as_str()).unwrap(),
                role: person.role,
                label: Line::new("a key").unwrap(),
                reason: Reason::Setup,
                link: [10; 32],
                authorised_by: None,
            }
            .into(),
        };
        let challenge = BASE64.encode(statement.hash());
        let (client_data_json, attestation_object) = key.registration(&self.gateway, &challenge);
        SignedStatement {
            statement: statement.encode(),
            credential_id: key.credential.clone(),
            response: Response::Registration {
                client_data_json,
                attestation_object,
            },
        }
    }

    /// Asks the API.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Value,
    ) -> Result<Value, Refused> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(match body {
                Value::Null => Body::empty(),
                body => Body::from(body.to_string()),
            })
            .unwrap();
        let answer = routes::router(&self.gateway)
            .oneshot(request)
            .await
            .unwrap();
        let status = answer.status();
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20)
            .await
            .unwrap();
        let answer: Value = serde_json::from_slice(&bytes).unwrap();
        if status.is_success() {
            Ok(answer)
        } else {
            Err((status.as_u16(), answer["code"].as_str().unwrap().to_owned()))
        }
    }

    /// What `guest` signs to do `act`: the answer to send.
    pub(crate) async fn sign(&self, guest: &Guest, act: Value) -> Result<Value, Refused> {
        let ceremony = self
            .ask("POST", "/api/acts/statement", &guest.token, act)
            .await?;
        Ok(guest.key.sign(&self.gateway, &ceremony))
    }

    /// Signs and does it.
    pub(crate) async fn act(&self, guest: &Guest, act: Value) -> Result<Value, Refused> {
        let answer = self.sign(guest, act).await?;
        self.ask("POST", "/api/acts", &guest.token, answer).await
    }

    /// Both halls, and everybody admitted to `echo` in the first.
    pub(crate) async fn furnish(&self, owner: &Guest) {
        for act in [
            json!({"act": "hall.create", "hall": "one", "title": "The first"}),
            json!({"act": "hall.create", "hall": "two", "title": "The second"}),
            json!({"act": "hall.admit", "hall": "one", "guest": {"role": "member"},
                   "rights": ["connect:echo", "read:data"]}),
        ] {
            self.act(owner, act).await.unwrap();
        }
    }

    /// Opens the hall `one` with a fresh key.
    pub(crate) async fn enter(&self, guest: &Guest) -> Entered {
        let key = HallKey::generate().unwrap();
        let act = json!({"act": "hall.open", "hall": "one", "public_key": spki(&key)});
        let done = self.act(guest, act).await.unwrap();
        Entered::new(&done["grant"], key)
    }
}

/// An opened hall.
pub(crate) struct Entered {
    pub(crate) id: String,
    pub(crate) client: HallClient,
}

impl Entered {
    pub(crate) fn new(grant: &Value, key: HallKey) -> Self {
        Self {
            id: grant["id"].as_str().unwrap_or_default().to_owned(),
            client: client(grant, key),
        }
    }

    /// A stream to `echo` over which a byte came back.
    pub(crate) async fn stream(&self) -> hallway_hall::stream::BoxStream {
        let mut stream = self.client.stream(&"echo".parse().unwrap()).await.unwrap();
        stream.write_all(b"x").await.unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"x");
        stream
    }
}

/// A client for what the gateway gave.
pub(crate) fn client(given: &Value, key: HallKey) -> HallClient {
    let ders = |list: &Value| {
        let list = list.as_array().unwrap().iter();
        list.map(|der| BASE64.decode(der.as_str().unwrap()).unwrap().into())
            .collect::<Vec<_>>()
    };
    let place = |listener: &Value| Place {
        address: listener["address"].as_str().unwrap().to_owned(),
        gateway: listener["gateway"].as_str().unwrap().parse().unwrap(),
        bundle: Bundle::new(ders(&listener["bundle"])).unwrap(),
    };
    let host = place(given);
    HallClient::new(Opening {
        address: host.address,
        gateway: host.gateway,
        bundle: host.bundle,
        chain: ders(&given["certificates"]),
        key,
        home: given.get("home").map(place),
    })
    .unwrap()
}

pub(crate) fn spki(key: &HallKey) -> String {
    BASE64.encode(key.public().as_der())
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().try_into().unwrap()
}
