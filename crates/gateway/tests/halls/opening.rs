//! What a touch opens, and what it does not.

use hallway_hall::HallKey;
use hallway_spine::settings::Policies;
use hallway_spine::store::Role;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::realm::{Entered, House, spki};

fn code<T: std::fmt::Debug>(refused: Result<T, (u16, String)>) -> String {
    refused.unwrap_err().1
}

#[tokio::test]
async fn a_touch_opens_a_service_until_it_is_ended() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    let member = house.person(Role::Member).await;
    house.furnish(&owner).await;
    let key = HallKey::generate().unwrap();
    let act = json!({"act": "hall.open", "hall": "one", "duration_ms": 60_000,
                     "rights": ["connect:echo"], "public_key": spki(&key)});
    let done = house.act(&member, act).await.unwrap();
    let entered = Entered::new(&done["grant"], key);
    let mut stream = entered.stream().await;

    let grant = entered.client.grant().await.unwrap();
    assert_eq!(grant.hall.as_str(), "one");
    assert_eq!(grant.person.id, member.id.to_string());
    assert_eq!(
        serde_json::to_value(&grant.rights).unwrap(),
        json!(["connect:echo"])
    );
    assert_eq!(Some(grant.ends_ms), done["grant"]["ends_ms"].as_u64());
    // A certificate never lasts longer than its grant.
    assert!(grant.certificate_ends_ms <= grant.ends_ms);
    let renewed = entered.client.renew().await.unwrap();
    assert!(renewed.certificate_ends_ms <= grant.ends_ms);
    entered.stream().await;
    // The stream that was open before goes on.
    stream.write_all(b"still here").await.unwrap();

    // It is evidence, and everybody sees what is theirs.
    let evidence = done["evidence"].as_str().unwrap();
    let path = format!("/api/evidence/{evidence}");
    let seen = house
        .ask("GET", &path, &member.token, Value::Null)
        .await
        .unwrap();
    assert!(
        seen["sentence"]
            .as_str()
            .unwrap()
            .contains("open the hall “one”"),
        "{seen}"
    );
    let grants = house
        .ask(
            "GET",
            "/api/grants?hall=one&limit=5",
            &member.token,
            Value::Null,
        )
        .await
        .unwrap();
    assert_eq!(grants["items"][0]["id"], entered.id.as_str());
    let halls = house
        .ask("GET", "/api/halls", &member.token, Value::Null)
        .await
        .unwrap();
    assert_eq!(
        halls.as_array().unwrap().len(),
        1,
        "the other hall is none of theirs"
    );
    assert_eq!(halls[0]["inside"], 1);
    let hidden = house
        .ask("GET", "/api/halls/two", &member.token, Value::Null)
        .await;
    assert_eq!(code(hidden), "not-found");
}

#[tokio::test]
async fn an_opening_without_admission_is_refused() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    let member = house.person(Role::Member).await;
    house.furnish(&owner).await;
    let key = HallKey::generate().unwrap();
    let open = |more: Value| {
        let mut act = json!({"act": "hall.open", "hall": "one", "public_key": spki(&key)});
        act.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        act
    };
    for (more, expected) in [
        (json!({"rights": ["connect:other"]}), "not-granted"),
        (
            json!({"rights": ["read:data", "write:data"]}),
            "not-granted",
        ),
        (json!({"rights": []}), "malformed"),
        (json!({"duration_ms": 8 * 3_600_000 + 1}), "duration"),
        (json!({"duration_ms": 0}), "duration"),
        (json!({"hall": "two"}), "not-admitted"),
        (json!({"hall": "three"}), "not-admitted"),
        (json!({"public_key": "AAAA"}), "malformed"),
    ] {
        let refused = house.sign(&member, open(more.clone())).await;
        assert_eq!(code(refused), expected, "{more}");
    }

    // What was signed counts once, and a key gets one grant.
    let answer = house.sign(&member, open(json!({}))).await.unwrap();
    let post = || house.ask("POST", "/api/acts", &member.token, answer.clone());
    post().await.unwrap();
    assert_eq!(code(post().await), "replayed");
    let again = house.act(&member, open(json!({}))).await;
    assert_eq!(code(again), "key-used");

    // An admission that is taken back between statement and touch no longer counts.
    let fresh = HallKey::generate().unwrap();
    let act = json!({"act": "hall.open", "hall": "one", "public_key": spki(&fresh)});
    let answer = house.sign(&member, act).await.unwrap();
    let dismiss = json!({"act": "hall.dismiss", "hall": "one", "guest": {"role": "member"}});
    house.act(&owner, dismiss).await.unwrap();
    let late = house.ask("POST", "/api/acts", &member.token, answer).await;
    assert_eq!(code(late), "not-admitted");
}

#[tokio::test]
async fn members_decide_nothing_about_halls() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    house.furnish(&owner).await;
    let entered = house.enter(&owner).await;
    for role in [Role::Member, Role::Operator] {
        let other = house.person(role).await;
        for act in [
            json!({"act": "hall.create", "hall": "mine", "title": "Mine"}),
            json!({"act": "hall.remove", "hall": "one"}),
            json!({"act": "hall.admit", "hall": "two", "guest": {"person": other.id},
                   "rights": ["read:data"]}),
            json!({"act": "hall.dismiss", "hall": "one", "guest": {"role": "member"}}),
            json!({"act": "hall.invite_agent", "hall": "one", "agent": "mine", "stores": ["mine"]}),
            json!({"act": "hall.dismiss_agent", "hall": "one", "agent": "mine"}),
        ] {
            assert_eq!(
                code(house.sign(&other, act.clone()).await),
                "role",
                "{act} as {role}"
            );
        }
        let end = json!({"act": "hall.end", "grant": entered.id});
        let ended = house.sign(&other, end).await;
        match role {
            Role::Operator => drop(ended.unwrap()),
            _ => assert_eq!(code(ended), "role"),
        }
        // The way without a touch is for one's own.
        let path = format!("/api/grants/{}/end", entered.id);
        let other = house.ask("POST", &path, &other.token, json!({})).await;
        assert_eq!(code(other), "not-found");
    }
    entered.stream().await;
}

#[tokio::test]
async fn without_a_listener_no_key_is_certified() {
    let furnished = House::open().await;
    let owner = furnished.person(Role::Owner).await;
    furnished.furnish(&owner).await;
    let house = furnished.another_with(Policies::default()).await;
    let key = HallKey::generate().unwrap();
    let act = json!({"act": "hall.open", "hall": "one", "public_key": spki(&key)});
    assert_eq!(code(house.sign(&owner, act).await), "no-hall-listener");
    // A browser needs no listener.
    let act = json!({"act": "hall.open", "hall": "one"});
    let done = house.act(&owner, act).await.unwrap();
    assert!(done["grant"]["certificates"].is_null());
}
