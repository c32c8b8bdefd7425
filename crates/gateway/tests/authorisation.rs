//! Walks every route and proves who may call it. A route that this test does not know fails it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "authorisation/bounds.rs"]
mod bounds;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use hallway_ctap::aaguid::Aaguid;
use hallway_evidence::statement::Act;
use hallway_evidence::{CredentialId, PersonId, Timestamp};
use hallway_gateway::config::Config;
use hallway_gateway::{Clock, Gateway, Start, SystemClock, routes};
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::http::route::{Access, Kind, Route};
use hallway_spine::http::session::new_token;
use hallway_spine::store::{Credential, EvidenceHash, Holder, Person, PersonState, Role, Session};
use tower::ServiceExt;

const PUBLIC: Access = Access::Public;
const PROOF: Access = Access::Proof;
const MEMBER: Access = Access::Person(Role::Member);
const OPERATOR: Access = Access::Person(Role::Operator);

/// The rules, stated a second time: whoever adds or changes a route says here what was meant.
const RULES: &[(&str, &str, Access)] = &[
    ("GET", "/", PUBLIC),
    ("GET", "/api/approvals", MEMBER),
    ("GET", "/api/makers", OPERATOR),
    ("GET", "/api/devices", MEMBER),
    ("GET", "/api/devices/{id}", MEMBER),
    ("GET", "/api/events", MEMBER),
    ("GET", "/api/evidence", MEMBER),
    ("GET", "/api/evidence/{hash}", MEMBER),
    ("GET", "/api/evidence/{hash}/explanation", MEMBER),
    ("GET", "/api/grants", MEMBER),
    ("GET", "/api/hall/bundle", PUBLIC),
    ("GET", "/api/halls", MEMBER),
    ("DELETE", "/api/halls/{name}/files/{store}/{*path}", MEMBER),
    ("GET", "/api/halls/{name}", MEMBER),
    ("GET", "/api/halls/{name}/events", MEMBER),
    ("GET", "/api/halls/{name}/files/{store}", MEMBER),
    ("GET", "/api/halls/{name}/files/{store}/{*path}", MEMBER),
    ("GET", "/api/halls/{name}/grant", MEMBER),
    ("PATCH", "/api/halls/{name}/files/{store}/{*path}", MEMBER),
    ("POST", "/api/halls/{name}/files/{store}/{*path}", MEMBER),
    ("PUT", "/api/halls/{name}/files/{store}/{*path}", MEMBER),
    ("GET", "/halls", MEMBER),
    ("GET", "/halls/{name}", MEMBER),
    ("GET", "/halls/{name}/files/{store}", MEMBER),
    ("GET", "/api/keys", MEMBER),
    ("GET", "/api/links", MEMBER),
    ("GET", "/api/me", MEMBER),
    ("GET", "/api/sessions", MEMBER),
    ("POST", "/api/sessions/{id}/end", MEMBER),
    ("GET", "/api/metadata", OPERATOR),
    ("GET", "/api/metadata/models", OPERATOR),
    ("GET", "/api/metadata/models/{id}/icon", MEMBER),
    ("GET", "/api/hall/authorities", OPERATOR),
    ("GET", "/api/partners", OPERATOR),
    ("GET", "/api/partners/{realm}/halls", MEMBER),
    (
        "DELETE",
        "/api/partners/{realm}/halls/{hall}/files/{store}/{*path}",
        MEMBER,
    ),
    (
        "GET",
        "/api/partners/{realm}/halls/{hall}/files/{store}",
        MEMBER,
    ),
    (
        "GET",
        "/api/partners/{realm}/halls/{hall}/files/{store}/{*path}",
        MEMBER,
    ),
    (
        "PATCH",
        "/api/partners/{realm}/halls/{hall}/files/{store}/{*path}",
        MEMBER,
    ),
    (
        "POST",
        "/api/partners/{realm}/halls/{hall}/files/{store}/{*path}",
        MEMBER,
    ),
    (
        "PUT",
        "/api/partners/{realm}/halls/{hall}/files/{store}/{*path}",
        MEMBER,
    ),
    ("GET", "/api/partners/{realm}/halls/{hall}/grant", MEMBER),
    ("GET", "/api/partners/{realm}/trust", OPERATOR),
    ("GET", "/api/people", OPERATOR),
    ("GET", "/api/realm", PUBLIC),
    ("GET", "/api/receipts/{hash}", MEMBER),
    ("GET", "/api/refusals", OPERATOR),
    ("GET", "/api/transactions", MEMBER),
    ("GET", "/api/transactions/{hash}/payload", MEMBER),
    ("GET", "/api/transactions/{hash}/signed", MEMBER),
    ("GET", "/api/transactions/{hash}/thumbnail", MEMBER),
    ("GET", "/api/trust", PUBLIC),
    ("GET", "/makers", OPERATOR),
    ("GET", "/claim", MEMBER),
    ("GET", "/devices", MEMBER),
    ("GET", "/devices/{id}", MEMBER),
    ("GET", "/evidence", MEMBER),
    ("GET", "/evidence/{hash}", MEMBER),
    ("GET", "/healthz", PUBLIC),
    ("GET", "/join", PUBLIC),
    ("GET", "/keys", MEMBER),
    ("GET", "/log/checkpoint", PUBLIC),
    ("GET", "/log/tile/{*path}", PUBLIC),
    ("GET", "/metadata", OPERATOR),
    ("GET", "/openapi.json", PUBLIC),
    ("GET", "/partners", OPERATOR),
    ("GET", "/partners/{realm}/halls", MEMBER),
    ("GET", "/partners/{realm}/halls/{hall}", MEMBER),
    (
        "GET",
        "/partners/{realm}/halls/{hall}/files/{store}",
        MEMBER,
    ),
    ("GET", "/people", OPERATOR),
    ("GET", "/readyz", PUBLIC),
    ("GET", "/refusals", OPERATOR),
    ("GET", "/static/{name}", PUBLIC),
    ("GET", "/transactions", MEMBER),
    ("POST", "/api/acts", MEMBER),
    ("POST", "/api/acts/statement", MEMBER),
    ("POST", "/api/device/challenge", PUBLIC),
    ("POST", "/api/device/enrolments", PROOF),
    ("POST", "/api/device/enrolments/statement", PUBLIC),
    ("POST", "/api/device/status", PROOF),
    ("POST", "/api/device/transactions", PROOF),
    ("POST", "/api/devices/code", MEMBER),
    ("POST", "/api/devices/{id}/name", MEMBER),
    ("GET", "/api/grants/{id}/visit", MEMBER),
    ("POST", "/api/grants/{id}/end", MEMBER),
    ("POST", "/api/hall-agents/join", PROOF),
    ("POST", "/api/join/look", PROOF),
    ("POST", "/api/join/sign-in", PROOF),
    ("POST", "/api/keys", PROOF),
    ("POST", "/api/keys/statement", PROOF),
    ("POST", "/api/keys/{id}/label", MEMBER),
    ("POST", "/api/metadata/refresh", OPERATOR),
    ("POST", "/api/partners/join", PROOF),
    ("POST", "/api/partners/{realm}/refresh", OPERATOR),
    ("POST", "/api/sign-in", PROOF),
    ("POST", "/api/sign-in/statement", PUBLIC),
    ("POST", "/api/sign-out", MEMBER),
    ("GET", "/api/witness", OPERATOR),
    ("POST", "/api/witness/ask", OPERATOR),
    ("GET", "/log/cosigned", PUBLIC),
    ("GET", "/witness/key", PUBLIC),
    ("GET", "/witnesses", OPERATOR),
    ("POST", "/witness/add-checkpoint", PROOF),
];

