//! A gateway as a device sees it: small, in memory, and faulty when told to be.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::body::Bytes as Body;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use hallway_api::device::{
    Announced, Challenge, EVIDENCE_HEADER, Enrolment, EnrolmentStatement, Question, SEAL_HEADER,
    State, Status,
};
use hallway_evidence::log::{Appender, Checkpoint, SigningKey, TlogProof};
use hallway_evidence::statement::Act;
use hallway_evidence::statement::device::{Delivery, Enrol, Transaction};
use hallway_evidence::{
    Bundle, Evidence, Line, Receipt, Response as Signed, SignedStatement, Statement, Timestamp,
    TrustFile, TrustedMaker,
};
use hallway_webauthn::wire::Base64Url;
use hallway_webauthn::{
    AssertionPolicy, AssertionResponse, CredentialRecord, RegistrationPolicy, RegistrationResponse,
    RelyingParty, UnixSeconds, verify_assertion, verify_registration,
};
use serde_json::{Value, json};

use crate::clock::VirtualClock;

/// A failure of the next transaction.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The answer is 503 and nothing happened.
    Busy,
    /// It is accepted, but the answer is lost.
    LoseAnswer,
    /// It is refused with these details.
    Refuse(u16, Value),
    /// The receipt is signed by another log.
    ForeignReceipt,
    /// The receipt is for another transaction.
    WrongReceipt,
}

/// A transaction that was accepted.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub terms: Transaction,
    pub payload: Vec<u8>,
}

pub struct World {
    pub rp: RelyingParty,
    pub state: State,
    pub faults: VecDeque<Fault>,
    /// The answers that somebody on the way, or the gateway, always gives to files of these names.
    pub disliked: HashMap<String, (u16, Value)>,
    /// A file whose receipts always come from another log.
    pub forges: Option<String>,
    pub accepted: Vec<Accepted>,
    pub attempts: usize,
    pub announced: usize,
    pub challenges: usize,
    pub last_sequence: u64,
    /// How many files the device said that it has set aside.
    pub set_aside: u32,
    pub key: SigningKey,
    /// How far the gateway's clock is ahead of the device's, in milliseconds.
    pub ahead_ms: i64,
    maker: Vec<u8>,
    clock: VirtualClock,
    log: Appender,
    credential: Option<CredentialRecord>,
    enrolment: Option<Receipt>,
    receipts: HashMap<[u8; 32], Receipt>,
}

pub type Shareable = Arc<Mutex<World>>;

const SEAL: &[u8] = b"the gateway's seal";

pub fn log_key(seed: u8) -> SigningKey {
    SigningKey::from_seed("localhost/log", &[seed; 32]).unwrap()
}

/// Serves a gateway on a port of its own; returns its address and its state.
pub async fn serve(maker: Vec<u8>, clock: VirtualClock) -> (String, Shareable) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let world = Arc::new(Mutex::new(World {
        rp: RelyingParty::new("localhost", origin.as_str()),
        state: State::Announced,
        faults: VecDeque::new(),
        disliked: HashMap::new(),
        forges: None,
        accepted: Vec::new(),
        attempts: 0,
        announced: 0,
        challenges: 0,
        last_sequence: 0,
        set_aside: 0,
        key: log_key(1),
        ahead_ms: 0,
        maker,
        clock,
        log: Appender::new(),
        credential: None,
        enrolment: None,
        receipts: HashMap::new(),
    }));
    let app = Router::new()
        .route("/api/device/enrolments/statement", post(statement))
        .route("/api/device/enrolments", post(enrol))
        .route("/api/device/status", post(status))
        .route("/api/device/challenge", post(challenge))
        .route("/api/device/transactions", post(send))
        .with_state(world.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (origin, world)
}

fn problem(status: u16, body: Value) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

impl World {
    fn now(&self) -> Timestamp {
        let now = self.clock.read().as_ms();
        Timestamp::from_ms(now.saturating_add_signed(self.ahead_ms))
    }

    pub fn trust(&self) -> TrustFile {
        TrustFile::new(
            Line::new("localhost").unwrap(),
            self.rp.clone(),
            self.key.verifier(),
            vec![TrustedMaker {
                name: Line::new("Lens & Co").unwrap(),
                certificate: self.maker.clone(),
            }],
        )
    }

