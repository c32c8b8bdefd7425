use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::middleware::from_fn_with_state;
use axum::routing::any;
use futures_util::{StreamExt, stream};
use tokio::time::Instant;
use tower::ServiceExt;

use super::*;
use crate::http::bounds::{AtOnce, Broken};

const SECOND: Duration = Duration::from_secs(1);

/// Serves within `bounds`; the header `who` names the source.
fn within(bounds: Bounds, handler: axum::routing::MethodRouter) -> Router {
    one_of_many(bounds, handler, Arc::default())
}

/// As [`within`], for one of several routes.
fn one_of_many(
    bounds: Bounds,
    handler: axum::routing::MethodRouter,
    everywhere: Arc<Shares>,
) -> Router {
    async fn layer(State(kept): State<Kept>, request: Request, next: Next) -> Response {
        let who = request.headers().get("who");
        let who = who.map(|who| Source::Certificate(who.to_str().unwrap().to_owned()));
        kept.serve(request, who, next).await
    }
    let kept = Kept::new(bounds, 1000, everywhere);
    Router::new()
        .route("/", handler)
        .layer(from_fn_with_state(kept, layer))
}

fn request(who: &str, body: Body) -> Request {
    let request = Request::post("/").header("who", who);
    request.body(body).unwrap()
}

/// A body of `chunks` chunks of so many `bytes`, with a pause of `every` before each.
fn drip(chunks: usize, bytes: usize, every: Duration) -> Body {
    Body::from_stream(stream::iter(0..chunks).then(move |_| async move {
        sleep(every).await;
        Ok::<_, Infallible>(vec![b'x'; bytes])
    }))
}

async fn status(app: &Router, request: Request) -> u16 {
    app.clone()
        .oneshot(request)
        .await
        .unwrap()
        .status()
        .as_u16()
}

fn takes(body: Takes) -> Bounds {
    Bounds {
        body,
        ..Bounds::JSON
    }
}

fn echo() -> axum::routing::MethodRouter {
    any(|body: Bytes| async move { body })
}