struct Realm {
    gateway: Gateway,
    _folder: tempfile::TempDir,
}

impl Realm {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            ..Config::default()
        };
        let start = Start {
            folder: folder.path().to_owned(),
            config,
            operator_key: None,
            clock: Arc::new(SystemClock),
            doors: hallway_gateway::doors::ALL,
        };
        Self {
            gateway: start.ready().await.unwrap().gateway,
            _folder: folder,
        }
    }

    /// A person with a session; gives the session's token.
    async fn person(&self, role: Role, state: PersonState) -> String {
        let person = Person {
            id: PersonId::generate(),
            name: format!("{role}"),
            role,
            state,
            created: self.gateway.now(),
        };
        let (token, hash) = new_token().unwrap();
        let now = SystemClock.now();
        let key = Credential {
            id: CredentialId::new(person.id.as_bytes().to_vec()).unwrap(),
            holder: Holder::Person(person.id),
            public_key: Vec::new(),
            sign_count: 0,
            aaguid: Aaguid::ZERO,
            label: String::new(),
            transports: Vec::new(),
            backup_eligible: false,
            backed_up: false,
            uv_initialized: true,
            user_handle: person.id.as_bytes().to_vec(),
            created: now,
            last_used: None,
            registration: EvidenceHash([0; 32]),
        };
        let session = Session {
            token: hash,
            person: person.id,
            credential: key.id.clone(),
            evidence: key.registration,
            touched: now,
            created: now,
            last_seen: now,
            expires: Timestamp::from_ms(now.as_ms() + 60_000),
            address: String::new(),
            agent: String::new(),
        };
        let (person, key, session) = (&person, &key, &session);
        self.gateway
            .transact(|unit| {
                Box::pin(async move {
                    unit.people().add(person).await?;
                    unit.credentials().add(key).await?;
                    Ok::<_, Problem>(unit.sessions().add(session).await?)
                })
            })
            .await
            .unwrap();
        token
    }

    async fn send(&self, request: Request<Body>) -> Response {
        routes::router(&self.gateway)
            .oneshot(request)
            .await
            .unwrap()
    }

    /// Calls a route with arguments that name nothing.
    async fn call(&self, route: &Route, token: Option<&str>) -> Response {
        let path = concrete(route.path);
        let mut request = Request::builder().method(&route.method).uri(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = match route.method {
            Method::POST => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from("{}")),
            _ => request.body(Body::empty()),
        };
        self.send(request.unwrap()).await
    }
}

