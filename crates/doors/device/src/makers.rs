//! The makers whose devices the realm accepts. Without one, no device enrols.

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
use crate::store::{DeviceTables, Maker};

mod add;
mod remove;

/// The acts on makers.
pub fn acts() -> Vec<Registered> {
    vec![
        act::<DeviceDoor, stated::Add>(),
        act::<DeviceDoor, stated::Remove>(),
    ]
}

/// A maker, as the API shows one.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MakerView {
    /// A UUID.
    pub id: String,
    /// What the realm calls it.
    pub name: String,
    /// SHA-256 of the certificate, hexadecimal.
    pub sha256: String,
    /// When it was added, milliseconds since 1970.
    pub added_ms: u64,
}

/// Lists the makers that are accepted now.
pub async fn list(State(gateway): State<Gateway>) -> Result<Json<Vec<MakerView>>, Problem> {
    let installed = gateway.store.read().makers().installed().await?;
    let view = |maker: Maker| MakerView {
        id: maker.id.to_string(),
        name: maker.name,
        sha256: hex::encode(maker.sha256),
        added_ms: maker.added.as_ms(),
    };
    Ok(Json(installed.into_iter().map(view).collect()))
}

/// The anchors for a device's attestation, each named by its id.
pub async fn anchors(unit: &Unit<'_>) -> Result<TrustAnchors, Problem> {
    let mut anchors = TrustAnchors::new();
    for maker in unit.makers().installed().await? {
        let anchor = TrustAnchor::new(maker.id.to_string(), maker.certificate)
            .map_err(|error| Problem::internal(&error))?;
        anchors.add(anchor);
    }
    Ok(anchors)
}
