//! Walks every route and asks too much of it: too many bytes, too slowly, too often.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use futures_util::stream;
use hallway_gateway::routes;
use hallway_spine::http::bounds::{Most, Takes};
use hallway_spine::http::problem::Problem;
use hallway_spine::http::route::{Kind, Route};
use hallway_spine::store::{PersonState, Role};
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::{Realm, concrete};

/// A body of which nothing ever comes.
fn silence() -> Body {
    Body::from_stream(stream::pending::<Result<Bytes, Infallible>>())
}

fn request(route: &Route, token: &str, body: Body) -> Request<Body> {
    Request::builder()
        .method(&route.method)
        .uri(concrete(route.path))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .unwrap()
}

/// Whether a refusal is this one, as its route has to say it.
fn assert_refused(route: &Route, response: &Response, status: StatusCode, code: &str) {
    let name = format!("{} {}", route.method, route.path);
    assert_eq!(response.status(), status, "{name}");
    let headers = response.headers();
    let media_type = headers[header::CONTENT_TYPE].to_str().unwrap();
    match route.kind {
        Kind::Api => {
            assert_eq!(media_type, "application/problem+json", "{name}");
            let problem = response.extensions().get::<Problem>();
            assert_eq!(
                problem.map(|problem| problem.code.name()),
                Some(code),
                "{name}"
            );
        }
        Kind::Page => assert!(media_type.starts_with("text/html"), "{name}"),
    }
    let again = matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(headers.contains_key(header::RETRY_AFTER), again, "{name}");
}

/// One byte more than a route takes.
fn too_many_bytes(realm: &Realm, route: &Route) -> u64 {
    1 + match route.bounds.body {
        Takes::Nothing => 0,
        Takes::Whole { bytes, .. } => bytes as u64,
        Takes::Streamed {
            most: Most::Bytes(bytes),
        } => bytes,
        Takes::Streamed {
            most: Most::Payload,
        } => realm.gateway.payload_bytes,
    }
}

#[tokio::test]
async fn no_route_takes_a_longer_body_than_it_says() {
    let realm = Realm::start().await;
    let token = realm.person(Role::Owner, PersonState::Active).await;
    for route in routes::all(hallway_gateway::doors::ALL) {
        let length = too_many_bytes(&realm, &route);
        // It says so, and nothing of it comes.
        let mut said = request(&route, &token, silence());
        said.headers_mut()
            .insert(header::CONTENT_LENGTH, length.into());
        let response = realm.send(said).await;
        assert_refused(
            &route,
            &response,
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
        );
        // It comes without a word. What is read as it comes is for the handler to read.
        if !matches!(route.bounds.body, Takes::Streamed { .. }) {
            let bytes = vec![b' '; usize::try_from(length).unwrap()];
            let chunks = stream::once(std::future::ready(Ok::<_, Infallible>(bytes)));
            let sent = request(&route, &token, Body::from_stream(chunks));
            let response = realm.send(sent).await;
            assert_refused(
                &route,
                &response,
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
            );
        }
    }
}

#[tokio::test]
async fn no_route_waits_for_ever_for_a_body() {
    let realm = std::sync::Arc::new(Realm::start().await);
    let token = realm.person(Role::Owner, PersonState::Active).await;
    let mut all = JoinSet::new();
    for route in routes::all(hallway_gateway::doors::ALL) {
        let (realm, token) = (std::sync::Arc::clone(&realm), token.clone());
        all.spawn(async move {
            let response = realm.send(request(&route, &token, silence())).await;
            (route, response)
        });
    }
    while let Some(done) = all.join_next().await {
        let (route, response) = done.unwrap();
        match route.bounds.body {
            // Whoever may not send is refused before a byte is read.
            Takes::Streamed { .. } => assert!(
                response.status().is_client_error(),
                "{} {}: {}",
                route.method,
                route.path,
                response.status()
            ),
            _ => assert_refused(&route, &response, StatusCode::REQUEST_TIMEOUT, "too-slow"),
        }
    }
}

#[tokio::test]
async fn nobody_has_more_requests_under_way_than_a_route_allows_one_caller() {
    let realm = Realm::start().await;
    let token = realm.person(Role::Owner, PersonState::Active).await;
    // One router, because the places are its own.
    let router = routes::router(&realm.gateway);
    for route in routes::all(hallway_gateway::doors::ALL) {
        if matches!(route.bounds.body, Takes::Streamed { .. }) {
            // Its places are those of who sends something that is accepted; see `http::bounds`.
            continue;
        }
        let mut under_way = JoinSet::new();
        for _ in 0..=route.bounds.at_once.each {
            under_way.spawn(router.clone().oneshot(request(&route, &token, silence())));
        }
        let refused = under_way.join_next().await.unwrap().unwrap().unwrap();
        assert_refused(&route, &refused, StatusCode::TOO_MANY_REQUESTS, "too-many");
        assert!(under_way.try_join_next().is_none(), "the others wait");
    }
}

#[tokio::test]
async fn the_description_names_the_answer_to_a_request_beyond_the_bounds() {
    let realm = Realm::start().await;
    let request = Request::get("/openapi.json").body(Body::empty()).unwrap();
    let body = axum::body::to_bytes(realm.send(request).await.into_body(), 1 << 20)
        .await
        .unwrap();
    let description: serde_json::Value = serde_json::from_slice(&body).unwrap();
    for route in routes::all(hallway_gateway::doors::ALL) {
        if route.kind == Kind::Page {
            continue;
        }
        let path = route.path.replace("{*", "{");
        let operation = &description["paths"][&path][route.method.as_str().to_lowercase()];
        let responses = operation["responses"].as_object().unwrap();
        for status in ["413", "429", "503"] {
            assert!(responses.contains_key(status), "{path}: {status}");
        }
        let takes = !matches!(route.bounds.body, Takes::Nothing);
        assert_eq!(responses.contains_key("408"), takes, "{path}");
        assert!(
            responses["429"]["headers"]["Retry-After"].is_object(),
            "{path}"
        );
        let said = operation["description"].as_str().unwrap();
        assert!(said.contains(&route.bounds.to_string()), "{path}: {said}");
    }
}
