//! Walks every route of the hall listener and proves who may use it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use hallway_door_hall::HallsOf;
use hallway_door_hall::channel::routes::{Admits, Caller};
use hallway_door_hall::channel::{Presence, Who, routes};
use hallway_door_hall::store::{
    self, Grant, GrantHolder, GrantKind, GuestId, HallGuest, HallTables, Partner, PartnerState,
    VisitorId,
};
use hallway_evidence::log::SigningKey;
use hallway_evidence::statement::hall::{Needs, Rights};
use hallway_evidence::{GrantId, PersonId, RealmName, Timestamp};
use hallway_hall::{HallKey, Svid};
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::store::{EvidenceHash, Role, TokenHash};
use serde_json::json;
use tower::ServiceExt;

use crate::realm::{Guest, House, sha256, spki};

/// The rules, stated a second time.
const RULES: &[(&str, &str, Admits)] = &[
    ("*", "/files", Admits::Guest),
    ("*", "/files/", Admits::Guest),
    ("*", "/files/{store}", Admits::Guest),
    ("*", "/files/{store}/", Admits::Guest),
    ("*", "/files/{store}/{*path}", Admits::Guest),
    ("GET", "/agent/control", Admits::Agent),
    ("GET", "/agent/dial/{id}", Admits::Agent),
    ("GET", "/connect/{service}", Admits::Guest),
    ("GET", "/grant", Admits::Holder),
    ("GET", "/partner/halls", Admits::Partner),
    ("GET", "/partner/realm", Admits::Partner),
    ("POST", "/agent/renew", Admits::Agent),
    ("POST", "/grant/end", Admits::Holder),
    ("POST", "/grant/renew", Admits::AtHome),
    ("POST", "/partner/ended", Admits::Partner),
    ("POST", "/partner/left", Admits::Partner),
    ("POST", "/visit", Admits::Newcomer),
];

#[test]
fn every_route_has_a_stated_rule() {
    let method =
        |method: Option<Method>| method.map_or("*".to_owned(), |method| method.to_string());
    let served: BTreeSet<(String, &str, String)> = routes::all()
        .into_iter()
        .map(|route| {
            (
                method(route.method),
                route.path,
                format!("{:?}", route.admits),
            )
        })
        .collect();
    let stated: BTreeSet<(String, &str, String)> = RULES
        .iter()
        .map(|(method, path, admits)| ((*method).to_owned(), *path, format!("{admits:?}")))
        .collect();
    assert_eq!(served, stated);
    assert_eq!(stated.len(), RULES.len(), "a rule is stated twice");
}

async fn code(house: &House, method: &str, path: &str, caller: Option<&Caller>) -> String {
    let path = path
        .replace("{service}", "echo")
        .replace("{store}", "data")
        .replace("{id}", "none")
        .replace("{*path}", "file");
    let method = if method == "*" { "GET" } else { method };
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty())
        .unwrap();
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller.clone());
    }
    let answer = routes::router(&house.gateway)
        .oneshot(request)
        .await
        .unwrap();
    let problem = answer.extensions().get::<Problem>();
    problem.map_or(String::new(), |problem| problem.code.to_string())
}

/// Somebody who is inside, as the listener would say.
async fn caller(house: &House, who: Who, given: &serde_json::Value) -> Caller {
    use base64::Engine as _;
    let presence: Arc<Presence> = house
        .gateway
        .halls()
        .inside
        .enter(&house.gateway, who)
        .await
        .unwrap();
    let der = given["certificates"][0].as_str().unwrap();
    let der = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(der)
        .unwrap();
    Caller {
        presence,
        svid: Svid::read(&der.into()).unwrap(),
        address: "192.0.2.1".to_owned(),
    }
}