    fn accept(&mut self, signed: SignedStatement) -> Receipt {
        let evidence = Evidence {
            signed,
            accepted: self.now(),
        };
        let appended = self.log.append(&[evidence.hash()]);
        let head = Checkpoint::new(self.key.name(), appended.size, appended.root).unwrap();
        Receipt {
            evidence,
            proof: TlogProof::new(&appended.proofs[0], head.sign(&self.key)),
        }
    }

    /// The same receipt under the checkpoint of another log.
    fn forge(&self, receipt: &Receipt) -> Receipt {
        let appended = Appender::new().append(&[receipt.evidence.hash()]);
        let head = Checkpoint::new(self.key.name(), 1, appended.root).unwrap();
        Receipt {
            evidence: receipt.evidence.clone(),
            proof: TlogProof::new(&appended.proofs[0], head.sign(&log_key(99))),
        }
    }

    fn verify(&self, signed: &SignedStatement) -> bool {
        let (
            Some(record),
            Signed::Assertion {
                client_data_json,
                authenticator_data,
                signature,
            },
        ) = (&self.credential, &signed.response)
        else {
            return false;
        };
        let response = AssertionResponse {
            credential_id: signed.credential_id.as_bytes(),
            client_data_json,
            authenticator_data,
            signature,
            user_handle: None,
        };
        let policy = AssertionPolicy::unattended_device();
        verify_assertion(&self.rp, &signed.challenge(), &policy, record, &response).is_ok()
    }
}

async fn statement(Shared(world): Shared<Shareable>) -> Json<EnrolmentStatement> {
    let world = world.lock().unwrap();
    let statement = Statement {
        realm: Line::new("localhost").unwrap(),
        issued: world.now(),
        nonce: [7; 16],
        act: Enrol {}.into(),
    };
    Json(EnrolmentStatement {
        statement: Base64Url(statement.encode()),
        seal: Base64Url(SEAL.to_vec()),
        expires_ms: world.now().as_ms() + 60_000,
    })
}

async fn enrol(Shared(world): Shared<Shareable>, Json(enrolment): Json<Enrolment>) -> Response {
    let mut world = world.lock().unwrap();
    assert_eq!(enrolment.seal.0, SEAL);
    let signed = SignedStatement::decode(&enrolment.signed_statement.0).unwrap();
    let Signed::Registration {
        client_data_json,
        attestation_object,
    } = &signed.response
    else {
        panic!("not a registration");
    };
    let registration = verify_registration(
        &world.rp,
        &signed.challenge(),
        &RegistrationPolicy::device(world.trust().anchors().unwrap()),
        UnixSeconds::from_ms(world.now().as_ms()),
        &RegistrationResponse::new(client_data_json, attestation_object),
    );
    match registration {
        Ok(registration) => world.credential = Some(registration.credential),
        Err(error) => {
            let body = json!({ "code": "bad-attestation", "detail": error.to_string() });
            return problem(403, body);
        }
    }
    world.enrolment = Some(world.accept(signed));
    world.announced += 1;
    world.state = State::Announced;
    world.last_sequence = 0;
    let announced = Announced {
        user_code: "BCDF-GHJK".to_owned(),
        expires_ms: world.now().as_ms() + 600_000,
        interval_ms: 1000,
        console: format!("{}/devices", world.rp.origins[0]),
    };
    (StatusCode::CREATED, Json(announced)).into_response()
}

fn skewed(world: &World, theirs: Timestamp) -> Option<Response> {
    let apart = world.now().distance(theirs).as_secs() > 300;
    apart.then(|| {
        let now_ms = world.now().as_ms();
        problem(
            403,
            json!({ "code": "clock-skew", "detail": "set it", "now_ms": now_ms }),
        )
    })
}

