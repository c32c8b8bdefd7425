//! The makers whose attestation authorities the realm accepts: without one, no device enrols.

use axum::Json;
use axum::extract::State;
use hallway_evidence::statement::maker as stated;
use hallway_spine::Gateway;
use hallway_spine::act::{Registered, act};
use hallway_spine::http::problem::Problem;
use hallway_spine::store::Unit;
use hallway_webauthn::{TrustAnchor, TrustAnchors};
use schemars::JsonSchema;
use serde::Serialize;

use crate::DeviceDoor;
use crate::store::{Authority, DeviceTables};

mod add;
mod remove;

/// The acts on makers.
pub fn acts() -> Vec<Registered> {
    vec![
        act::<DeviceDoor, stated::Add>(),
        act::<DeviceDoor, stated::Remove>(),
    ]
}

/// An authority, as the API shows one.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AuthorityView {
    /// A UUID.
    pub id: String,
    /// What the realm calls it.
    pub name: String,
    /// SHA-256 of the certificate, hexadecimal.
    pub sha256: String,
    /// When it was added, milliseconds since 1970.
    pub added_ms: u64,
}

/// Lists the authorities that are accepted now.
pub async fn list(State(gateway): State<Gateway>) -> Result<Json<Vec<AuthorityView>>, Problem> {
    let installed = gateway.store.read().authorities().installed().await?;
    let view = |authority: Authority| AuthorityView {
        id: authority.id.to_string(),
        name: authority.name,
        sha256: hex::encode(authority.sha256),
        added_ms: authority.added.as_ms(),
    };
    Ok(Json(installed.into_iter().map(view).collect()))
}

/// The anchors for a device's attestation, each named by its id.
pub async fn anchors(unit: &Unit<'_>) -> Result<TrustAnchors, Problem> {
    let mut anchors = TrustAnchors::new();
    for authority in unit.authorities().installed().await? {
        let anchor = TrustAnchor::new(authority.id.to_string(), authority.certificate)
            .map_err(|error| Problem::internal(&error))?;
        anchors.add(anchor);
    }
    Ok(anchors)
}
