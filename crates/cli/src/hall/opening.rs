//! Opening a hall: one touch, and what it gave.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallway_hall::client::{HallClient, Opening};
use hallway_hall::{Bundle, HallKey, HallName, Right, SpiffeId};
use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use serde_json::{Value, json};

use super::HallCommandError;
use super::waiting::Waits;
use crate::person::Visitor;

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Which hall.
    pub(crate) hall: HallName,
    /// Which rights; none at all means every right that the person has there.
    pub(crate) rights: Vec<Right>,
    /// For how long; the longest that the gateway allows where none is named.
    pub(crate) duration_ms: Option<u64>,
}

/// A grant as the gateway announces it.
#[derive(Debug, Deserialize)]
pub(crate) struct Granted {
    /// Its id.
    pub(crate) id: String,
    /// What may be done.
    pub(crate) rights: Vec<Right>,
    /// Until when, unix milliseconds.
    pub(crate) ends_ms: u64,
    /// What it waits for before it opens anything.
    pub(crate) waits: Option<Waits>,
    certificates: Vec<String>,
    bundle: Vec<String>,
    address: String,
    gateway: String,
}

#[derive(Deserialize)]
struct Outcome {
    evidence: String,
    grant: Granted,
}

/// An open hall.
pub(crate) struct Opened {
    /// The way in.
    pub(crate) client: HallClient,
    /// What was granted.
    pub(crate) granted: Granted,
    /// The hash of the evidence, hexadecimal.
    pub(crate) evidence: String,
}

/// Makes a key in memory and asks for a grant for it.
///
/// # Errors
/// The person's key or the gateway refuses, or what it gave can't be used.
pub(crate) async fn open(
    visitor: &mut Visitor,
    wanted: &Wanted,
) -> Result<Opened, HallCommandError> {
    let key = HallKey::generate()?;
    let mut act = json!({
        "kind": "open_hall",
        "hall": wanted.hall,
        "public_key": URL_SAFE_NO_PAD.encode(key.public().as_der()),
    });
    if !wanted.rights.is_empty() {
        act["rights"] = wanted.rights.iter().map(ToString::to_string).collect();
    }
    if let Some(duration_ms) = wanted.duration_ms {
        act["duration_ms"] = duration_ms.into();
    }
    let outcome: Value = visitor.act(act).await?;
    let outcome: Outcome = serde_json::from_value(outcome)?;
    let granted = outcome.grant;
    let opening = Opening {
        address: granted.address.clone(),
        gateway: granted.gateway.parse::<SpiffeId>()?,
        bundle: Bundle::new(certificates(&granted.bundle)?)?,
        chain: certificates(&granted.certificates)?,
        key,
    };
    Ok(Opened {
        client: HallClient::new(opening)?,
        granted,
        evidence: outcome.evidence,
    })
}

/// Certificates as the API writes them: DER in base64url.
pub(super) fn certificates(
    texts: &[String],
) -> Result<Vec<CertificateDer<'static>>, HallCommandError> {
    let decoded = |text| URL_SAFE_NO_PAD.decode(text).map(CertificateDer::from);
    let all: Result<Vec<_>, _> = texts.iter().map(decoded).collect();
    all.map_err(|_| HallCommandError::Certificates)
}