async fn status(Shared(world): Shared<Shareable>, Json(question): Json<Question>) -> Response {
    let mut world = world.lock().unwrap();
    let signed = SignedStatement::decode(&question.signed_statement.0).unwrap();
    let asked = signed.read_statement().unwrap();
    assert!(matches!(asked.act, Act::DeviceStatus(_)));
    if world.state == State::Unknown || !world.verify(&signed) {
        return problem(
            403,
            json!({ "code": "unknown-credential", "detail": "not enrolled here" }),
        );
    }
    if let Some(refused) = skewed(&world, asked.issued) {
        return refused;
    }
    world.set_aside = question.set_aside.unwrap();
    let receipts = world
        .enrolment
        .clone()
        .map(|enrolment| Bundle::of(enrolment, []).unwrap());
    Json(Status {
        state: world.state,
        last_sequence: world.last_sequence,
        device_id: None,
        serial: "C-0042".to_owned(),
        owner: Some("Emily".to_owned()),
        receipts: receipts.map(|bundle| Base64Url(bundle.encode())),
        set_aside: Some(world.set_aside),
        trust: world.trust(),
        now_ms: world.now().as_ms(),
    })
    .into_response()
}

async fn challenge(Shared(world): Shared<Shareable>) -> Json<Challenge> {
    let mut world = world.lock().unwrap();
    world.challenges += 1;
    Json(Challenge {
        challenge: Base64Url(vec![world.challenges as u8; 32]),
        seal: Base64Url(SEAL.to_vec()),
        expires_ms: world.now().as_ms() + 60_000,
    })
}

async fn send(Shared(world): Shared<Shareable>, headers: HeaderMap, body: Body) -> Response {
    let mut world = world.lock().unwrap();
    world.attempts += 1;
    let fault = world.faults.pop_front();
    match &fault {
        Some(Fault::Busy) => return problem(503, json!({ "code": "busy", "detail": "later" })),
        Some(Fault::Refuse(status, body)) => return problem(*status, body.clone()),
        _ => {}
    }
    let text = headers[EVIDENCE_HEADER].to_str().unwrap();
    let Base64Url(evidence) = serde_json::from_value(json!(text)).unwrap();
    let signed = SignedStatement::decode(&evidence).unwrap();
    if !world.verify(&signed) {
        return problem(
            403,
            json!({ "code": "unknown-credential", "detail": "not enrolled" }),
        );
    }
    let Act::DeviceTransaction(terms) = signed.read_statement().unwrap().act else {
        panic!("not a transaction");
    };
    let forges = world.forges.as_deref() == Some(terms.payload.file_name.as_str());
    if let Some(receipt) = world.receipts.get(&signed.challenge()) {
        let receipt = if forges {
            world.forge(receipt)
        } else {
            receipt.clone()
        };
        let receipt = Base64Url(receipt.encode());
        return problem(
            409,
            json!({ "code": "already-accepted", "receipt": receipt }),
        );
    }
    if let Some((status, body)) = world.disliked.get(terms.payload.file_name.as_str()) {
        return problem(*status, body.clone());
    }
    if world.state != State::Registered {
        let code = serde_json::to_value(world.state).unwrap();
        return problem(403, json!({ "code": code, "detail": "not now" }));
    }
    let live = terms.delivery == Delivery::Live;
    if let Some(refused) = live.then(|| skewed(&world, terms.taken)).flatten() {
        return refused;
    }
    if terms.challenge.is_some() {
        assert!(headers.contains_key(SEAL_HEADER));
    }
    if terms.sequence <= world.last_sequence {
        let last = world.last_sequence;
        return problem(
            409,
            json!({ "code": "out-of-order", "detail": "too low", "last_sequence": last }),
        );
    }
    assert!(terms.payload.matches(&body), "the payload is another one");
    world.last_sequence = terms.sequence;
    let challenge = signed.challenge();
    let receipt = world.accept(signed);
    world.receipts.insert(challenge, receipt.clone());
    world.accepted.push(Accepted {
        terms,
        payload: body.to_vec(),
    });
    let receipt = match fault {
        Some(Fault::LoseAnswer) => return problem(500, json!({})),
        Some(Fault::ForeignReceipt) => world.forge(&receipt),
        _ if forges => world.forge(&receipt),
        Some(Fault::WrongReceipt) => world.enrolment.clone().unwrap(),
        _ => receipt,
    };
    (StatusCode::CREATED, receipt.encode()).into_response()
}
