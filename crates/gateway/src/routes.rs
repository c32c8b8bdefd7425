//! Every route of the gateway: its rule, what it takes, what it gives.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

use crate::Gateway;
use crate::console;
use crate::doors::ceremony::{Answer, Ceremony};
use crate::doors::device::{
    announce, challenge, code, lifecycle, payload, send, status, transactions,
};
use crate::doors::hall;
use crate::doors::web::{grant, join, keys, links, sessions, sign_in};
use crate::doors::{act, evidence, log, makers, models, people, witness};
use crate::http::bounds::{AtOnce, Bounds, Gives, Most, Takes};
use crate::http::page::PageView;
use crate::http::problem::Problem;
use crate::http::route::{Access, Route};
use crate::http::{headers, openapi};
use crate::live;
use crate::metrics;
use crate::partners::description::Description;
use crate::partners::shared::HallThere;
use crate::refusal;
use crate::store::Role;
use crate::thumbnail;

/// All of them.
pub fn all() -> Vec<Route> {
    let mut routes = web();
    routes.extend(acts());
    routes.extend(devices());
    routes.extend(halls());
    routes.extend(files(
        "/api/halls/{name}/files/{store}",
        "/api/halls/{name}/files/{store}/{*path}",
        hall::files::files,
        hall::files::change,
    ));
    routes.extend(files(
        "/api/partners/{realm}/halls/{hall}/files/{store}",
        "/api/partners/{realm}/halls/{hall}/files/{store}/{*path}",
        hall::away::files,
        hall::away::change,
    ));
    routes.extend(partners());
    routes.extend(evidence_and_log());
    routes.extend(witnesses());
    routes.extend(models_of_keys());
    routes.extend(operation());
    routes.extend(console::routes());
    routes
}

/// For what strangers may ask and what costs signatures, certificates or units of the database.
const STRANGERS: Bounds = Bounds {
    at_once: AtOnce {
        total: 64,
        each: 16,
    },
    ..Bounds::JSON
};

/// For what asks a partner's gateway before it answers.
pub(crate) const AT_PARTNER: Bounds = Bounds {
    answer: Gives::Whole {
        within: Duration::from_secs(90),
    },
    at_once: AtOnce {
        total: 128,
        each: 16,
    },
    because: Some("it waits for another gateway, as long as it waits for one"),
    ..Bounds::READ
};

/// For what looks now for what is looked for now and then anyway.
const LOOK_NOW: Bounds = Bounds {
    body: Bounds::JSON.body,
    answer: Gives::Whole {
        within: Duration::from_secs(240),
    },
    at_once: AtOnce { total: 16, each: 4 },
    because: Some("it waits for servers elsewhere, as long as it waits for each"),
};

/// For what reads a whole payload.
pub(crate) const PICTURES: Bounds = Bounds {
    answer: Gives::Whole {
        within: Duration::from_secs(60),
    },
    at_once: AtOnce {
        total: 256,
        each: 64,
    },
    because: Some("whole payloads are read one after the other"),
    ..Bounds::READ
};

/// Server-sent events.
const EVENTS: Bounds = Bounds {
    answer: Gives::Streamed {
        lasts: Some(Duration::from_secs(3600)),
    },
    at_once: AtOnce {
        total: 512,
        each: 16,
    },
    because: Some("events are followed; a browser asks again when they end"),
    ..Bounds::READ
};

/// What is read from a store while it is sent.
const DOWNLOAD: Bounds = Bounds {
    answer: Gives::Streamed { lasts: None },
    at_once: AtOnce {
        total: 256,
        each: 32,
    },
    because: Some("files are sent as they are read; who takes nothing for a minute is put out"),
    ..Bounds::READ
};

/// The largest object that a bucket takes.
const LARGEST_FILE: u64 = 5 << 40;

/// Files of a hall, which go either way.
pub(crate) const FILES: Bounds = Bounds {
    body: Takes::Streamed {
        most: Most::Bytes(LARGEST_FILE),
    },
    answer: Gives::Streamed { lasts: None },
    at_once: AtOnce {
        total: 1024,
        each: 256,
    },
    because: Some("files are as large as a store takes them, and nothing of them stays in memory"),
};

