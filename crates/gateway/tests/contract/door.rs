//! What a door gets by being in the list: see [`crate::guestbook`].

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use hallway_ctap::aaguid::Aaguid;
use hallway_door_device::DeviceDoor;
use hallway_door_hall::HallDoor;
use hallway_door_web::Web;
use hallway_evidence::{CredentialId, Timestamp};
use hallway_gateway::backup::Realm;
use hallway_gateway::config::{self, Config};
use hallway_gateway::{Clock, Gateway, Start, SystemClock, routes};
use hallway_spine::door::Doors;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::new_token;
use hallway_spine::store::{Credential, EvidenceHash, Holder, Role, Session};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::database::Database;
use crate::guestbook::Guestbook;
use crate::sample::person;

const DOORS: Doors = Doors::new(&[&Web, &DeviceDoor, &HallDoor, &Guestbook]);

async fn start(folder: &std::path::Path, address: &str) -> Gateway {
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        database: if address.contains("://") {
            address.parse().unwrap()
        } else {
            format!("sqlite:{address}").parse().unwrap()
        },
        ..Config::default()
    };
    let start = Start {
        folder: folder.to_owned(),
        config,
        operator_key: None,
        clock: Arc::new(SystemClock),
        doors: DOORS,
    };
    start.ready().await.unwrap().gateway
}

/// Somebody who is signed in; gives their session's token.
async fn member(gateway: &Gateway) -> String {
    let person = person(Role::Member);
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
    let added = gateway.transact(|unit| {
        Box::pin(async move {
            unit.people().add(person).await?;
            unit.credentials().add(key).await?;
            Ok::<_, Problem>(unit.sessions().add(session).await?)
        })
    });
    added.await.unwrap();
    token
}

async fn call(
    gateway: &Gateway,
    (method, path): (&str, &str),
    token: Option<&str>,
    body: Option<Value>,
) -> (u16, String) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let request = request
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .unwrap();
    let response = routes::router(gateway).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

pub(crate) async fn a_door_of_ones_own_has_everything(database: &Database) {
    let folder = tempfile::tempdir().unwrap();
    let gateway = start(folder.path(), database.address()).await;
    let token = member(&gateway).await;
    let book = ("GET", "/api/guestbook");

    // Its authorisation rule.
    assert_eq!(call(&gateway, book, None, None).await.0, 401);
    assert_eq!(
        call(&gateway, book, Some(&token), None).await,
        (200, "[]".to_owned())
    );

    // Its table, on either database.
    let line = json!({ "line": "Emily was here" });
    let written = call(
        &gateway,
        ("POST", "/api/guestbook"),
        Some(&token),
        Some(line),
    )
    .await;
    assert_eq!(written, (200, r#"["Emily was here"]"#.to_owned()));
    let twice = json!({ "line": "x", "more": 1 });
    let refused = call(
        &gateway,
        ("POST", "/api/guestbook"),
        Some(&token),
        Some(twice),
    )
    .await;
    assert_eq!(refused.0, 422, "{refused:?}");

    // Its page, to which the navigation leads.
    let (status, page) = call(&gateway, ("GET", "/guestbook"), Some(&token), None).await;
    assert_eq!(status, 200);
    assert!(page.contains("<p>Emily was here</p>"), "{page}");
    assert!(
        page.contains(r#"<a href="/guestbook" aria-current="page">Guestbook</a>"#),
        "{page}"
    );

    // Its place in the description of the API.
    let (_, described) = call(&gateway, ("GET", "/openapi.json"), None, None).await;
    let described: Value = serde_json::from_str(&described).unwrap();
    let written = &described["paths"]["/api/guestbook"]["post"];
    assert_eq!(written["summary"], "Write a line");
    assert_eq!(
        written["security"],
        json!([{ "session": [] }, { "bearer": [] }])
    );

    // Its place in a backup.
    let file = folder.path().join("realm.backup");
    let realm = |folder: &std::path::Path, database: Option<&str>| Realm {
        folder: folder.to_owned(),
        database: database.map(|address| address.parse().unwrap()),
        operator_key: None,
        doors: DOORS,
    };
    gateway.store.clone().close().await.unwrap();
    realm(folder.path(), None).back_up(&file).await.unwrap();
    let other = tempfile::tempdir().unwrap();
    let key = "operator.key";
    std::fs::copy(folder.path().join(key), other.path().join(key)).unwrap();
    let there = Some("sqlite:hallway.db");
    realm(other.path(), there).restore(&file).await.unwrap();
    assert!(other.path().join(config::FILE).exists());
    let again = start(
        other.path(),
        other.path().join("hallway.db").to_str().unwrap(),
    )
    .await;
    let token = member(&again).await;
    let (_, lines) = call(&again, book, Some(&token), None).await;
    assert_eq!(lines, r#"["Emily was here"]"#);
}
