//! Files in a browser: under a session, and the grant that a touch gave to that very session.

use hallway_spine::store::Role;
use serde_json::{Value, json};

use crate::realm::House;

const FILES: &str = "/api/halls/one/files/data";

#[tokio::test]
async fn files_open_for_the_session_that_touched_and_for_no_other() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    let other = house.person(Role::Owner).await;
    house.furnish(&owner).await;
    let list = |token: String| {
        let house = &house;
        async move { house.ask("GET", FILES, &token, Value::Null).await }
    };
    let closed = Err((403, "not-open".to_owned()));
    assert_eq!(list(owner.token.clone()).await, closed);

    let open = json!({"act": "hall.open", "hall": "one"});
    let done = house.act(&owner, open).await.unwrap();
    let entries = list(owner.token.clone()).await.unwrap();
    assert_eq!(entries["entries"][0]["name"], "notes.txt");
    assert_eq!(list(other.token.clone()).await, closed);

    // Reading was granted, writing and deleting were not; nor is another store reached.
    let file = format!("{FILES}/notes.txt");
    for (method, path, body) in [
        ("PUT", file.as_str(), json!("x")),
        ("DELETE", file.as_str(), Value::Null),
        (
            "POST",
            file.as_str(),
            json!({"kind": "rename", "to": "other.txt"}),
        ),
        ("GET", "/api/halls/one/files/other", Value::Null),
    ] {
        let refused = house.ask(method, path, &owner.token, body).await;
        assert_eq!(
            refused,
            Err((403, "not-granted".to_owned())),
            "{method} {path}"
        );
    }
    let elsewhere = house
        .ask(
            "GET",
            "/api/halls/two/files/data",
            &owner.token,
            Value::Null,
        )
        .await;
    assert_eq!(elsewhere, closed);

    let path = format!("/api/grants/{}/end", done["grant"]["id"].as_str().unwrap());
    house
        .ask("POST", &path, &owner.token, json!({}))
        .await
        .unwrap();
    assert_eq!(list(owner.token.clone()).await, closed);
}
