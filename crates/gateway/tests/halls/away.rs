//! A partner's hall in a browser: the gateway at home goes there for it.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use hallway_evidence::statement::hall::Needs;
use hallway_gateway::routes;
use hallway_spine::store::Role;
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::ServiceExt;

use crate::realm::{Guest, House};
use crate::visiting::Two;

/// Far more than the two seconds between looks; nobody waits for it unless it fails.
const TIMEOUT: Duration = Duration::from_secs(30);
const THERE: &str = "/api/partners/alpha.localhost/halls/one";
const FILES: &str = "/api/partners/alpha.localhost/halls/one/files/data";
const RIGHTS: [&str; 4] = ["connect:echo", "read:data", "write:data", "delete:data"];

fn open() -> Value {
    json!({"act": "hall.open", "host": "alpha.localhost", "hall": "one"})
}

/// Any request as a browser sends it, and the whole answer.
async fn ask(
    house: &House,
    who: &Guest,
    request: axum::http::request::Builder,
    body: &str,
) -> (StatusCode, HeaderMap, String) {
    let request = request
        .header(header::AUTHORIZATION, format!("Bearer {}", who.token))
        .header(header::COOKIE, "secret=1")
        .body(Body::from(body.to_owned()))
        .unwrap();
    let answer = routes::router(&house.gateway)
        .oneshot(request)
        .await
        .unwrap();
    let (head, body) = answer.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let text = String::from_utf8(bytes.into()).unwrap();
    (head.status, head.headers, text)
}

/// What a browser sees of the grant, or the code of the refusal.
async fn standing(two: &Two) -> Result<Value, String> {
    let path = format!("{THERE}/grant");
    let asked = two.home.ask("GET", &path, &two.visitor.token, Value::Null);
    asked.await.map_err(|(_, code)| code)
}

/// Whether any grant is open, at one of the two sides.
async fn any_open(house: &House, who: &Guest) -> bool {
    let grants = house
        .ask("GET", "/api/grants", &who.token, Value::Null)
        .await;
    let grants = grants.unwrap()["items"].as_array().unwrap().clone();
    grants.iter().any(|grant| grant["state"] == "open")
}

#[tokio::test]
async fn a_browser_uses_the_files_of_a_partner() {
    let two = Two::open().await;
    two.admit(&RIGHTS).await;
    let (home, ada) = (&two.home, &two.visitor);
    let list = || home.ask("GET", FILES, &ada.token, Value::Null);
    assert_eq!(list().await.unwrap_err().1, "not-open");
    let opened = home.act(ada, open()).await.unwrap();
    assert!(
        opened["grant"]["certificates"].is_null(),
        "no browser needs it: {opened}"
    );
    assert_eq!(standing(&two).await.unwrap()["state"], "open");
    assert_eq!(list().await.unwrap()["entries"][0]["name"], "notes.txt");

    let notes = format!("{FILES}/notes.txt");
    let (status, headers, text) = ask(home, ada, Request::get(&notes), "").await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "notes"));
    assert_eq!(
        headers["content-security-policy"],
        "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    assert_eq!(headers["x-content-type-options"], "nosniff");
    let part = Request::get(&notes).header(header::RANGE, "bytes=1-2");
    let (status, headers, text) = ask(home, ada, part, "").await;
    assert_eq!((status, text.as_str()), (StatusCode::PARTIAL_CONTENT, "ot"));
    assert_eq!(headers[header::CONTENT_RANGE], "bytes 1-2/5");
    let known = Request::get(&notes).header(header::IF_NONE_MATCH, &headers[header::ETAG]);
    assert_eq!(ask(home, ada, known, "").await.0, StatusCode::NOT_MODIFIED);

    let new = format!("{FILES}/new.txt");
    assert_eq!(
        ask(home, ada, Request::put(&new), "new").await.0,
        StatusCode::CREATED
    );
    let rename = json!({"kind": "rename", "to": "old.txt"}).to_string();
    // What has to be so goes along, to the partner too.
    for (name, value) in [
        ("if-match", "\"another\""),
        ("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("if", "([\"another\"])"),
    ] {
        let change = Request::post(&new).header(header::CONTENT_TYPE, "application/json");
        let failed = StatusCode::PRECONDITION_FAILED;
        let changed = ask(home, ada, change.header(name, value), &rename).await;
        assert_eq!(changed.0, failed, "{name}");
        let put = Request::put(&new).header(name, value);
        assert_eq!(ask(home, ada, put, "newer").await.0, failed, "{name}");
        let delete = Request::delete(&new).header(name, value);
        assert_eq!(ask(home, ada, delete, "").await.0, failed, "{name}");
    }
    let change = Request::post(&new).header(header::CONTENT_TYPE, "application/json");
    assert_eq!(ask(home, ada, change, &rename).await.0, StatusCode::CREATED);
    let old = format!("{FILES}/old.txt");
    assert_eq!(ask(home, ada, Request::get(&old), "").await.2, "new");
    assert_eq!(
        ask(home, ada, Request::delete(&old), "").await.0,
        StatusCode::NO_CONTENT
    );
    let gone = home.ask("GET", &old, &ada.token, Value::Null).await;
    assert_eq!(gone, Err((404, "not-found".to_owned())));

    // Any gateway of the realm can go on, and nobody else's session has anything of it.
    let another = home.another().await;
    let (status, _, text) = ask(&another, ada, Request::get(&notes), "").await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "notes"));
    let other = home.person(Role::Owner).await;
    let refused = home.ask("GET", FILES, &other.token, Value::Null).await;
    assert_eq!(refused.unwrap_err().1, "not-open");

    // At the host it is a visit like others.
    let seen = two
        .host
        .ask("GET", "/api/grants", &two.owner.token, Value::Null);
    let seen = seen.await.unwrap()["items"][0].clone();
    assert_eq!(
        (&seen["home"], &seen["name"]),
        (&json!("beta.localhost"), &json!("member"))
    );
}

