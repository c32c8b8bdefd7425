//! Agents join once, and are nobody's guests.

use std::time::Duration;

use hallway_hall::{ClientError, HallKey};
use hallway_spine::store::Role;
use serde_json::{Value, json};

use crate::realm::{Guest, House, client, spki};

async fn invite(house: &House, owner: &Guest) -> String {
    let act =
        json!({"act": "hall.invite_agent", "hall": "one", "agent": "lab", "stores": ["scans"]});
    let done = house.act(owner, act).await.unwrap();
    let link = done["link"].as_str().unwrap();
    link.split_once('#').unwrap().1.to_owned()
}

async fn join(house: &House, token: &str, key: &HallKey) -> Result<Value, (u16, String)> {
    let join = json!({"token": token, "public_key": spki(key)});
    house
        .ask("POST", "/api/hall-agents/join", "none", join)
        .await
}

#[tokio::test]
async fn a_token_lets_one_machine_in_once() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    house.furnish(&owner).await;
    let token = invite(&house, &owner).await;
    let key = HallKey::generate().unwrap();
    let spent = Err((403, "token".to_owned()));
    let short = Err((400, "malformed".to_owned()));
    let malformed = json!({"token": token, "public_key": "AAAA"});
    let answer = house.ask("POST", "/api/hall-agents/join", "none", malformed);
    assert_eq!(answer.await, short, "which uses nothing up");
    assert_eq!(join(&house, "made-up", &key).await, spent);
    let joined = join(&house, &token, &key).await.unwrap();
    assert_eq!(
        (&joined["hall"], &joined["agent"]),
        (&json!("one"), &json!("lab"))
    );
    let other = HallKey::generate().unwrap();
    assert_eq!(join(&house, &token, &other).await, spent);

    // An agent has no grant.
    let agent = client(&joined, key);
    match agent.grant().await.unwrap_err() {
        ClientError::Problem(problem) => assert_eq!(problem.code, "agent"),
        error => panic!("{error}"),
    }
    // One that was put out is nobody.
    let act = json!({"act": "hall.dismiss_agent", "hall": "one", "agent": "lab"});
    house.act(&owner, act).await.unwrap();
    match agent.grant().await.unwrap_err() {
        ClientError::Problem(problem) => {
            assert!(matches!(
                problem.code.as_str(),
                "agent-dismissed" | "grant-ended"
            ));
        }
        ClientError::Broken(_) => {}
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn an_invitation_expires() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    house.furnish(&owner).await;
    let token = invite(&house, &owner).await;
    house.later(Duration::from_secs(3601));
    let key = HallKey::generate().unwrap();
    let late = join(&house, &token, &key).await;
    assert_eq!(late, Err((403, "token".to_owned())));
}