#[tokio::test]
async fn each_party_gets_what_it_may_and_nothing_more() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    house.furnish(&owner).await;

    let key = HallKey::generate().unwrap();
    let act = json!({"act": "hall.open", "hall": "one", "public_key": spki(&key)});
    let given = house.act(&owner, act).await.unwrap()["grant"].clone();
    let id = given["id"].as_str().unwrap().parse().unwrap();
    let guest = caller(&house, Who::Guest(id), &given).await;

    let act =
        json!({"act": "hall.invite_agent", "hall": "one", "agent": "lab", "stores": ["scans"]});
    let done = house.act(&owner, act).await.unwrap();
    let token = done["link"].as_str().unwrap().split_once('#').unwrap().1;
    let key = HallKey::generate().unwrap();
    let join = json!({"token": token, "public_key": spki(&key)});
    let given = house
        .ask("POST", "/api/hall-agents/join", "none", join)
        .await
        .unwrap();
    let who = Who::Agent {
        hall: "one".parse().unwrap(),
        name: "lab".parse().unwrap(),
        key: sha256(key.public().as_der()),
    };
    let agent = caller(&house, who, &given).await;

    // Across realms: whoever comes with a partner's certificate, and our own person elsewhere.
    let beta = joined(&house, &owner, "beta.example").await;
    let certificate = &house.act(&owner, open_one()).await.unwrap()["grant"];
    let newcomer = Who::Newcomer {
        home: beta.clone(),
        person: PersonId::generate(),
        key: [7; 32],
    };
    let newcomer = caller(&house, newcomer, certificate).await;
    let partner = caller(&house, Who::Partner(beta.clone()), certificate).await;
    let away = GrantKind::Away {
        host: beta.clone(),
        role: Role::Owner,
        told: None,
    };
    let away = Who::Guest(granted(&house, &owner, away).await);
    let away = caller(&house, away, certificate).await;
    let welcome = GrantKind::Visitor(store::Visitor {
        home: beta,
        name: "Boris".to_owned(),
        role: Role::Member,
        vouched: house.gateway.now().plus(Duration::from_secs(600)),
    });
    let welcome = Who::Guest(granted(&house, &owner, welcome).await);
    let welcome = caller(&house, welcome, certificate).await;

    let parties = [
        (
            &guest,
            "guest",
            &[Admits::Guest, Admits::Holder, Admits::AtHome][..],
        ),
        (&welcome, "visitor", &[Admits::Guest, Admits::Holder]),
        (&away, "away", &[Admits::Holder, Admits::AtHome]),
        (&agent, "agent", &[Admits::Agent]),
        (&newcomer, "newcomer", &[Admits::Newcomer]),
        (&partner, "partner", &[Admits::Partner]),
    ];
    let mut ordered: Vec<_> = RULES.to_vec();
    // Ending the grant comes last: nothing is admitted afterwards.
    ordered.sort_by_key(|(_, path, _)| *path == "/grant/end");
    for (method, path, admits) in ordered {
        assert_eq!(code(&house, method, path, None).await, "sign-in", "{path}");
        for (party, refusal, may) in parties {
            let code = code(&house, method, path, Some(party)).await;
            if may.contains(&admits) {
                let refusals = parties.map(|(_, refusal, _)| refusal);
                assert!(!refusals.contains(&code.as_str()), "{path}: {code}");
                assert_ne!(code, "sign-in", "{path}");
            } else {
                assert_eq!(code, refusal, "{path}");
            }
        }
    }
    for (method, path, _) in RULES {
        let after = code(&house, method, path, Some(&guest)).await;
        assert_eq!(after, "grant-ended", "{path} after the end");
    }
}

fn open_one() -> serde_json::Value {
    let key = HallKey::generate().unwrap();
    json!({"act": "hall.open", "hall": "one", "public_key": spki(&key)})
}

/// A partner of the realm.
async fn joined(house: &House, owner: &Guest, realm: &str) -> RealmName {
    let realm: RealmName = realm.parse().unwrap();
    let partner = partner(&realm, owner.id);
    let admission = HallGuest {
        hall: "one".parse().unwrap(),
        guest: GuestId::Visitor(realm.clone(), VisitorId::Role(Role::Member)),
        rights: Rights::parse(["connect:echo", "read:data"]).unwrap(),
        needs: Needs::default(),
        admitted: house.gateway.now(),
        evidence: EvidenceHash([3; 32]),
    };
    let (partner, admission) = (&partner, &admission);
    house
        .gateway
        .transact(|unit| {
            Box::pin(async move {
                unit.partners().begin(partner).await?;
                let now = partner.made;
                assert!(
                    unit.partners()
                        .join(&partner.realm, &partner.pact, now, Timestamp::MAX)
                        .await?
                );
                Ok::<_, Problem>(unit.halls().admit(admission).await?)
            })
        })
        .await
        .unwrap();
    realm
}

pub(crate) fn partner(realm: &RealmName, made_by: PersonId) -> Partner {
    let log = SigningKey::from_seed(&format!("{realm}/log"), &[1; 32]).unwrap();
    Partner {
        realm: realm.clone(),
        origin: format!("https://{realm}").parse().unwrap(),
        state: PartnerState::Invited,
        log: log.verifier(),
        pins: vec![[2; 32]],
        pact: TokenHash([4; 32]),
        sealed_token: None,
        expires: Timestamp::MAX,
        invited: None,
        hall: None,
        witness: None,
        bundle: None,
        checked: None,
        problem: None,
        next_attempt: Timestamp::MAX,
        made_by,
        made: Timestamp::from_ms(1),
        joined: None,
        ended: None,
        told: None,
        evidence: EvidenceHash([2; 32]),
    }
}

/// A grant of this kind in a hall `one`, with nothing to show for it.
async fn granted(house: &House, owner: &Guest, kind: GrantKind) -> GrantId {
    let grant = Grant {
        id: GrantId::generate(),
        hall: "one".parse().unwrap(),
        person: match kind {
            GrantKind::Visitor(_) => PersonId::generate(),
            GrantKind::Own | GrantKind::Away { .. } => owner.id,
        },
        kind,
        credential: owner.credential.clone(),
        rights: Rights::parse(["connect:echo", "read:data"]).unwrap(),
        holder: GrantHolder::Key(sha256(GrantId::generate().to_string().as_bytes())),
        opened: house.gateway.now(),
        ends: house.gateway.now().plus(Duration::from_secs(600)),
        ended: None,
        evidence: EvidenceHash([5; 32]),
        address: "192.0.2.1".to_owned(),
        approval: None,
    };
    let kept = &grant;
    house
        .gateway
        .transact(|unit| Box::pin(async move { Ok::<_, Problem>(unit.grants().add(kept).await?) }))
        .await
        .unwrap();
    grant.id
}

#[tokio::test]
async fn no_web_page_reaches_the_hall_listener() {
    let house = House::open().await;
    let request = Request::get("/grant")
        .header(header::ORIGIN, &house.gateway.origin)
        .body(Body::empty())
        .unwrap();
    let answer = routes::router(&house.gateway)
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        answer.extensions().get::<Problem>().unwrap().code,
        Code::CrossOrigin
    );
}