/// A path that names nothing.
fn concrete(path: &str) -> String {
    path.replace("{id}", "00000000-0000-7000-8000-000000000000")
        .replace("{hash}", &"00".repeat(32))
        .replace("{name}", "none")
        .replace("{realm}", "none")
        .replace("{store}", "none")
        .replace("{*path}", "0/000")
}

/// Whether the guard let the caller through: what the handler says about the arguments does not
/// matter.
async fn admitted(realm: &Realm, route: &Route, token: Option<&str>) -> bool {
    let response = realm.call(route, token).await;
    let redirected = route.kind == Kind::Page && response.status() == StatusCode::SEE_OTHER;
    let refused = response
        .extensions()
        .get::<Problem>()
        .is_some_and(|problem| {
            matches!(problem.code, Code::SignIn | Code::Role)
                || problem.status() == StatusCode::UNAUTHORIZED
        });
    let page_refused = route.kind == Kind::Page && response.status() == StatusCode::FORBIDDEN;
    !(redirected || refused || page_refused)
}

#[test]
fn every_route_has_a_proven_rule() {
    let served: BTreeMap<(String, &str), Access> = routes::all(hallway_gateway::doors::ALL)
        .iter()
        .map(|route| ((route.method.to_string(), route.path), route.access))
        .collect();
    let stated: BTreeMap<(String, &str), Access> = RULES
        .iter()
        .map(|(method, path, access)| (((*method).to_owned(), *path), *access))
        .collect();
    assert_eq!(stated.len(), RULES.len(), "a rule is stated twice");
    for (route, access) in &served {
        assert_eq!(
            stated.get(route),
            Some(access),
            "{route:?} is served with a rule that is not stated here"
        );
    }
    for route in stated.keys() {
        assert!(
            served.contains_key(route),
            "{route:?} is stated and not served"
        );
    }
}

#[tokio::test]
async fn each_role_gets_what_it_may_and_nothing_more() {
    let realm = Realm::start().await;
    for (role, rank) in [(Role::Member, 0), (Role::Operator, 1), (Role::Owner, 2)] {
        for route in routes::all(hallway_gateway::doors::ALL) {
            // Signing out ends the session, so each call has one of its own.
            let token = realm.person(role, PersonState::Active).await;
            let expected = match route.access {
                Access::Public | Access::Proof | Access::Person(Role::Member) => true,
                Access::Person(Role::Operator) => rank >= 1,
                Access::Person(Role::Owner) => rank >= 2,
            };
            let was = admitted(&realm, &route, Some(&token)).await;
            assert_eq!(was, expected, "{} {} as {role}", route.method, route.path);
        }
    }
}

#[tokio::test]
async fn strangers_suspended_people_and_made_up_tokens_get_only_what_is_public() {
    let realm = Realm::start().await;
    let suspended = realm.person(Role::Owner, PersonState::Suspended).await;
    let (made_up, _) = new_token().unwrap();
    for route in routes::all(hallway_gateway::doors::ALL) {
        let public = !matches!(route.access, Access::Person(_));
        for token in [
            None,
            Some(suspended.as_str()),
            Some(made_up.as_str()),
            Some("x"),
        ] {
            let was = admitted(&realm, &route, token).await;
            assert_eq!(
                was, public,
                "{} {} with {token:?}",
                route.method, route.path
            );
        }
    }
}