/// The same for what says in JSON what to change: in a bucket, another name is another copy.
const FILES_CHANGE: Bounds = Bounds {
    body: Bounds::JSON.body,
    ..FILES
};

/// The same for what takes no body.
const FILES_READ: Bounds = Bounds {
    body: Takes::Nothing,
    ..FILES
};

const MEMBER: Access = Access::Person(Role::Member);
const OPERATOR: Access = Access::Person(Role::Operator);

fn web() -> Vec<Route> {
    vec![
        Route::post("/api/sign-in/statement", Access::Public, sign_in::begin)
            .summary("A statement to sign in with")
            .gives::<Ceremony>(),
        Route::post("/api/sign-in", Access::Proof, sign_in::finish)
            .summary("Sign in")
            .takes::<sign_in::SignIn>()
            .within(STRANGERS)
            .gives::<sign_in::SignedIn>(),
        Route::post("/api/sign-out", MEMBER, sign_in::sign_out).summary("End the session"),
        Route::post("/api/join/look", Access::Proof, join::look)
            .summary("What a one-time link is for")
            .takes::<join::Token>()
            .gives::<join::LinkView>(),
        Route::post("/api/join/sign-in", Access::Proof, join::sign_in)
            .summary("Sign in with a one-time link")
            .takes::<join::Token>()
            .gives::<sign_in::SignedIn>()
            .within(STRANGERS),
        Route::get("/api/sessions", MEMBER, sessions::list)
            .summary("Where the caller is signed in")
            .gives::<Vec<sessions::SessionRow>>(),
        Route::post("/api/sessions/{id}/end", MEMBER, sessions::end)
            .summary("End a session of one's own")
            .gives::<Vec<sessions::SessionRow>>(),
        Route::get("/api/links", MEMBER, links::list)
            .summary("One-time links that are open: the caller's own, and everybody's for an owner")
            .gives::<Vec<links::LinkRow>>(),
        Route::post("/api/keys/statement", Access::Proof, keys::begin)
            .summary("A statement to register a key with, by a one-time link")
            .takes::<keys::NewKey>()
            .within(STRANGERS)
            .gives::<Ceremony>(),
        Route::post("/api/keys", Access::Proof, keys::finish)
            .summary("Register a key")
            .takes::<keys::Registration>()
            .within(STRANGERS)
            .gives::<keys::Registered>(),
        Route::get("/api/keys", MEMBER, keys::list)
            .summary("The caller's keys")
            .gives::<Vec<keys::KeyView>>(),
        Route::post("/api/keys/{id}/label", MEMBER, keys::label)
            .summary("Name a key")
            .takes::<keys::Label>()
            .gives::<keys::KeyView>(),
        Route::get("/api/me", MEMBER, grant::me)
            .summary("Who is signed in")
            .gives::<grant::PersonView>(),
    ]
}

fn acts() -> Vec<Route> {
    vec![
        Route::post("/api/acts/statement", MEMBER, act::begin)
            .summary("The statement of an act")
            .takes::<act::Wanted>()
            .gives::<Ceremony>(),
        Route::post("/api/acts", MEMBER, act::finish)
            .summary("Do what was signed")
            .takes::<Answer>()
            .gives::<act::Outcome>(),
        Route::get("/api/people", OPERATOR, people::list)
            .summary("The people of the realm")
            .gives::<PageView<people::PersonRow>>(),
        Route::get("/api/authorities", OPERATOR, makers::list)
            .summary("The attestation authorities that are accepted")
            .gives::<Vec<makers::AuthorityView>>(),
        Route::get("/api/refusals", OPERATOR, refusal::list)
            .summary("What was refused, newest first")
            .gives::<PageView<refusal::RefusalRow>>(),
    ]
}

