//! Locks on files, across the gateways of a realm and on every way to a file.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use bytes::Bytes;
use hallway_hall::{HallClient, HallKey, body};
use hallway_spine::store::Role;
use serde_json::{Value, json};

use crate::realm::{Entered, Guest, House, spki};

const FILE: &str = "/files/data/notes.txt";
const EXCLUSIVE: &str = "<D:lockinfo xmlns:D='DAV:'><D:lockscope><D:exclusive/></D:lockscope>\
    <D:locktype><D:write/></D:locktype></D:lockinfo>";

struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    /// What goes into `If` to use the new lock.
    fn condition(&self) -> String {
        format!("({})", self.headers["lock-token"].to_str().unwrap())
    }
}

async fn ask(client: &HallClient, request: &str, headers: &[(&str, &str)], content: &str) -> Reply {
    let (method, path) = request.split_once(' ').unwrap();
    let mut built = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        built = built.header(*name, *value);
    }
    let request = built.body(body::full(content.to_owned())).unwrap();
    let (head, body) = client.forward(request).await.unwrap().into_parts();
    Reply {
        status: head.status.as_u16(),
        headers: head.headers,
        body: to_bytes(Body::new(body), 1 << 20).await.unwrap(),
    }
}

async fn put(client: &HallClient, headers: &[(&str, &str)]) -> u16 {
    ask(client, &format!("PUT {FILE}"), headers, "new")
        .await
        .status
}

/// Two gateways of a realm in which members may do everything with the store.
async fn realm() -> ([House; 2], Guest) {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    house.furnish(&owner).await;
    let admit = json!({"act": "hall.admit", "hall": "one", "guest": {"role": "member"},
                       "rights": ["read:data", "write:data", "delete:data"]});
    house.act(&owner, admit).await.unwrap();
    let other = house.another().await;
    ([house, other], owner)
}

async fn enter(house: &House) -> (Guest, Entered) {
    let guest = house.person(Role::Member).await;
    let entered = house.enter(&guest).await;
    (guest, entered)
}

#[tokio::test]
async fn a_lock_that_is_taken_at_one_gateway_refuses_at_the_other_until_its_grant_ends() {
    let ([house, other], _owner) = realm().await;
    let (ada, with_ada) = enter(&house).await;
    let (bo, with_bo) = enter(&other).await;
    let lock = ask(&with_ada.client, &format!("LOCK {FILE}"), &[], EXCLUSIVE).await;
    assert_eq!(lock.status, 200);
    let condition = lock.condition();
    let mine = [("if", condition.as_str())];

    assert_eq!(put(&with_bo.client, &[]).await, 423);
    assert_eq!(put(&with_bo.client, &mine).await, 423);
    assert_eq!(put(&with_ada.client, &[]).await, 423);
    assert_eq!(put(&with_ada.client, &mine).await, 204);
    let token = condition.trim_matches(['(', ')']);
    let unlock = format!("UNLOCK {FILE}");
    let not_hers = ask(&with_bo.client, &unlock, &[("lock-token", token)], "").await;
    assert_eq!(not_hers.status, 403);

    // Another grant of the same person is another holder: here that of a browser, at the other gateway.
    let open = json!({"act": "hall.open", "hall": "one"});
    for guest in [&ada, &bo] {
        other.act(guest, open.clone()).await.unwrap();
        for (method, body) in [
            ("PUT", json!("x")),
            ("DELETE", Value::Null),
            ("POST", json!({"kind": "rename", "to": "other.txt"})),
        ] {
            let path = format!("/api/halls/one{FILE}");
            let refused = other.ask(method, &path, &guest.token, body).await;
            assert_eq!(refused, Err((423, "locked".to_owned())), "{method}");
        }
    }

    let end = format!("/api/grants/{}/end", with_ada.id);
    house
        .ask("POST", &end, &ada.token, json!({}))
        .await
        .unwrap();
    assert_eq!(put(&with_bo.client, &[]).await, 204);
}

#[tokio::test]
async fn one_of_ten_clients_that_lock_at_once_gets_the_lock() {
    let ([house, other], _owner) = realm().await;
    let (_, with_ada) = enter(&house).await;
    let (_, with_bo) = enter(&other).await;
    let request = format!("LOCK {FILE}");
    let locking = (0..10).map(|n| {
        let client = [&with_ada.client, &with_bo.client][n % 2];
        ask(client, &request, &[], EXCLUSIVE)
    });
    let replies = futures_util::future::join_all(locking).await;
    let with = |status| replies.iter().filter(move |reply| reply.status == status);
    assert_eq!((with(200).count(), with(423).count()), (1, 9));
    let refused = with(423).next().unwrap();
    let said = String::from_utf8_lossy(&refused.body);
    assert!(said.contains("<D:no-conflicting-lock>"), "{said}");
}

#[tokio::test]
async fn a_reader_sees_locks_and_takes_none() {
    let ([house, other], _owner) = realm().await;
    let (_, with_ada) = enter(&house).await;
    let reader = other.person(Role::Member).await;
    let key = HallKey::generate().unwrap();
    let act = json!({"act": "hall.open", "hall": "one", "public_key": spki(&key),
                     "rights": ["read:data"]});
    let done = other.act(&reader, act).await.unwrap();
    let reading = Entered::new(&done["grant"], key);
    let lock = ask(&with_ada.client, &format!("LOCK {FILE}"), &[], EXCLUSIVE).await;
    assert_eq!(lock.status, 200);
    let refused = ask(&reading.client, &format!("LOCK {FILE}"), &[], EXCLUSIVE).await;
    assert_eq!(refused.status, 403);
    let seen = ask(
        &reading.client,
        &format!("PROPFIND {FILE}"),
        &[("depth", "0")],
        "",
    )
    .await;
    let seen = String::from_utf8_lossy(&seen.body).into_owned();
    assert!(seen.contains("<D:activelock>"), "{seen}");
    // A name that was not granted gets the answer that it always gets.
    let other_store = ask(&reading.client, "LOCK /files/other/x", &[], EXCLUSIVE).await;
    let unlocked = ask(&reading.client, "PUT /files/other/x", &[], "").await;
    assert_eq!((other_store.status, other_store.body), (403, unlocked.body));
}
