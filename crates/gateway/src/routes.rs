//! All routes of the gateway: those of each door, and those that belong to no door.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use hallway_spine::door::Doors;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::http::route::{Access, Route};
use hallway_spine::http::{headers, openapi};
use hallway_spine::{acts, console, guard, log, metrics, models, witness};
use tokio::sync::Semaphore;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

use crate::{Gateway, across};

/// All routes of the gateway.
pub fn all(doors: Doors) -> Vec<Route> {
    let of_no_door = [
        acts::routes(doors),
        across::routes(),
        log::routes(),
        witness::routes(),
        models::routes(),
        operation(),
        console::routes(),
    ];
    let of_doors = doors.each().flat_map(|door| door.routes());
    of_no_door.into_iter().flatten().chain(of_doors).collect()
}

fn operation() -> Vec<Route> {
    vec![
        Route::get("/healthz", Access::Public, async || "ok\n").summary("The process runs"),
        Route::get("/readyz", Access::Public, ready).summary("The database answers"),
        Route::get("/openapi.json", Access::Public, describe).summary("This description"),
    ]
}

async fn ready(State(gateway): State<Gateway>) -> Result<&'static str, Problem> {
    gateway.store.ping().await.map_err(|error| {
        tracing::warn!(%error, "not ready");
        Problem::new(Code::NotReady, "the database does not answer")
    })?;
    Ok("ready\n")
}

/// The API's description. It is made once, because it takes longer than any other answer to a
/// stranger.
async fn describe(State(gateway): State<Gateway>) -> Response {
    let made = gateway.description.get_or_init(|| {
        Bytes::from(openapi::describe(&all(gateway.doors), &gateway.origin).to_string())
    });
    ([(header::CONTENT_TYPE, "application/json")], made.clone()).into_response()
}

/// The most requests that are under way at a time, counted before their routes are known.
const MOST_REQUESTS: usize = 16_384;

/// Refuses a request beyond [`MOST_REQUESTS`].
async fn at_most(State(requests): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    match requests.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => Problem::new(
            Code::Crowded,
            "the gateway serves as many requests as it can at a time; try again in a moment",
        )
        .into_response(),
    }
}

/// The router over all routes, guarded and logged.
pub fn router(gateway: &Gateway) -> Router {
    let requests = Arc::new(Semaphore::new(MOST_REQUESTS));
    all(gateway.doors)
        .into_iter()
        .fold(Router::new(), |router, route| {
            guard::mount(route, router, gateway)
        })
        .fallback(console::nowhere)
        .layer(from_fn_with_state(gateway.clone(), headers::secure))
        .layer(from_fn_with_state(gateway.clone(), metrics::count))
        .layer(from_fn_with_state(requests, at_most))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(TraceLayer::new_for_http())
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .with_state(gateway.clone())
}

#[cfg(test)]
mod tests {
    use hallway_door_hall::channel::routes as hall_routes;
    use hallway_spine::http::bounds::Bounds;

    use super::*;

    /// A route with wider bounds than others of its kind says why, in its declaration and in the
    /// description of the API.
    #[test]
    fn wider_bounds_say_why_and_others_need_not() {
        let web = all(crate::doors::ALL).into_iter().map(|route| {
            let strict = match route.method.as_str() {
                "GET" | "DELETE" => Bounds::READ,
                _ => Bounds::JSON,
            };
            (route.path, route.bounds, strict)
        });
        let hall = hall_routes::all().into_iter().map(|route| {
            let strict = match route.method.as_ref().map(axum::http::Method::as_str) {
                Some("GET") => Bounds::READ,
                _ => Bounds::JSON,
            };
            (route.path, route.bounds, strict)
        });
        for (path, bounds, strict) in web.chain(hall) {
            let wider = !bounds.fit(&strict);
            assert_eq!(bounds.because.is_some(), wider, "{path}: {bounds}");
            assert!(bounds.at_once.each <= bounds.at_once.total, "{path}");
        }
    }
}