fn devices() -> Vec<Route> {
    vec![
        Route::post("/api/device/enrolments/statement", Access::Public, announce::statement)
            .summary("A statement for a device's attested enrolment")
            .gives::<announce::Statement>(),
        Route::post("/api/device/enrolments", Access::Proof, announce::announce)
            .summary("Announce a device by its attestation; gives the code to show")
            .takes::<announce::Enrolment>()
            .within(Bounds::COSTLY)
            .gives::<announce::Announced>(),
        Route::post("/api/device/status", Access::Proof, status::ask)
            .summary("Is my registration still valid? For a device that signs the question")
            .takes::<status::Question>()
            .gives::<status::Status>(),
        Route::post("/api/device/challenge", Access::Public, challenge::give)
            .summary("A challenge for a transaction")
            .gives::<challenge::Challenge>(),
        Route::post("/api/device/transactions", Access::Proof, send::send)
            .summary("Send bytes with their evidence in the header Hallway-Evidence; gives the receipt, CBOR")
            .within(TRANSACTION),
        Route::post("/api/devices/code", MEMBER, code::look)
            .summary("Which device shows a code")
            .takes::<code::Code>()
            .gives::<code::CodeView>(),
        Route::get("/api/devices", MEMBER, lifecycle::list)
            .summary("The devices that the caller may see")
            .gives::<PageView<lifecycle::DeviceView>>(),
        Route::get("/api/devices/{id}", MEMBER, lifecycle::one)
            .summary("One device")
            .gives::<lifecycle::DeviceView>(),
        Route::post("/api/devices/{id}/name", MEMBER, lifecycle::name)
            .summary("Name a device")
            .takes::<lifecycle::Name>()
            .gives::<lifecycle::DeviceView>(),
        Route::get("/api/transactions", MEMBER, transactions::list)
            .summary("Transactions, newest first")
            .gives::<PageView<transactions::TransactionRow>>(),
        Route::get("/api/transactions/{hash}/payload", MEMBER, payload::payload)
            .summary("The bytes of a transaction")
            .within(DOWNLOAD),
        Route::get("/api/transactions/{hash}/signed", MEMBER, evidence::signed_file)
            .summary("A file with its evidence inside")
            .within(DOWNLOAD),
        Route::get("/api/transactions/{hash}/thumbnail", MEMBER, thumbnail::get)
            .summary("A picture, small")
            .within(PICTURES),
        Route::get("/api/events", MEMBER, live::events)
            .summary("New transactions as server-sent events")
            .within(EVENTS),
    ]
}

fn halls() -> Vec<Route> {
    vec![
        Route::get("/api/halls", MEMBER, hall::look::list)
            .summary("The halls that the caller may see")
            .gives::<Vec<hall::look::HallRow>>(),
        Route::get("/api/halls/{name}", MEMBER, hall::look::one)
            .summary("One hall")
            .gives::<hall::look::HallView>(),
        Route::get("/api/halls/{name}/grant", MEMBER, hall::files::grant)
            .summary(
                "What is open in a hall for the caller's session or waits to be approved, or null",
            )
            .gives::<Option<hall::grants::GrantRow>>(),
        Route::get("/api/halls/{name}/events", MEMBER, hall::flows::events)
            .summary("Who is inside a hall and what flows, as server-sent events")
            .within(EVENTS),
        Route::get("/api/grants", MEMBER, hall::grants::list)
            .summary("What opened in halls, newest first")
            .gives::<PageView<hall::grants::GrantRow>>(),
        Route::get("/api/grants/{id}/visit", MEMBER, hall::visit::evidence)
            .within(AT_PARTNER)
            .summary("The evidence of a grant of the caller's own to show to the host of the hall")
            .gives::<hall::visit::VisitView>(),
        Route::post("/api/grants/{id}/end", MEMBER, hall::grants::end)
            .summary("End a grant of the caller's own")
            .gives::<hall::grants::GrantRow>(),
        Route::get("/api/approvals", MEMBER, hall::approvals::list)
            .summary("Openings that wait until the caller, or somebody else, approves them")
            .gives::<Vec<hall::approvals::WaitingRow>>(),
        Route::post("/api/hall-agents/join", Access::Proof, hall::agents::join)
            .summary("Join a hall as an agent, by a one-time token")
            .takes::<hall::agents::Join>()
            .within(STRANGERS)
            .gives::<hall::agents::Joined>(),
        Route::get("/api/hall/bundle", Access::Public, hall::look::bundle)
            .summary("The realm's SPIFFE trust bundle"),
        Route::get(
            "/api/hall/authorities",
            OPERATOR,
            hall::own_authorities::list,
        )
        .summary("The realm's own certificate authorities, and which of them signs")
        .gives::<Vec<hall::own_authorities::OwnAuthorityView>>(),
    ]
}