#[tokio::test]
async fn what_was_not_granted_does_not_leave_home() {
    let two = Two::open().await;
    let (home, ada) = (&two.home, &two.visitor);
    let mut only = open();
    only["rights"] = json!(["connect:echo"]);
    home.act(ada, only).await.unwrap();
    let refused = home.ask("GET", FILES, &ada.token, Value::Null).await;
    assert_eq!(refused.unwrap_err().1, "not-granted");
    // Reading is granted by the next touch, but not writing, and no way leads out of the store.
    home.act(ada, open()).await.unwrap();
    for (request, body, expected) in [
        (Request::put(format!("{FILES}/x")), "x", "not-granted"),
        (
            Request::delete(format!("{FILES}/notes.txt")),
            "",
            "not-granted",
        ),
        (
            Request::get(format!("{FILES}/../../../grant")),
            "",
            "malformed",
        ),
        (
            Request::get(format!("{FILES}/%2e%2e/other")),
            "",
            "malformed",
        ),
    ] {
        let (_, _, text) = ask(home, ada, request, body).await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["code"], expected);
    }
}

/// Somebody ends it.
#[derive(Clone, Copy, Debug)]
enum End {
    Host,
    Visitor,
    SigningOut,
}

#[tokio::test]
async fn when_it_ends_it_ends_at_both_sides() {
    for end in [End::Host, End::Visitor, End::SigningOut] {
        let two = Two::open().await;
        let (home, ada) = (&two.home, &two.visitor);
        let witness = home.person(Role::Operator).await;
        let opened = home.act(ada, open()).await.unwrap();
        assert_eq!(standing(&two).await.unwrap()["state"], "open");
        match end {
            End::Host => {
                let grants = two
                    .host
                    .ask("GET", "/api/grants", &two.owner.token, Value::Null);
                let id = grants.await.unwrap()["items"][0]["id"].clone();
                let act = json!({"act": "hall.end", "grant": id});
                two.host.act(&two.owner, act).await.unwrap();
                assert_eq!(standing(&two).await, Ok(Value::Null));
            }
            End::Visitor => {
                let id = opened["grant"]["id"].as_str().unwrap();
                let path = format!("/api/grants/{id}/end");
                home.ask("POST", &path, &ada.token, json!({}))
                    .await
                    .unwrap();
                assert_eq!(standing(&two).await, Ok(Value::Null));
            }
            End::SigningOut => {
                let out = Request::post("/api/sign-out");
                let out = out.header(header::CONTENT_TYPE, "application/json");
                assert!(ask(home, ada, out, "{}").await.0.is_success());
            }
        }
        // The host hears of what ended at home, and home of what ended at the host.
        timeout(TIMEOUT, async {
            while any_open(&two.host, &two.owner).await {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("{end:?}: it is open at the host"));
        if !matches!(end, End::SigningOut) {
            assert!(!any_open(home, &witness).await, "{end:?}");
        }
    }
}

#[tokio::test]
async fn a_browser_waits_for_the_hosts_approval() {
    let two = Two::open().await;
    let needs = Needs {
        approval: Some(Role::Operator),
        ..Needs::default()
    };
    two.admit_if(&["read:data"], needs).await;
    let operator = two.host.person(Role::Operator).await;
    let (home, ada) = (&two.home, &two.visitor);
    home.act(ada, open()).await.unwrap();
    assert_eq!(standing(&two).await.unwrap()["state"], "waiting");
    let refused = home.ask("GET", FILES, &ada.token, Value::Null).await;
    assert_eq!(refused.unwrap_err().1, "waiting-for-approval");
    let page = Request::get("/partners/alpha.localhost/halls/one");
    let page = page.header(header::ACCEPT, "text/html");
    let (_, _, text) = ask(home, ada, page, "").await;
    assert!(
        text.contains("until an operator of alpha.localhost approves it: operator"),
        "{text}"
    );
    let waiting = two
        .host
        .ask("GET", "/api/approvals", &operator.token, Value::Null);
    let act = json!({"act": "hall.approve", "grant": waiting.await.unwrap()[0]["id"]});
    two.host.act(&operator, act).await.unwrap();
    assert_eq!(standing(&two).await.unwrap()["state"], "open");
    let entries = home.ask("GET", FILES, &ada.token, Value::Null).await;
    assert_eq!(entries.unwrap()["entries"][0]["name"], "notes.txt");
}

#[tokio::test]
async fn what_the_host_does_not_accept_is_over_at_home() {
    let two = Two::open().await;
    let (home, ada) = (&two.home, &two.visitor);
    home.act(ada, open()).await.unwrap();
    // By the time the evidence is shown it is too old.
    two.host.later(Duration::from_secs(11 * 60));
    assert_eq!(standing(&two).await, Ok(Value::Null));
    assert!(!any_open(home, ada).await);
}

#[tokio::test]
async fn home_certifies_again_as_long_as_it_is_open() {
    let lasting = Duration::from_secs(5);
    let two = Two::with(House::certifying("beta.localhost", lasting.as_secs()).await).await;
    let (home, ada) = (&two.home, &two.visitor);
    home.act(ada, open()).await.unwrap();
    // Twice as long as the host would let somebody stay whom home no longer certifies.
    let later = home.gateway.now().plus(2 * lasting);
    while home.gateway.now() < later {
        let entries = home.ask("GET", FILES, &ada.token, Value::Null).await;
        assert_eq!(entries.unwrap()["entries"][0]["name"], "notes.txt");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
