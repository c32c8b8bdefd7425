//! The realm's own authorities take turns, and nobody notices; or one is withdrawn, and everybody
//! does.

use std::time::Duration;

use axum::http::Request;
use hallway_door_hall::HallsOf;
use hallway_door_hall::partners::trust;
use hallway_hall::{ClientError, HallKey, Party, body, client};
use hallway_spine::store::Role;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::listener::{MINUTE_MS, given, leaf};
use crate::realm::{Guest, House, client as enter, spki};

/// Replaces the authority that signs, at one gateway; the other one hears of it.
async fn rotate(house: &House, other: &House, owner: &Guest, act: &str) {
    house.act(owner, json!({ "act": act })).await.unwrap();
    for gateway in [&house.gateway, &other.gateway] {
        // As they do every two seconds.
        trust::follow(gateway).await.unwrap();
    }
}

fn is_put_out(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused { .. } | ClientError::Broken(_))
}

/// An agent of the hall `one`, and the client that it would be.
async fn agent(house: &House, owner: &Guest) -> client::HallClient {
    let act =
        json!({"act": "hall.invite_agent", "hall": "one", "agent": "lab", "stores": ["scans"]});
    let link = house.act(owner, act).await.unwrap()["link"].clone();
    let token = link.as_str().unwrap().split_once('#').unwrap().1;
    let key = HallKey::generate().unwrap();
    let join = json!({"token": token, "public_key": spki(&key)});
    let joined = house.ask("POST", "/api/hall-agents/join", "none", join);
    enter(&joined.await.unwrap(), key)
}

async fn renewed(agent: &client::HallClient) -> Result<Value, ClientError> {
    let request = Request::post("/agent/renew").body(body::empty()).unwrap();
    client::json(client::accepted(agent.forward(request).await?).await?).await
}

#[tokio::test]
async fn nobody_notices_that_another_authority_signs() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    house.furnish(&owner).await;
    let other = house.another().await;
    let inside = house.enter(&owner).await;
    let mut stream = inside.stream().await;
    let agent = agent(&house, &owner).await;
    assert_eq!(
        renewed(&agent).await.unwrap()["bundle"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let before = house.gateway.halls().authorities.in_use();

    rotate(&house, &other, &owner, "realm.replace_authority").await;
    let after = house.gateway.halls().authorities.in_use();
    assert_ne!(after.signing.certificate(), before.signing.certificate());
    assert!(after.sequence > before.sequence);
    assert_eq!(
        other.gateway.halls().authorities.in_use().bundle,
        after.bundle
    );
    let twice = house
        .act(&owner, json!({"act": "realm.replace_authority"}))
        .await;
    assert_eq!(twice.unwrap_err(), (409, "authority-too-new".to_owned()));

    // Who holds a certificate of the one before, and knows no other bundle than it got then.
    stream.write_all(b"on").await.unwrap();
    stream.read_exact(&mut [0; 2]).await.unwrap();
    inside.stream().await;
    inside.client.grant().await.unwrap();
    inside.client.renew().await.unwrap();
    inside.stream().await;
    assert_eq!(
        renewed(&agent).await.unwrap()["bundle"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let key = HallKey::generate().unwrap();
    let nobody = Party::Person(owner.id.to_string());
    let unknown = |error| match error {
        ClientError::Problem(problem) => problem.code,
        error => panic!("{error}"),
    };
    // TLS takes what the one before signs, as long as it may have signed it.
    let der = leaf(&before.signing, nobody.clone(), &key, 0, MINUTE_MS);
    let asked = enter(&given(&other, &der), key).grant().await;
    assert_eq!(unknown(asked.unwrap_err()), "unknown-grant");

    // The first gateway's time goes on; the other one's does not, but it follows.
    house.later(Duration::from_secs(25 * 3600));
    trust::follow(&house.gateway).await.unwrap();
    trust::follow(&other.gateway).await.unwrap();
    assert_eq!(
        other
            .gateway
            .halls()
            .authorities
            .in_use()
            .bundle
            .authorities()
            .len(),
        2
    );
    let key = HallKey::generate().unwrap();
    let der = leaf(&before.signing, nobody, &key, 0, MINUTE_MS);
    let refused = enter(&given(&other, &der), key).grant().await.unwrap_err();
    assert!(is_put_out(&refused), "{refused}");
}

#[tokio::test]
async fn what_a_withdrawn_authority_signed_is_good_no_more() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    house.furnish(&owner).await;
    let other = house.another().await;
    let (inside, agent) = (house.enter(&owner).await, agent(&house, &owner).await);
    inside.client.grant().await.unwrap();
    let mut stream = inside.stream().await;
    renewed(&agent).await.unwrap();
    let before = house.gateway.halls().authorities.in_use();

    rotate(&house, &other, &owner, "realm.withdraw_authority").await;
    let after = other.gateway.halls().authorities.in_use();
    assert_eq!(after.bundle.authorities().len(), 2);
    assert!(
        !after
            .bundle
            .authorities()
            .contains(before.signing.certificate())
    );
    for refused in [
        inside.client.grant().await.map(drop),
        inside.client.renew().await.map(drop),
        renewed(&agent).await.map(drop),
    ] {
        let refused = refused.unwrap_err();
        assert!(is_put_out(&refused), "{refused}");
    }
    assert_eq!(
        stream.read(&mut [0; 1]).await.unwrap_or(0),
        0,
        "a stream went on"
    );
    // Opened again, it is as before.
    house.enter(&owner).await.stream().await;
    // And at once again, though nobody knows the next one.
    rotate(&house, &other, &owner, "realm.withdraw_authority").await;
    house.enter(&owner).await.stream().await;
}

#[tokio::test]
async fn only_an_owner_replaces_an_authority() {
    let house = House::open().await;
    let operator = house.person(Role::Operator).await;
    for name in [
        "realm.replace_authority",
        "realm.withdraw_authority",
        "witness.begin_log_anew",
    ] {
        let act = json!({"act": name});
        let act = match name {
            "witness.begin_log_anew" => json!({"act": name, "origin": "beta.example/log"}),
            _ => act,
        };
        let refused = house.act(&operator, act).await.unwrap_err();
        assert_eq!(refused, (403, "role".to_owned()));
    }
    let listed = house
        .ask("GET", "/api/hall/authorities", &operator.token, Value::Null)
        .await
        .unwrap();
    let stages: Vec<&str> = (listed.as_array().unwrap().iter())
        .map(|row| row["stage"].as_str().unwrap())
        .collect();
    assert_eq!(stages, ["next", "signing"]);
}
