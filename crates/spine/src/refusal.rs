//! Records refusals, within bounds, so that an owner can see them.

mod fold;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use hallway_evidence::{DeviceId, PersonId};
use schemars::JsonSchema;
use serde::Serialize;

use self::fold::{Fold, Source, Told};
use crate::door_name::DoorName;
use crate::http::input::Asked;
use crate::http::page::{PageQuery, PageView};
use crate::http::peer::Peer;
use crate::http::problem::Problem;
use crate::store::Refusal;
use crate::{Gateway, source};

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
    /// Which device was refused, where that is certain.
    #[schemars(with = "Option<String>")]
    pub device: Option<DeviceId>,
    /// Who was refused, where that is certain.
    #[schemars(with = "Option<String>")]
    pub person: Option<PersonId>,
    /// How many more like it there were, which are not listed.
    pub more: u64,
    /// When the last of these was, milliseconds since 1970.
    pub last_ms: u64,
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
        device: refusal.device,
        person: refusal.person,
        more: refusal.more,
        last_ms: refusal.last.as_ms(),
    };
    Ok(Json(PageView::new(
        page.items.iter().map(row).collect(),
        page.next,
    )))
}

/// The refused device or person, if it is certain.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'p> {
    peer: &'p Peer,
    device: Option<DeviceId>,
    person: Option<PersonId>,
}

impl<'p> Subject<'p> {
    /// A device whose signature was verified.
    #[must_use]
    pub fn device(self, device: Option<DeviceId>) -> Self {
        Self { device, ..self }
    }

    /// A person who is signed in.
    #[must_use]
    pub fn person(self, person: PersonId) -> Self {
        Self {
            person: Some(person),
            ..self
        }
    }

    fn source(&self) -> Source {
        match (self.device, self.person) {
            (Some(device), _) => Source::Device(device),
            (None, Some(person)) => Source::Person(person),
            (None, None) => Source::Stranger(network(&self.peer.address)),
        }
    }
}

impl<'p> From<&'p Peer> for Subject<'p> {
    /// A stranger.
    fn from(peer: &'p Peer) -> Self {
        Self {
            peer,
            device: None,
            person: None,
        }
    }
}

/// The network of an address.
fn network(address: &str) -> String {
    match address.parse::<IpAddr>() {
        Ok(address) => source::network(address).to_string(),
        Err(_) => address.to_owned(),
    }
}

/// Bounds the records that refusals cause.
#[derive(Debug)]
pub struct Brake(Mutex<Fold>);

impl Default for Brake {
    fn default() -> Self {
        Self(Mutex::new(Fold::new(Instant::now())))
    }
}

impl Brake {
    fn fold(&self) -> MutexGuard<'_, Fold> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often the counts of repeated refusals are written.
const COUNTING: Duration = Duration::from_secs(1);

/// Writes the counts of repeated refusals until it is dropped.
pub async fn keep_counting(gateway: Gateway) {
    loop {
        tokio::time::sleep(COUNTING).await;
        gateway.count_refusals().await;
    }
}

impl Gateway {
    /// Records a refusal, or counts it with a similar one. Failures of the gateway itself are not recorded.
    pub async fn refuse<'p>(
        &self,
        door: DoorName,
        problem: &Problem,
        subject: impl Into<Subject<'p>>,
    ) {
        if problem.status().is_server_error() {
            return;
        }
        let subject = subject.into();
        self.metrics.refused(door, problem);
        tracing::info!(
            door = door.as_str(),
            code = problem.code.name(),
            detail = problem.detail,
            "refused"
        );
        let (kind, source, at) = ((door, problem.code), subject.source(), self.now());
        let told = self.refusals.fold().take(kind, source, Instant::now(), at);
        let Told::Apart(id) = told else {
            return;
        };
        let refusal = Refusal {
            id,
            at,
            door: door.as_str().to_owned(),
            code: problem.code.to_string(),
            detail: problem.detail.clone(),
            device: subject.device,
            person: subject.person,
            address: subject.peer.address.clone(),
            more: 0,
            last: at,
        };
        if let Err(error) = self.store.record_refusal(&refusal).await {
            self.refusals.fold().forget(id);
            tracing::warn!(%error, "a refusal could not be written down");
        }
    }

    /// The result of a request. A refusal is recorded first.
    ///
    /// # Errors
    /// The error of `result`.
    pub async fn or_refuse<'p, T>(
        &self,
        door: DoorName,
        subject: impl Into<Subject<'p>>,
        result: Result<T, Problem>,
    ) -> Result<T, Problem> {
        if let Err(problem) = &result {
            self.refuse(door, problem, subject).await;
        }
        result
    }

    /// Writes the counts of repeated refusals.
    pub async fn count_refusals(&self) {
        let untold = self.refusals.fold().untold(Instant::now());
        if untold.is_empty() {
            return;
        }
        if let Err(error) = self.store.count_refusals(&untold).await {
            tracing::warn!(%error, "how often something was refused could not be written down");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_ipv6_stands_for_its_network() {
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:7:ff::"));
        assert_ne!(network("2001:db8:1:2::"), network("2001:db8:1:102::"));
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network(""), "");
    }
}
