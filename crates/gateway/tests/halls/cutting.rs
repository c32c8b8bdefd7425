//! Whatever a grant rests on goes, what is open is cut within seconds.

use std::time::Duration;

use hallway_ctap::aaguid::Aaguid;
use hallway_door_hall::channel::standing::Standing;
use hallway_door_hall::store::HallTables;
use hallway_spine::models::Models;
use hallway_spine::settings::{PersonPolicy, Policies};
use hallway_spine::store::{PersonState, Role};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use crate::realm::{Entered, Guest, House};

/// Far more than the two seconds between looks; nobody waits for it unless it fails.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Something on which a grant rests.
#[derive(Clone, Copy, Debug)]
enum Ground {
    OwnEnd,
    OperatorsEnd,
    Admission,
    Person,
    Key,
    Hall,
    Time,
}

async fn take_away(house: &House, ground: Ground, owner: &Guest, guest: &Guest, id: &str) {
    let act = match ground {
        Ground::OwnEnd => {
            let path = format!("/api/grants/{id}/end");
            house
                .ask("POST", &path, &guest.token, json!({}))
                .await
                .unwrap();
            return;
        }
        Ground::Person => {
            let (gateway, id) = (&house.gateway, guest.id);
            gateway
                .store
                .transact(|unit| {
                    Box::pin(
                        async move { unit.people().set_state(id, PersonState::Suspended).await },
                    )
                })
                .await
                .unwrap();
            return;
        }
        Ground::Key => {
            let (gateway, credential) = (&house.gateway, &guest.credential);
            gateway
                .store
                .transact(|unit| {
                    Box::pin(
                        async move { unit.credentials().remove_even_the_last(credential).await },
                    )
                })
                .await
                .unwrap();
            return;
        }
        Ground::Time => return house.later(Duration::from_secs(8 * 3600 + 1)),
        Ground::OperatorsEnd => json!({"act": "hall.end", "grant": id}),
        Ground::Admission => {
            json!({"act": "hall.dismiss", "hall": "one", "guest": {"role": "member"}})
        }
        Ground::Hall => json!({"act": "hall.remove", "hall": "one"}),
    };
    house.act(owner, act).await.unwrap();
}

async fn is_cut(entered: &Entered, mut stream: hallway_hall::stream::BoxStream, why: &str) {
    let mut rest = [0; 64];
    let read = timeout(TIMEOUT, stream.read(&mut rest)).await;
    let read = read.unwrap_or_else(|_| panic!("the stream is open after {why}"));
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?} after {why}");
    let service = "echo".parse().unwrap();
    assert!(entered.client.stream(&service).await.is_err(), "{why}");
    assert!(entered.client.renew().await.is_err(), "{why}");
}

#[tokio::test]
async fn everything_on_which_a_grant_rests_must_stay() {
    for ground in [
        Ground::OwnEnd,
        Ground::OperatorsEnd,
        Ground::Admission,
        Ground::Person,
        Ground::Key,
        Ground::Hall,
        Ground::Time,
    ] {
        let house = House::open().await;
        let owner = house.person(Role::Owner).await;
        let guest = house.person(Role::Member).await;
        house.furnish(&owner).await;
        let entered = house.enter(&guest).await;
        let stream = entered.stream().await;
        take_away(&house, ground, &owner, &guest, &entered.id).await;
        is_cut(&entered, stream, &format!("{ground:?}")).await;
    }
}

#[tokio::test]
async fn a_narrower_admission_narrows_what_was_granted() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    let guest = house.person(Role::Member).await;
    house.furnish(&owner).await;
    let entered = house.enter(&guest).await;
    drop(entered.stream().await);
    let act = json!({"act": "hall.admit", "hall": "one", "guest": {"role": "member"},
                     "rights": ["read:data", "connect:other"]});
    house.act(&owner, act).await.unwrap();
    let refused = entered.client.stream(&"echo".parse().unwrap()).await;
    assert!(refused.err().unwrap().to_string().contains("not-granted"));
    let grant = entered.client.grant().await.unwrap();
    // Neither is anything added that was not granted.
    assert_eq!(
        serde_json::to_value(&grant.rights).unwrap(),
        json!(["read:data"])
    );
}

/// What a key opened stays open only as long as the key would open it: its model may be refused
/// since, here by a gateway that denies it.
#[tokio::test]
async fn a_key_whose_model_is_refused_keeps_neither_session_nor_grant() {
    let denying = PersonPolicy {
        deny: vec![Aaguid::ZERO.to_string().parse().unwrap()],
        ..PersonPolicy::any_key()
    };
    let of_role = Policies {
        member: denying.clone(),
        ..Policies::default()
    };
    let of_door = Policies {
        doors: [("hall".to_owned(), denying)].into(),
        ..Policies::default()
    };
    for (policy, session) in [
        (of_role, Err((401, "sign-in".to_owned()))),
        (of_door, Ok(())),
    ] {
        // What a stricter gateway ended stays ended, so each has a realm of its own.
        let house = House::open().await;
        let owner = house.person(Role::Owner).await;
        let guest = house.person(Role::Member).await;
        house.furnish(&owner).await;
        let entered = house.enter(&guest).await;
        drop(entered.stream().await);
        let id = entered.id.parse().unwrap();
        let stands = async |models: &Models| {
            let reader = house.gateway.store.read();
            let grant = reader.grants().get(id).await.unwrap().unwrap();
            let standing = Standing::of(models, reader, grant, house.gateway.now()).await;
            standing
                .map(|_| ())
                .map_err(|problem| (problem.status().as_u16(), problem.code.name()))
        };
        assert_eq!(stands(&house.gateway.models).await, Ok(()));

        let strict = house.another_with(policy).await;
        assert_eq!(
            stands(&strict.gateway.models).await,
            Err((403, "model-refused"))
        );
        let asked = strict
            .ask("GET", "/api/keys", &guest.token, Value::Null)
            .await;
        assert_eq!(asked.map(|_| ()), session);
        strict
            .ask("GET", "/api/keys", &owner.token, Value::Null)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_guest_who_leaves_is_out_and_others_stay() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    let guest = house.person(Role::Member).await;
    house.furnish(&owner).await;
    let (leaving, staying) = (house.enter(&guest).await, house.enter(&guest).await);
    let (gone, _kept) = (leaving.stream().await, staying.stream().await);
    leaving.client.end().await.unwrap();
    is_cut(&leaving, gone, "leaving").await;
    staying.stream().await;
}

#[tokio::test]
async fn an_end_at_one_gateway_cuts_at_the_other() {
    let one = House::open().await;
    let other = one.another().await;
    let owner = one.person(Role::Owner).await;
    let guest = one.person(Role::Member).await;
    one.furnish(&owner).await;
    let entered = one.enter(&guest).await;
    let stream = entered.stream().await;
    let act = json!({"act": "hall.end", "grant": entered.id});
    other.act(&owner, act).await.unwrap();
    is_cut(&entered, stream, "an end elsewhere").await;
}
