//! What a partner's authority can say at the hall listener, and what it can't.

use std::time::Duration;

use axum::http::{Method, Request};
use hallway_door_hall::HallsOf;
use hallway_door_hall::partners::{refresh, trust};
use hallway_door_hall::store::{BundleState, EndedBy, HallTables, Learned, Partner, PartnerState};
use hallway_evidence::{PersonId, RealmName, Timestamp};
use hallway_hall::client::{self, ClientError};
use hallway_hall::{Authority, Bundle, HallKey, Party, body};
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::new_token;
use hallway_spine::realm_authority::RealmAuthority;
use hallway_spine::store::Role;
use serde_json::{Value, json};

use crate::listener::{MINUTE_MS, given, leaf};
use crate::realm::{Guest, House, client, sha256, spki};
use crate::rules::partner;

/// A realm that is joined with the house, and whose authority the test holds.
struct Beta {
    partner: Partner,
    authority: Authority,
}

impl Beta {
    async fn join(house: &House, owner: &Guest) -> Self {
        let made = RealmAuthority::generate("beta.example", house.gateway.now()).unwrap();
        let authority = Authority::new(&made.certificate, &made.key).unwrap();
        let realm: RealmName = "beta.example".parse().unwrap();
        let partner = partner(&realm, owner.id);
        let bundle = Bundle::new(vec![authority.certificate().clone()]).unwrap();
        let json = bundle.to_json(1, 300).unwrap().into_bytes();
        let learned = Learned {
            bundle: (
                BundleState {
                    sha256: sha256(&json),
                    sequence: Some(1),
                    refresh_s: Some(300),
                    fetched: house.gateway.now(),
                },
                json,
            ),
            hall: None,
            witness: None,
        };
        let (it, learned, now) = (&partner, &learned, house.gateway.now());
        house
            .gateway
            .transact(|unit| {
                Box::pin(async move {
                    let partners = unit.partners();
                    partners.begin(it).await?;
                    partners.learn(&it.realm, &it.pact, learned).await?;
                    partners
                        .join(&it.realm, &it.pact, now, Timestamp::MAX)
                        .await?;
                    Ok::<_, Problem>(())
                })
            })
            .await
            .unwrap();
        // As the gateway does every two seconds.
        trust::follow(&house.gateway).await.unwrap();
        Self { partner, authority }
    }

    /// Asks the listener with a certificate of this realm.
    async fn ask(
        &self,
        house: &House,
        party: Party,
        key: &HallKey,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, ClientError> {
        let der = leaf(&self.authority, party, key, 0, MINUTE_MS);
        let key = HallKey::from_pkcs8(key.as_pkcs8()).unwrap();
        ask(house, &der, key, method, path, body).await
    }

    async fn gateway(&self, house: &House, path: &str) -> Result<Value, ClientError> {
        let key = HallKey::generate().unwrap();
        self.ask(house, Party::Gateway, &key, Method::GET, path, None)
            .await
    }
}

async fn ask(
    house: &House,
    der: &[u8],
    key: HallKey,
    method: Method,
    path: &str,
    json: Option<Value>,
) -> Result<Value, ClientError> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(json.map_or_else(body::empty, |json| body::full(json.to_string())))
        .unwrap();
    let answer = client(&given(house, der), key).forward(request).await?;
    client::json(client::accepted(answer).await?).await
}

fn code(answer: Result<Value, ClientError>) -> String {
    match answer.unwrap_err() {
        ClientError::Problem(problem) => problem.code,
        error => panic!("{error}"),
    }
}

fn is_cut_off(answer: &Result<Value, ClientError>) -> bool {
    matches!(
        answer,
        Err(ClientError::Refused { .. } | ClientError::Broken(_))
    )
}

/// Both owners accepted the other's invitation before either gateway handed its token in.
#[tokio::test]
async fn of_two_invitations_that_cross_both_sides_take_the_same() {
    let tokens = [new_token().unwrap(), new_token().unwrap()];
    for (ours, theirs) in [(&tokens[0], &tokens[1]), (&tokens[1], &tokens[0])] {
        let house = House::open().await;
        let owner = house.person(Role::Owner).await;
        let realm: RealmName = "beta.example".parse().unwrap();
        let invited = Partner {
            pact: ours.1,
            ..partner(&realm, owner.id)
        };
        let joining = Partner {
            pact: theirs.1,
            state: PartnerState::Joining,
            ..partner(&realm, owner.id)
        };
        house
            .gateway
            .transact(|unit| {
                let (invited, joining) = (&invited, &joining);
                Box::pin(async move {
                    unit.partners().begin(invited).await?;
                    Ok::<_, Problem>(unit.partners().begin(joining).await?)
                })
            })
            .await
            .unwrap();
        let join = json!({"token": *ours.0, "realm": realm});
        let answer = house.ask("POST", "/api/partners/join", "none", join).await;
        let known = house.gateway.store.read().partners().get(&realm).await;
        let known = known.unwrap().unwrap();
        if ours.1.as_bytes() < theirs.1.as_bytes() {
            assert_eq!(answer.unwrap()["realm"], "localhost");
            assert_eq!((known.state, known.pact), (PartnerState::Active, ours.1));
        } else {
            assert_eq!(answer.unwrap_err(), (409, "invitations-crossed".to_owned()));
            assert_eq!((known.state, known.pact), (PartnerState::Joining, theirs.1));
        }
        // A token that nobody gave is worth as little as ever.
        let made_up = json!({"token": *new_token().unwrap().0, "realm": realm});
        let refused = house
            .ask("POST", "/api/partners/join", "none", made_up)
            .await;
        assert_eq!(refused.unwrap_err(), (403, "partner-token".to_owned()));
    }
}