#[tokio::test(start_paused = true)]
async fn a_body_may_have_the_most_bytes_and_no_more() {
    let within_ten = takes(Takes::Whole {
        bytes: 10,
        within: SECOND,
    });
    for (bounds, most) in [(within_ten, 10), (takes(Takes::Nothing), 0)] {
        let app = within(bounds, echo());
        for body in [Body::from(vec![0; most]), drip(most, 1, Duration::ZERO)] {
            assert_eq!(status(&app, request("eve", body)).await, 200);
        }
        for body in [
            Body::from(vec![0; most + 1]),
            drip(most + 1, 1, Duration::ZERO),
        ] {
            assert_eq!(status(&app, request("eve", body)).await, 413);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_announced_too_long_is_refused_at_once() {
    let app = within(Bounds::JSON, echo());
    let body = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let mut request = request("eve", body);
    let length = header::HeaderValue::from_static("65537");
    request.headers_mut().insert(header::CONTENT_LENGTH, length);
    let began = Instant::now();
    assert_eq!(status(&app, request).await, 413);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_refused_at_its_timeout() {
    let app = within(Bounds::JSON, echo());
    let slow = drip(1000, 1, SECOND);
    let began = Instant::now();
    assert_eq!(status(&app, request("eve", slow)).await, 408);
    assert_eq!(began.elapsed(), BODY_TIMEOUT);
    // The same on a route that takes no body.
    let app = within(Bounds::READ, echo());
    let slow = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    assert_eq!(status(&app, request("eve", slow)).await, 408);
}

#[tokio::test(start_paused = true)]
async fn one_source_takes_its_places_and_all_take_all() {
    let bounds = Bounds {
        at_once: AtOnce { total: 3, each: 2 },
        ..Bounds::JSON
    };
    let app = within(bounds, echo());
    let waiting = |who: &'static str| {
        let app = app.clone();
        let slow = drip(2, 1, SECOND);
        tokio::spawn(async move { status(&app, request(who, slow)).await })
    };
    let first = [waiting("eve"), waiting("eve")];
    tokio::task::yield_now().await;
    let refused = app.clone().oneshot(request("eve", Body::empty())).await;
    let refused = refused.unwrap();
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key(header::RETRY_AFTER));
    let second = waiting("dan");
    tokio::task::yield_now().await;
    let refused = app.clone().oneshot(request("mia", Body::empty())).await;
    let refused = refused.unwrap();
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key(header::RETRY_AFTER));
    for served in first.into_iter().chain([second]) {
        assert_eq!(served.await.unwrap(), 200);
    }
    assert_eq!(status(&app, request("eve", Body::empty())).await, 200);
}

#[tokio::test(start_paused = true)]
async fn one_source_takes_so_many_places_over_all_routes() {
    let everywhere = Arc::<Shares>::default();
    let route = |each| {
        let bounds = Bounds {
            at_once: AtOnce { total: 1000, each },
            ..Bounds::JSON
        };
        one_of_many(bounds, echo(), Arc::clone(&everywhere))
    };
    let routes: Vec<_> = (0..=MAX_ON_ALL_ROUTES / 64).map(|_| route(64)).collect();
    let (last, counted_alone) = (
        &routes[MAX_ON_ALL_ROUTES / 64],
        route(MAX_ON_ALL_ROUTES + 1),
    );
    let waiting: Vec<_> = (0..MAX_ON_ALL_ROUTES)
        .map(|number| {
            let app = routes[number / 64].clone();
            let slow = drip(2, 1, SECOND);
            tokio::spawn(async move { status(&app, request("eve", slow)).await })
        })
        .collect();
    let taken = || everywhere.held(&Source::Certificate("eve".to_owned()));
    while taken() < MAX_ON_ALL_ROUTES {
        tokio::task::yield_now().await;
    }
    assert_eq!(status(last, request("eve", Body::empty())).await, 429);
    assert_eq!(status(last, request("dan", Body::empty())).await, 200);
    assert_eq!(
        status(&counted_alone, request("eve", Body::empty())).await,
        200
    );
    for served in waiting {
        assert_eq!(served.await.unwrap(), 200);
    }
    assert_eq!(status(last, request("eve", Body::empty())).await, 200);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_takes_too_long_is_refused() {
    let app = within(Bounds::JSON, any(std::future::pending::<()>));
    assert_eq!(status(&app, request("eve", Body::empty())).await, 503);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_too_long_or_too_slow_is_cut_off() {
    let payload = takes(Takes::Streamed {
        most: Most::Payload,
    });
    let long = takes(Takes::Streamed {
        most: Most::Bytes(1 << 30),
    });
    let handler = || {
        any(|body: Body| async move {
            let mut chunks = body.into_data_stream();
            while let Some(chunk) = chunks.next().await {
                if let Err(error) = chunk {
                    return Problem::from(Broken::of(&error).unwrap()).into_response();
                }
            }
            "all of it".into_response()
        })
    };
    let (payload, long) = (within(payload, handler()), within(long, handler()));
    for (app, body, expected) in [
        (&payload, drip(10, 100, Duration::ZERO), 200),
        (&payload, drip(11, 100, Duration::ZERO), 413),
        (&payload, Body::from(vec![0; 1001]), 413),
        (&long, drip(3600, 2048, SECOND), 200),
        (&long, drip(3600, 1, SECOND), 408),
        (&long, drip(2, 1 << 20, 3600 * SECOND), 408),
    ] {
        assert_eq!(status(app, request("eve", body)).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_streamed_answer_has_its_place_until_its_end() {
    let bounds = Bounds {
        answer: Gives::Streamed {
            lasts: Some(10 * SECOND),
        },
        at_once: AtOnce { total: 1, each: 1 },
        ..Bounds::READ
    };
    let app = within(
        bounds,
        any(|| async { drip(usize::MAX, 1, SECOND).into_response() }),
    );
    let following = app.clone().oneshot(request("eve", Body::empty())).await;
    let following = following.unwrap();
    assert_eq!(status(&app, request("eve", Body::empty())).await, 429);
    assert_eq!(status(&app, request("dan", Body::empty())).await, 503);
    let all = axum::body::to_bytes(following.into_body(), 1000).await;
    assert!((9..=10).contains(&all.unwrap().len()), "it ends by itself");
    assert_eq!(status(&app, request("dan", Body::empty())).await, 200);
}