/// What devices send. All devices of a site may call from one address, and each has one request under
/// way; what a device sends is signed before a byte of it is read.
const TRANSACTION: Bounds = Bounds {
    body: Takes::Streamed {
        most: Most::Payload,
    },
    answer: Gives::Streamed { lasts: None },
    at_once: AtOnce {
        total: 8192,
        each: 4096,
    },
    because: Some("a site's devices share one address, and pictures are stored as they come"),
};

/// Files under a session's grant, in halls of ours and of partners alike.
fn files<A: 'static, B: 'static>(
    store: &'static str,
    file: &'static str,
    serve: impl Handler<A, Gateway>,
    change: impl Handler<B, Gateway>,
) -> Vec<Route> {
    vec![
        Route::get(store, MEMBER, serve.clone())
            .summary("The top folder of a store, under the session's grant")
            .within(FILES_READ),
        Route::get(file, MEMBER, serve.clone())
            .summary("A file or folder")
            .within(FILES_READ),
        Route::put(file, MEMBER, serve.clone())
            .summary("Write a file whole")
            .within(FILES),
        Route::patch(file, MEMBER, serve.clone())
            .summary("Go on with an upload, ?upload=ID")
            .within(FILES),
        Route::delete(file, MEMBER, serve)
            .summary("Delete a file or folder, or throw an upload away")
            .within(FILES_READ),
        Route::post(file, MEMBER, change)
            .summary("Rename a file, or make a folder")
            .takes::<hall::files::Change>()
            .within(FILES_CHANGE),
    ]
}

fn partners() -> Vec<Route> {
    vec![
        Route::get("/api/realm", Access::Public, hall::partners::look::realm)
            .summary("What this realm is: for realms that want to be partners")
            .gives::<Description>(),
        Route::get("/api/partners", OPERATOR, hall::partners::look::list)
            .summary("Partners: other realms that are joined with this one")
            .gives::<Vec<hall::partners::look::PartnerView>>(),
        Route::post(
            "/api/partners/{realm}/refresh",
            OPERATOR,
            hall::partners::look::look_now,
        )
        .within(LOOK_NOW)
        .summary("Look at a partner's trust bundle now")
        .gives::<hall::partners::look::PartnerView>(),
        Route::post(
            "/api/partners/join",
            Access::Proof,
            hall::partners::join::join,
        )
        .summary("Join this realm as the realm that was invited, by the invitation's token")
        .takes::<hall::partners::join::Join>()
        .within(STRANGERS)
        .gives::<hall::partners::join::Joined>(),
    ]
}

