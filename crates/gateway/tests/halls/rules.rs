//! Walks every route of the hall listener and proves who may use it.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use hallway_gateway::hall::routes::{self, Admits, Visitor};
use hallway_gateway::hall::{Presence, Who};
use hallway_gateway::http::problem::Problem;
use hallway_gateway::store::Role;
use hallway_hall::{HallKey, Svid};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use tower::ServiceExt;

use crate::realm::{House, sha256, spki};

/// The rules, stated a second time.
const RULES: &[(&str, &str, Admits)] = &[
    ("*", "/files/{store}", Admits::Guest),
    ("*", "/files/{store}/", Admits::Guest),
    ("*", "/files/{store}/{*path}", Admits::Guest),
    ("GET", "/agent/control", Admits::Agent),
    ("GET", "/agent/dial/{id}", Admits::Agent),
    ("GET", "/connect/{service}", Admits::Guest),
    ("GET", "/grant", Admits::Guest),
    ("POST", "/agent/renew", Admits::Agent),
    ("POST", "/grant/end", Admits::Guest),
    ("POST", "/grant/renew", Admits::Guest),
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

async fn code(house: &House, method: &str, path: &str, visitor: Option<&Visitor>) -> String {
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
    if let Some(visitor) = visitor {
        request.extensions_mut().insert(visitor.clone());
    }
    let answer = routes::router(&house.gateway)
        .oneshot(request)
        .await
        .unwrap();
    let problem = answer.extensions().get::<Problem>();
    problem.map_or(String::new(), |problem| problem.code.to_owned())
}

/// Somebody who is inside, as the listener would say.
async fn visitor(house: &House, who: Who, given: &serde_json::Value) -> Visitor {
    use base64::Engine as _;
    let presence: Arc<Presence> = house
        .gateway
        .halls
        .inside
        .enter(&house.gateway, who)
        .await
        .unwrap();
    let der = given["certificates"][0].as_str().unwrap();
    let der = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(der)
        .unwrap();
    Visitor {
        presence,
        svid: Svid::read(&der.into()).unwrap(),
    }
}

#[tokio::test]
async fn each_party_gets_what_it_may_and_nothing_more() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    house.furnish(&owner).await;

    let key = HallKey::generate().unwrap();
    let act = json!({"kind": "open_hall", "hall": "one", "public_key": spki(&key)});
    let given = house.act(&owner, act).await.unwrap()["grant"].clone();
    let id = given["id"].as_str().unwrap().parse().unwrap();
    let guest = visitor(&house, Who::Guest(id), &given).await;

    let act = json!({"kind": "invite_agent", "hall": "one", "agent": "lab"});
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
    let agent = visitor(&house, who, &given).await;

    let mut ordered: Vec<_> = RULES.to_vec();
    // Ending the grant comes last: nothing is admitted afterwards.
    ordered.sort_by_key(|(_, path, _)| *path == "/grant/end");
    for (method, path, admits) in ordered {
        assert_eq!(code(&house, method, path, None).await, "sign-in", "{path}");
        let as_agent = code(&house, method, path, Some(&agent)).await;
        let as_guest = code(&house, method, path, Some(&guest)).await;
        match admits {
            Admits::Guest => {
                assert_eq!(as_agent, "agent", "{path}");
                assert!(
                    !matches!(as_guest.as_str(), "guest" | "sign-in"),
                    "{path}: {as_guest}"
                );
            }
            Admits::Agent => {
                assert_eq!(as_guest, "guest", "{path}");
                assert!(
                    !matches!(as_agent.as_str(), "agent" | "sign-in"),
                    "{path}: {as_agent}"
                );
            }
        }
    }
    for (method, path, _) in RULES {
        let after = code(&house, method, path, Some(&guest)).await;
        assert_eq!(after, "grant-ended", "{path} after the end");
    }
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
        "cross-origin"
    );
}