#[tokio::test]
async fn a_proof_that_is_none_opens_nothing() {
    let realm = Realm::start().await;
    for route in routes::all(hallway_gateway::doors::ALL)
        .into_iter()
        .filter(|route| route.access == Access::Proof)
    {
        let status = realm.call(&route, None).await.status();
        assert!(
            status.is_client_error(),
            "{} {} answered {status}",
            route.method,
            route.path
        );
    }
}

#[tokio::test]
async fn another_site_cannot_make_a_browser_act() {
    let realm = Realm::start().await;
    let token = realm.person(Role::Owner, PersonState::Active).await;
    let origin = realm.gateway.origin.clone();
    let evil = [
        "https://evil.example",
        "null",
        "http://localhost",
        "http://localhost.evil.example",
    ];
    for route in routes::all(hallway_gateway::doors::ALL)
        .into_iter()
        .filter(|route| !route.method.is_safe())
    {
        let post = |origin: Option<&str>| {
            let mut request = Request::builder()
                .method(&route.method)
                .uri(concrete(route.path))
                .header(
                    header::COOKIE,
                    format!("{}={token}", realm.gateway.cookie_name()),
                )
                .header(header::CONTENT_TYPE, "application/json");
            if let Some(origin) = origin {
                request = request.header(header::ORIGIN, origin);
            }
            request.body(Body::from("{}")).unwrap()
        };
        for origin in evil.into_iter().map(Some).chain([None]) {
            let response = realm.send(post(origin)).await;
            let code = response
                .extensions()
                .get::<Problem>()
                .map(|problem| problem.code);
            assert_eq!(
                code,
                Some(Code::CrossOrigin),
                "{} from {origin:?}",
                route.path
            );
        }
        if route.path != "/api/sign-out" {
            let response = realm.send(post(Some(&origin))).await;
            let code = response
                .extensions()
                .get::<Problem>()
                .map(|problem| problem.code);
            assert_ne!(
                code,
                Some(Code::CrossOrigin),
                "{} from its own origin",
                route.path
            );
        }
    }
}

#[tokio::test]
async fn a_body_over_its_limit_is_refused() {
    let realm = Realm::start().await;
    for route in routes::all(hallway_gateway::doors::ALL)
        .into_iter()
        .filter(|route| route.access == Access::Proof && route.request.is_some())
    {
        let request = Request::post(route.path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(format!(
                "{{\"token\":\"{}\"}}",
                "a".repeat(200_000)
            )))
            .unwrap();
        let response = realm.send(request).await;
        assert_eq!(
            response.status(),
            StatusCode::PAYLOAD_TOO_LARGE,
            "{}",
            route.path
        );
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json",
            "{}",
            route.path
        );
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let realm = Realm::start().await;
    for route in routes::all(hallway_gateway::doors::ALL) {
        let response = realm.call(&route, None).await;
        let headers = response.headers();
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'"),
            "{}: {policy}",
            route.path
        );
        assert!(!policy.contains("unsafe"), "{}", route.path);
        assert_eq!(
            headers[header::X_CONTENT_TYPE_OPTIONS],
            "nosniff",
            "{}",
            route.path
        );
        assert!(
            headers.contains_key(header::CACHE_CONTROL),
            "{}",
            route.path
        );
    }
}

#[tokio::test]
async fn the_description_names_every_route_of_the_api() {
    let realm = Realm::start().await;
    let request = Request::get("/openapi.json").body(Body::empty()).unwrap();
    let body = axum::body::to_bytes(realm.send(request).await.into_body(), 1 << 20)
        .await
        .unwrap();
    let description: serde_json::Value = serde_json::from_slice(&body).unwrap();
    for route in routes::all(hallway_gateway::doors::ALL)
        .into_iter()
        .filter(|route| route.kind == Kind::Api)
    {
        let path = route.path.replace("{*", "{");
        let operation = &description["paths"][&path][route.method.as_str().to_lowercase()];
        assert!(
            operation["summary"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{}",
            route.path
        );
    }
    let done = &description["paths"]["/api/acts"]["post"]["responses"]["200"];
    let outcome = &done["content"]["application/json"]["schema"]["properties"];
    for given in ["evidence", "accepted_ms", "device", "grant"] {
        assert!(outcome[given].is_object(), "{given}: {done}");
    }
    let evidence = &description["components"]["schemas"]["EvidenceView"];
    let statements = evidence["properties"]["statement"]["oneOf"]
        .as_array()
        .unwrap();
    let named = statements
        .iter()
        .map(|one| one["properties"]["act"]["const"].as_str().unwrap());
    let declared = Act::DECLARED.iter().map(|declared| declared.name);
    assert!(named.eq(declared), "{evidence}");
}