fn evidence_and_log() -> Vec<Route> {
    vec![
        Route::get("/api/evidence", MEMBER, evidence::list)
            .summary("Evidence, newest first")
            .gives::<PageView<evidence::EvidenceRow>>(),
        Route::get("/api/evidence/{hash}", MEMBER, evidence::one)
            .summary("One piece of evidence")
            .gives::<evidence::EvidenceView>(),
        Route::get(
            "/api/evidence/{hash}/explanation",
            MEMBER,
            evidence::explanation,
        )
        .within(PICTURES)
        .summary("Each verification step of a piece of evidence, with its outcome"),
        Route::get("/api/receipts/{hash}", MEMBER, evidence::receipt)
            .summary("A piece of evidence with all that it rests on, CBOR"),
        Route::get("/api/trust", Access::Public, evidence::trust)
            .summary("What checks this realm's receipts offline"),
        Route::get("/api/partners/{realm}/halls", MEMBER, hall::visit::halls)
            .within(AT_PARTNER)
            .summary("The halls of a partner that the caller may enter, as the partner says now")
            .gives::<Vec<HallThere>>(),
        Route::get(
            "/api/partners/{realm}/halls/{hall}/grant",
            MEMBER,
            hall::away::grant,
        )
        .within(AT_PARTNER)
        .summary("What is open in a partner's hall for the caller's session, or null")
        .gives::<Option<hall::grants::GrantRow>>(),
        Route::get(
            "/api/partners/{realm}/trust",
            OPERATOR,
            evidence::partner_trust,
        )
        .summary("What checks what a partner's people brought, offline"),
        Route::get("/log/checkpoint", Access::Public, log::checkpoint)
            .summary("The log's signed checkpoint (C2SP tlog-checkpoint)"),
        Route::get("/log/tile/{*path}", Access::Public, log::tile)
            .summary("A tile of the log (C2SP tlog-tiles)"),
    ]
}

fn witnesses() -> Vec<Route> {
    vec![
        Route::post(
            "/witness/add-checkpoint",
            Access::Proof,
            witness::add_checkpoint,
        )
        .summary("Cosign a checkpoint of another log (C2SP tlog-witness)")
        .within(STRANGERS),
        Route::get("/witness/key", Access::Public, witness::key)
            .summary("The verifier key of this realm as a witness"),
        Route::get("/log/cosigned", Access::Public, log::cosigned_checkpoint)
            .summary("The checkpoint that most witnesses cosigned"),
        Route::get("/api/witness", OPERATOR, witness::look::look)
            .summary("Who cosigns the log, and whose logs are cosigned here")
            .gives::<witness::look::WitnessView>(),
        Route::post("/api/witness/ask", OPERATOR, witness::look::ask_now)
            .within(LOOK_NOW)
            .summary("Ask the log's witnesses now")
            .gives::<witness::look::WitnessView>(),
    ]
}

fn models_of_keys() -> Vec<Route> {
    vec![
        Route::get("/api/metadata", OPERATOR, models::metadata)
            .summary("What is known about models of keys, and from where")
            .gives::<models::MetadataView>(),
        Route::post("/api/metadata/refresh", OPERATOR, models::look_now)
            .within(LOOK_NOW)
            .summary("Look for newer metadata now")
            .gives::<models::MetadataView>(),
        Route::get("/api/metadata/models", OPERATOR, models::list)
            .summary("Models, by name; `q` searches names and identifiers")
            .gives::<PageView<models::ModelView>>(),
        Route::get("/api/metadata/models/{id}/icon", MEMBER, models::icon)
            .summary("A model's picture"),
    ]
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
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not-ready",
            "the database does not answer",
        )
    })?;
    Ok("ready\n")
}

/// The description: made once, because it takes longer than any other answer to a stranger.
async fn describe(State(gateway): State<Gateway>) -> Response {
    let made = gateway
        .description
        .get_or_init(|| Bytes::from(openapi::describe(&all(), &gateway.origin).to_string()));
    ([(header::CONTENT_TYPE, "application/json")], made.clone()).into_response()
}

/// How many requests are under way at a time, before it is known what they ask for.
const REQUESTS: usize = 16_384;

/// Refuses one request too many.
async fn at_most(State(requests): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    match requests.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "crowded",
            "the gateway has as many requests under way as it may; try again in a moment",
        )
        .into_response(),
    }
}

/// The router over all routes, guarded and logged.
pub fn router(gateway: &Gateway) -> Router {
    let requests = Arc::new(Semaphore::new(REQUESTS));
    all()
        .into_iter()
        .fold(Router::new(), |router, route| route.mount(router, gateway))
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
    use super::*;
    use crate::hall::routes as hall_routes;

    /// A route that wants more than others of its kind has to say why, in its declaration and in the
    /// description of the API.
    #[test]
    fn wider_bounds_say_why_and_others_need_not() {
        let web = all().into_iter().map(|route| {
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
