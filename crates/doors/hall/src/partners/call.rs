//! From gateway to gateway: requests to a partner's hall listener over mutual TLS, both sides with
//! the SVID `spiffe://REALM/gateway`.

use std::time::Duration;

use axum::http::{Method, Request, header};
use hallway_evidence::RealmName;
use hallway_hall::client::{self, ClientError, HallClient, Opening};
use hallway_hall::{HallKey, Leaf, Party, Usage, body};
use hallway_spine::Gateway;
use hallway_spine::http::problem::{Code, Problem};
use rustls_pki_types::CertificateDer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::HallsOf;
use crate::partners::{active, place};
use crate::store::Partner;

/// How long an answer may take, with the connection.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the gateway's certificate towards a partner is valid. The clocks of the two may differ.
const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(300);

/// Why a partner's gateway gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The address of its hall listener is not known.
    #[error("the address of its hall listener is not known yet")]
    Nowhere,
    /// This gateway or its database failed.
    #[error("{}", .0.detail)]
    Own(Problem),
    /// The connection failed, or the other side refused.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The answer took too long.
    #[error("it did not answer within {} seconds", ANSWER_TIMEOUT.as_secs())]
    Slow,
}

impl From<Problem> for CallError {
    fn from(problem: Problem) -> Self {
        Self::Own(problem)
    }
}

impl CallError {
    /// The code of the refusal, if the other gateway itself refused.
    #[must_use]
    pub fn refusal(&self) -> Option<Code> {
        match self {
            Self::Client(error) => error.code(),
            _ => None,
        }
    }
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Own(problem) => problem,
            error => Self::new(Code::PartnerAway, format!("the partner's gateway: {error}")),
        }
    }
}

/// A fresh key and its certificate, for one connection. Connections are so rare that neither is
/// kept.
fn own_identity(gateway: &Gateway) -> Result<(HallKey, CertificateDer<'static>), Problem> {
    let key = HallKey::generate().map_err(|error| Problem::internal(&error))?;
    let now = gateway.now();
    let leaf = gateway.halls().authorities.in_use().signing.issue(&Leaf {
        party: Party::Gateway,
        public_key: key.public(),
        not_before_ms: now.as_ms(),
        not_after_ms: now.plus(CERTIFICATE_LIFETIME).as_ms(),
        usage: Usage::Client,
        provenance: None,
    });
    Ok((key, leaf.map_err(|error| Problem::internal(&error))?))
}

/// Sends a GET request for JSON to a joined partner.
///
/// # Errors
/// 403 `not-partner`, 502, or the other side's refusal.
pub async fn get<T: DeserializeOwned>(
    gateway: &Gateway,
    realm: &RealmName,
    path: &str,
) -> Result<T, CallError> {
    let partner = active(gateway.store.read(), realm).await?;
    ask(gateway, &partner, Method::GET, path, None).await
}

/// Posts JSON to a joined partner.
///
/// # Errors
/// As [`get`].
pub async fn post<T: DeserializeOwned>(
    gateway: &Gateway,
    realm: &RealmName,
    path: &str,
    body: &(impl Serialize + Sync),
) -> Result<T, CallError> {
    let partner = active(gateway.store.read(), realm).await?;
    send(gateway, &partner, path, body).await
}

/// Posts JSON to a partner in any state.
pub(crate) async fn send<T: DeserializeOwned>(
    gateway: &Gateway,
    partner: &Partner,
    path: &str,
    body: &(impl Serialize + Sync),
) -> Result<T, CallError> {
    let body = serde_json::to_vec(body).map_err(|error| Problem::internal(&error))?;
    ask(gateway, partner, Method::POST, path, Some(body)).await
}

/// Sends one request over a connection of its own.
#[tracing::instrument(name = "peer", skip_all, fields(partner = %partner.realm, path))]
pub(crate) async fn ask<T: DeserializeOwned>(
    gateway: &Gateway,
    partner: &Partner,
    method: Method,
    path: &str,
    body: Option<Vec<u8>>,
) -> Result<T, CallError> {
    if partner.hall.is_none() {
        return Err(CallError::Nowhere);
    }
    let (key, leaf) = own_identity(gateway)?;
    let place = place(gateway.store.read(), partner).await?;
    let opening = Opening {
        address: place.address,
        gateway: place.gateway,
        bundle: place.bundle,
        chain: vec![leaf],
        key,
        home: None,
    };
    let client = HallClient::new(opening)?;
    let request = Request::builder().method(method).uri(path);
    let request = match body {
        None => request.body(body::empty()),
        Some(json) => request
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_LENGTH, json.len())
            .body(body::full(json)),
    };
    let request = request.map_err(|error| Problem::internal(&error))?;
    let answer = timeout(ANSWER_TIMEOUT, async {
        let answer = client::accepted(client.forward(request).await?).await?;
        client::json(answer).await
    });
    Ok(answer.await.map_err(|_| CallError::Slow)??)
}
