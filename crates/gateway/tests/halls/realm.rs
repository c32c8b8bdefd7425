//! A gateway with its hall listener, people with keys, and a service behind it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use axum::body::Body;
use axum::http::{Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::{AuthenticatorData, Flags};
use hallway_ctap::cose::{Algorithm, PublicKey};
use hallway_evidence::{CredentialId, PersonId, Timestamp};
use hallway_gateway::config::{Config, Hall, Policies, Service, Store};
use hallway_gateway::http::problem::Problem;
use hallway_gateway::http::session::new_token;
use hallway_gateway::store::{
    Credential, EvidenceHash, Holder, Person, PersonState, Role, Session,
};
use hallway_gateway::{Clock, Gateway, Start, SystemClock, routes};
use hallway_hall::{Bundle, HallClient, HallKey, Opening};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower::ServiceExt;

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
    key: EcdsaKeyPair,
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
        let folder = tempfile::tempdir().unwrap();
        let mut house = Self::on(folder.path()).await;
        house._own = Some(folder);
        house
    }

    /// Another gateway of the same realm.
    pub(crate) async fn another(&self) -> Self {
        Self::on(&self.folder).await
    }

    async fn on(folder: &Path) -> Self {
        let address = echo().await;
        let service = |hall: &str, name: &str| Service {
            hall: hall.parse().unwrap(),
            name: name.parse().unwrap(),
            address: address.parse().unwrap(),
        };
        let files = folder.join("files");
        std::fs::create_dir_all(&files).unwrap();
        std::fs::write(files.join("notes.txt"), "notes").unwrap();
        let hall = Hall {
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
            ..Hall::default()
        };
        Self::with(folder, Some(hall)).await
    }

    /// Another gateway of the same realm, which asks more of people's keys.
    pub(crate) async fn another_with(&self, policy: Policies) -> Self {
        let config = Config {
            policy,
            ..Config::default()
        };
        Self::configured(&self.folder, config).await
    }

    pub(crate) async fn with(folder: &Path, hall: Option<Hall>) -> Self {
        let config = Config {
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
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let point = key.public_key().as_ref();
        let public_key = PublicKey::Ec2 {
            algorithm: Algorithm::Es256,
            x: &point[1..33],
            y: &point[33..],
        }
        .encode();
        let person = Person {
            id: PersonId::generate(),
            name: format!("{role}"),
            role,
            state: PersonState::Active,
            created: self.gateway.now(),
        };
        let credential = Credential {
            id: CredentialId::new(person.id.as_bytes().to_vec()).unwrap(),
            holder: Holder::Person(person.id),
            public_key: public_key.to_vec(),
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
        let (token, hash) = new_token().unwrap();
        let now = self.gateway.now();
        let session = Session {
            token: hash,
            person: person.id,
            credential: Some(credential.id.clone()),
            evidence: None,
            created: now,
            last_seen: now,
            expires: now.plus(Duration::from_secs(1_000_000)),
            address: "192.0.2.1".to_owned(),
            agent: String::new(),
        };
        let (one, two, three) = (&person, &credential, &session);
        self.gateway
            .transact(|unit| {
                Box::pin(async move {
                    unit.people().add(one).await?;
                    unit.credentials().add(two).await?;
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
            .body(Body::from(body.to_string()))
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
            .ask(
                "POST",
                "/api/acts/statement",
                &guest.token,
                json!({ "act": act }),
            )
            .await?;
        let challenge = ceremony["public_key"]["challenge"].as_str().unwrap();
        let client_data = format!(
            r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"{}","crossOrigin":false}}"#,
            self.gateway.origin
        );
        let authenticator_data = AuthenticatorData {
            rp_id_hash: &sha256(self.gateway.rp.id.as_bytes()),
            flags: Flags::USER_PRESENT | Flags::USER_VERIFIED,
            sign_count: 0,
            attested_credential: None,
            extensions: None,
        }
        .encode()
        .unwrap();
        let message = [&authenticator_data[..], &sha256(client_data.as_bytes())].concat();
        let signature = guest.key.sign(&SystemRandom::new(), &message).unwrap();
        let id = BASE64.encode(guest.credential.as_bytes());
        Ok(json!({
            "statement": ceremony["statement"],
            "seal": ceremony["seal"],
            "credential": {
                "id": id,
                "rawId": id,
                "type": "public-key",
                "clientExtensionResults": {},
                "response": {
                    "clientDataJSON": BASE64.encode(client_data),
                    "authenticatorData": BASE64.encode(authenticator_data),
                    "signature": BASE64.encode(signature),
                },
            },
        }))
    }

    /// Signs and does it.
    pub(crate) async fn act(&self, guest: &Guest, act: Value) -> Result<Value, Refused> {
        let answer = self.sign(guest, act).await?;
        self.ask("POST", "/api/acts", &guest.token, answer).await
    }

    /// Both halls, and everybody admitted to `echo` in the first.
    pub(crate) async fn furnish(&self, owner: &Guest) {
        for act in [
            json!({"kind": "create_hall", "name": "one", "title": "The first"}),
            json!({"kind": "create_hall", "name": "two", "title": "The second"}),
            json!({"kind": "admit_to_hall", "hall": "one", "guest": {"role": "member"},
                   "rights": ["connect:echo", "read:data"]}),
        ] {
            self.act(owner, act).await.unwrap();
        }
    }

    /// Opens the hall `one` with a fresh key.
    pub(crate) async fn enter(&self, guest: &Guest) -> Entered {
        let key = HallKey::generate().unwrap();
        let act = json!({"kind": "open_hall", "hall": "one", "public_key": spki(&key)});
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
    HallClient::new(Opening {
        address: given["address"].as_str().unwrap().to_owned(),
        gateway: given["gateway"].as_str().unwrap().parse().unwrap(),
        bundle: Bundle::new(ders(&given["bundle"])).unwrap(),
        chain: ders(&given["certificates"]),
        key,
    })
    .unwrap()
}

pub(crate) fn spki(key: &HallKey) -> String {
    BASE64.encode(key.public().as_spki())
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().try_into().unwrap()
}
