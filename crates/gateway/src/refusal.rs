//! What was refused is written down, within bounds, so that an owner can see it.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use hallway_evidence::statement::Act;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Gateway;
use crate::doors::web::grant::Peer;
use crate::http::input::Asked;
use crate::http::page::{PageQuery, PageView};
use crate::http::problem::Problem;
use crate::store::{Refusal, RefusalId};

/// A refusal, as the API shows one.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RefusalRow {
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// Which door.
    pub door: String,
    /// Why, for programs.
    pub code: String,
    /// Why, for people.
    pub detail: String,
    /// From which address.
    pub address: String,
}

/// Lists refusals, newest first.
pub async fn list(
    State(gateway): State<Gateway>,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<PageView<RefusalRow>>, Problem> {
    let page = gateway
        .store
        .read()
        .refusals()
        .page(&query.request()?)
        .await?;
    let row = |refusal: &Refusal| RefusalRow {
        at_ms: refusal.at.as_ms(),
        door: refusal.door.clone(),
        code: refusal.code.clone(),
        detail: refusal.detail.clone(),
        address: refusal.address.clone(),
    };
    Ok(Json(PageView::new(
        page.items.iter().map(row).collect(),
        page.next,
    )))
}

/// Which door refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Door {
    /// People.
    Web,
    /// Devices.
    Device,
    /// Halls.
    Hall,
}

impl Door {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Device => "device",
            Self::Hall => "hall",
        }
    }
}

impl Door {
    /// The door at which this is done.
    pub const fn of(act: &Act) -> Self {
        match act {
            // What people do with devices, they do at the web door.
            Act::Web(_) | Act::People(_) | Act::Authority(_) | Act::Device(_) => Self::Web,
            Act::Hall(_) => Self::Hall,
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Refusals that are written in a burst; more than that within a second are only logged, so that
/// a stranger can't make the gateway flush its disk for each bad request.
const BURST: u32 = 20;

/// Bounds how many refusals are written.
#[derive(Debug)]
pub struct Brake(Mutex<(Instant, u32)>);

impl Default for Brake {
    fn default() -> Self {
        Self(Mutex::new((Instant::now(), 0)))
    }
}

impl Brake {
    fn allows(&self) -> bool {
        let mut state = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if state.0.elapsed() > Duration::from_secs(1) {
            *state = (Instant::now(), 0);
        }
        state.1 += 1;
        state.1 <= BURST
    }
}

impl Gateway {
    /// Writes a refusal down. What fails for our own reasons is not one.
    pub async fn refuse(&self, door: Door, problem: &Problem, peer: &Peer) {
        if problem.status.is_server_error() {
            return;
        }
        self.metrics.refused(door, problem);
        tracing::info!(
            door = door.as_str(),
            code = problem.code,
            detail = problem.detail,
            "refused"
        );
        if !self.refusals.allows() {
            return;
        }
        let refusal = Refusal {
            id: RefusalId::generate(),
            at: self.now(),
            door: door.as_str().to_owned(),
            code: problem.code.to_owned(),
            detail: problem.detail.clone(),
            device: None,
            person: None,
            address: peer.address.clone(),
        };
        if let Err(error) = self.store.record_refusal(&refusal).await {
            tracing::warn!(%error, "a refusal could not be written down");
        }
    }
}