#[tokio::test]
async fn a_partners_gateway_is_believed_while_it_is_a_partner() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    house.furnish(&owner).await;
    let beta = Beta::join(&house, &owner).await;
    let ourselves = beta.gateway(&house, "/partner/realm").await.unwrap();
    assert_eq!(ourselves["pact"], beta.partner.pact.to_string());
    assert_eq!(ourselves["description"]["realm"], "localhost");

    let halls = beta.gateway(&house, "/partner/halls").await.unwrap();
    assert_eq!(halls["halls"], json!([]));
    let admit = json!({"act": "hall.admit", "hall": "one", "rights": ["read:data"],
        "guest": {"visitor": {"realm": "beta.example", "whom": {"role": "member"}}}});
    house.act(&owner, admit).await.unwrap();
    let halls = beta.gateway(&house, "/partner/halls").await.unwrap();
    assert_eq!(halls["halls"][0]["hall"], "one");
    assert_eq!(halls["halls"].as_array().unwrap().len(), 1);

    let leave = json!({"act": "partner.leave", "realm": "beta.example"});
    house.act(&owner, leave).await.unwrap();
    trust::follow(&house.gateway).await.unwrap();
    let after = beta.gateway(&house, "/partner/halls").await;
    assert!(is_cut_off(&after), "{after:?}");
    let halls = house.gateway.store.read().halls();
    let shared = halls.shared_with(&beta.partner.realm).await.unwrap();
    assert!(shared.is_empty());
}

#[tokio::test]
async fn a_partners_authority_vouches_for_nobody_of_this_realm() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    house.furnish(&owner).await;
    let beta = Beta::join(&house, &owner).await;

    // The key and the id of a grant of ours, under the partner's name.
    let key = HallKey::generate().unwrap();
    let open = json!({"act": "hall.open", "hall": "one", "public_key": spki(&key)});
    house.act(&owner, open).await.unwrap();
    let person = Party::Person(owner.id.to_string());
    let answer = beta
        .ask(&house, person, &key, Method::GET, "/grant", None)
        .await;
    assert!(
        !code(answer).is_empty(),
        "a partner's person took a grant of ours"
    );

    // The key of an agent of ours.
    let invite =
        json!({"act": "hall.invite_agent", "hall": "one", "agent": "lab", "stores": ["scans"]});
    let link = house.act(&owner, invite).await.unwrap()["link"].clone();
    let token = link.as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let key = HallKey::generate().unwrap();
    let join = json!({"token": token, "public_key": spki(&key)});
    house
        .ask("POST", "/api/hall-agents/join", "none", join)
        .await
        .unwrap();
    let agent = Party::Agent {
        hall: "one".parse().unwrap(),
        agent: "lab".parse().unwrap(),
    };
    let answer = beta
        .ask(&house, agent, &key, Method::GET, "/agent/control", None)
        .await;
    assert_eq!(code(answer), "unknown-grant");

    // Our own gateway is nobody's guest either.
    let key = HallKey::generate().unwrap();
    let own = house.gateway.halls().authorities.in_use();
    let own = &own.signing;
    let der = leaf(own, Party::Gateway, &key, 0, MINUTE_MS);
    let answer = ask(&house, &der, key, Method::GET, "/partner/halls", None).await;
    assert_eq!(code(answer), "unknown-grant");

    // And what gateways ask is for gateways.
    let key = HallKey::generate().unwrap();
    let visitor = Party::Person(PersonId::generate().to_string());
    for path in ["/partner/realm", "/partner/halls", "/files/data"] {
        let visitor = visitor.clone();
        let answer = beta.ask(&house, visitor, &key, Method::GET, path, None);
        code(answer.await);
    }
}

#[tokio::test]
async fn a_farewell_ends_the_partnership_that_it_names() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    let beta = Beta::join(&house, &owner).await;
    let key = HallKey::generate().unwrap();
    let left = |pact: String| {
        let body = Some(json!({ "pact": pact }));
        beta.ask(
            &house,
            Party::Gateway,
            &key,
            Method::POST,
            "/partner/left",
            body,
        )
    };
    assert_eq!(code(left("00".repeat(32)).await), "other-pact");
    left(beta.partner.pact.to_string()).await.unwrap();
    let partners = house.gateway.store.read().partners();
    let ended = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let known = partners.get(&beta.partner.realm).await.unwrap().unwrap();
            if known.ended.is_some() {
                return known;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let ended = ended.await.unwrap();
    assert_eq!(ended.ended.unwrap().1, EndedBy::Them);
    // It was told by the other side, so there is nobody to tell.
    assert!(ended.told.is_some());
    assert!(
        !refresh::end(&house.gateway, &ended, EndedBy::Us)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn only_an_owner_may_do_anything_about_partners() {
    let house = House::open().await;
    let operator = house.person(Role::Operator).await;
    for act in [
        json!({"act": "partner.invite", "address": "http://gate.b.localhost:9"}),
        json!({"act": "partner.accept", "link": format!("http://gate.b.localhost:9/partners#{}", "A".repeat(43))}),
        json!({"act": "partner.leave", "realm": "beta.example"}),
    ] {
        let refused = house.act(&operator, act).await.unwrap_err();
        assert_eq!(refused, (403, "role".to_owned()));
    }
}
