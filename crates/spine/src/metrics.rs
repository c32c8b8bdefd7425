//! The gateway's counters, for Prometheus, on a separate listener.
//!
//! Metrics have numbers only: no names, no addresses, no identifiers.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::Gateway;
use crate::door_name::DoorName;
use crate::http::method;
use crate::http::problem::Problem;
use crate::server::Listener;
use crate::witness::ask;

/// The most connections at a time: few programs read metrics, and each needs one.
pub const CONNECTIONS: usize = 32;

/// The beginning of every metric's name.
const PREFIX: &str = "hallway";

/// Upper bounds of the histogram's buckets, in seconds.
const SPANS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    /// The route, not the address: identifiers stay out.
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    door: String,
    code: &'static str,
}

/// The counters since the start.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Histogram,
    refusals: Family<RefusalLabels, Counter>,
    log_entries: Gauge,
    witnesses_failing: Gauge,
    database_up: Gauge,
    database_seconds: Gauge<f64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix(PREFIX),
            requests: Family::default(),
            request_seconds: Histogram::new(SPANS),
            refusals: Family::default(),
            log_entries: Gauge::default(),
            witnesses_failing: Gauge::default(),
            database_up: Gauge::default(),
            database_seconds: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        let help = "Answers, by route";
        registry.register("requests", help, metrics.requests.clone());
        let help = "Time to the head of an answer";
        registry.register("request_seconds", help, metrics.request_seconds.clone());
        let help = "What was refused, by door and reason";
        registry.register("refusals", help, metrics.refusals.clone());
        let help = "Entries of the realm's log";
        registry.register("log_entries", help, metrics.log_entries.clone());
        let help = "Witnesses that did not cosign when they were asked last";
        let witnesses = metrics.witnesses_failing.clone();
        registry.register("witnesses_failing", help, witnesses);
        let help = "Whether the database answers, 1 or 0";
        registry.register("database_up", help, metrics.database_up.clone());
        let help = "How long the database took to answer just now";
        registry.register("database_seconds", help, metrics.database_seconds.clone());
        metrics
    }
}

impl Metrics {
    /// Counts a refusal.
    pub fn refused(&self, door: DoorName, problem: &Problem) {
        let labels = RefusalLabels {
            door: door.to_string(),
            code: problem.code.name(),
        };
        self.refusals.get_or_create(&labels).inc();
    }
}

/// A gauge with the present number of some things.
pub fn gauge(count: impl TryInto<i64>) -> Gauge {
    let gauge = Gauge::default();
    set(&gauge, count);
    gauge
}

fn set(gauge: &Gauge, count: impl TryInto<i64>) {
    gauge.set(count.try_into().unwrap_or(i64::MAX));
}

/// Counts an answer and how long it took.
pub async fn count(
    State(gateway): State<Gateway>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let (begun, method) = (Instant::now(), request.method().clone());
    let response = next.run(request).await;
    let metrics = &gateway.metrics;
    metrics
        .request_seconds
        .observe(begun.elapsed().as_secs_f64());
    let labels = RequestLabels {
        method: method::name(&method).to_owned(),
        route: route.map_or_else(|| "none".to_owned(), |route| route.as_str().to_owned()),
        status: response.status().as_u16(),
    };
    metrics.requests.get_or_create(&labels).inc();
    response
}

/// Serves `/metrics` until the future is dropped.
pub async fn serve(gateway: Gateway, listener: Listener) {
    let router = Router::new()
        .route("/metrics", get(tell))
        .with_state(Arc::new(gateway));
    listener.serve(router, std::future::pending()).await;
}

async fn tell(State(gateway): State<Arc<Gateway>>) -> Response {
    let metrics = &gateway.metrics;
    let begun = Instant::now();
    let head = gateway.store.read().log().head().await;
    metrics.database_seconds.set(begun.elapsed().as_secs_f64());
    metrics.database_up.set(i64::from(head.is_ok()));
    if let Ok(head) = head {
        set(&metrics.log_entries, head.size);
    }
    let mut of_doors = Registry::with_prefix(PREFIX);
    for door in gateway.doors.each() {
        door.measure(&gateway, &mut of_doors).await;
    }
    if let Ok(count) = ask::failing(&gateway).await {
        set(&metrics.witnesses_failing, count);
    }
    let mut text = String::new();
    let encoded = encode_registry(&mut text, &metrics.registry)
        .and_then(|()| encode_registry(&mut text, &of_doors))
        .and_then(|()| encode_eof(&mut text));
    match encoded {
        Ok(()) => {
            let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, openmetrics)], text).into_response()
        }
        Err(error) => Problem::internal(&error).into_response(),
    }
}
