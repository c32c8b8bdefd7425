//! What is known about models of keys: looked up, searched, and looked for anew.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use hallway_api::key::KeyModel;
use hallway_ctap::aaguid::Aaguid;
use hallway_evidence::Timestamp;
use hallway_hall::foreign::Content;
use hallway_webauthn::metadata::{Metadata, Model};
use hallway_webauthn::{ModelId, UnixSeconds};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Gateway;
use crate::http::foreign::FileRequest;
use crate::http::input::{Asked, Input};
use crate::http::page::PageView;
use crate::http::problem::Problem;
use crate::models::icon::Icon;
use crate::models::{distrust, refresh};
use crate::settings::policy::Level;
use crate::store::{KeyAttestation, Limit};

/// Where the realm stands with metadata.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MetadataView {
    /// Whether anything is configured.
    pub configured: bool,
    /// Where BLOBs come from: addresses and files.
    pub sources: Vec<String>,
    /// Who may sign a BLOB.
    pub signer: String,
    /// The BLOB in use.
    pub blob: Option<BlobView>,
    /// When somebody last looked for a newer one, milliseconds since 1970.
    pub checked_ms: Option<u64>,
    /// Why that failed, if it did.
    pub problem: Option<String>,
    /// How many models are known.
    pub models: usize,
    /// How many entries of the BLOB could not be read; keys of their models are refused.
    pub unreadable: usize,
    /// The local statements.
    pub statements: Vec<StatementView>,
}

/// The BLOB in use.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BlobView {
    /// Its number, which never goes back.
    pub number: u64,
    /// When its successor is due, milliseconds since 1970.
    pub next_update_ms: u64,
    /// Whether that has passed: policies that ask for what only metadata tell register no keys then.
    pub overdue: bool,
    /// Where it came from.
    pub source: String,
    /// When it was taken, milliseconds since 1970.
    pub taken_ms: u64,
}

/// A local statement.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StatementView {
    /// The file's name.
    pub name: String,
    /// Why it is not used, where it is not.
    pub problem: Option<String>,
}

/// Which models.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Search {
    /// A part of a name or of an identifier; nothing for all.
    pub q: Option<String>,
    /// The `next` of the page before.
    pub after: Option<usize>,
    /// How many, 200 at most.
    pub limit: Option<u64>,
}

/// What names a model: its AAGUID, or else its first key identifier.
fn id(model: &Model) -> Option<ModelId> {
    let aaguid = model.aaguid.map(ModelId::Aaguid);
    aaguid.or_else(|| model.keys.first().copied().map(ModelId::Key))
}

fn find(metadata: &Metadata, id: ModelId) -> Option<&Model> {
    match id {
        ModelId::Aaguid(aaguid) => metadata.by_aaguid(aaguid),
        ModelId::Key(key) => metadata.by_key(&key),
    }
}

/// What is known about a model of which authenticators were attested with `chain`.
fn shown(model: &Model, chain: &[Vec<u8>], now: Timestamp) -> KeyModel {
    let at = UnixSeconds::from_ms(now.as_ms());
    let id = id(model).map(|id| id.to_string()).unwrap_or_default();
    // Without a chain, what is about single batches says nothing about all.
    let status = model.compromise_of(at, chain);
    let since = status.and_then(|status| u64::try_from(status.effective?.0).ok());
    KeyModel {
        icon: model
            .icon
            .as_deref()
            .and_then(Icon::from_data_url)
            .map(|_| format!("/api/metadata/models/{id}/icon")),
        id,
        name: model.description.clone(),
        certification: Level(model.certification(at)).to_string(),
        key_protection: model.key_protection.clone(),
        status: status.map(|status| status.status.clone()),
        status_since_ms: since.map(|seconds| seconds * 1000),
    }
}

/// The model of a key, where the metadata know it.
pub fn of_key(
    gateway: &Gateway,
    aaguid: Aaguid,
    attestation: Option<&KeyAttestation>,
) -> Option<KeyModel> {
    let chain = attestation.map_or(&[][..], |attestation| &attestation.chain);
    let known = gateway.models.known();
    let model = known.metadata.find(aaguid, chain)?;
    Some(shown(model, chain, gateway.now()))
}

/// The models whose name or identifier has `search.q` in it, by name; and where the next page
/// begins.
pub fn search(gateway: &Gateway, search: &Search) -> (Vec<KeyModel>, Option<usize>) {
    let wanted = search
        .q
        .as_deref()
        .unwrap_or_default()
        .trim()
        .to_lowercase();
    let known = gateway.models.known();
    let mut found: Vec<_> = current(&known.metadata)
        .filter(|model| {
            let name = model.description.to_lowercase();
            name.contains(&wanted) || id(model).is_some_and(|id| id.to_string().contains(&wanted))
        })
        .collect();
    found.sort_by_key(|model| {
        (
            model.description.to_lowercase(),
            model.aaguid.map(|id| id.0),
        )
    });
    let limit = usize::from(
        search
            .limit
            .map_or_else(Limit::default, Limit::nearest)
            .get(),
    );
    let after = search.after.unwrap_or_default();
    let next = after.saturating_add(limit);
    let now = gateway.now();
    let page = found.iter().skip(after).take(limit);
    let page = page.map(|model| shown(model, &[], now)).collect();
    (page, (next < found.len()).then_some(next))
}

/// Every model once: a local statement takes the place of the BLOB's entry, which is still listed.
fn current(metadata: &Metadata) -> impl Iterator<Item = &Model> {
    metadata.models().iter().filter(|model| {
        id(model)
            .and_then(|id| find(metadata, id))
            .is_some_and(|current| std::ptr::eq(current, *model))
    })
}

/// Where the realm stands.
pub fn view(gateway: &Gateway) -> MetadataView {
    let models = &gateway.models;
    let known = models.known();
    let at = UnixSeconds::from_ms(gateway.now().as_ms());
    let blob = known.state.blob.as_ref().map(|blob| BlobView {
        number: blob.number,
        next_update_ms: blob.next_update.as_ms(),
        overdue: known.metadata.is_overdue(at),
        source: blob.source.clone(),
        taken_ms: blob.taken.as_ms(),
    });
    MetadataView {
        configured: models.is_configured(),
        sources: models.sources().collect(),
        signer: models.signer().describe(),
        blob,
        checked_ms: known.state.checked.map(|at| at.as_ms()),
        problem: known.state.problem.clone(),
        models: current(&known.metadata).count(),
        unreadable: known.metadata.unreadable().len(),
        statements: known
            .statements
            .iter()
            .map(|statement| StatementView {
                name: statement.name.clone(),
                problem: statement.problem.clone(),
            })
            .collect(),
    }
}

/// Tells where the realm stands.
pub async fn metadata(State(gateway): State<Gateway>) -> Json<MetadataView> {
    Json(view(&gateway))
}

/// Looks for newer metadata now, and tells where the realm stands then.
pub async fn look_now(
    State(gateway): State<Gateway>,
    Input(_): Input<Nothing>,
) -> Result<Json<MetadataView>, Problem> {
    refresh::refresh(&gateway).await?;
    distrust::end_what_they_opened(&gateway).await?;
    Ok(Json(view(&gateway)))
}

/// A request without members.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Nothing {}

/// Searches the models.
pub async fn list(
    State(gateway): State<Gateway>,
    Asked(query): Asked<Search>,
) -> Json<PageView<KeyModel>> {
    let (models, next) = search(&gateway, &query);
    Json(PageView::new(models, next))
}

/// Gives a model's picture.
pub async fn icon(
    State(gateway): State<Gateway>,
    request: FileRequest,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let missing = || Problem::not_found("picture");
    let id: ModelId = id.parse().map_err(|_| missing())?;
    let known = gateway.models.known();
    let icon = find(&known.metadata, id)
        .and_then(|model| Icon::from_data_url(model.icon.as_deref()?))
        .ok_or_else(missing)?;
    let content = Content {
        media_type: icon.media_type,
        name: "picture",
        length: icon.bytes.len() as u64,
        cache: "private, max-age=3600",
    };
    Ok(request.answer(content, Body::from(icon.bytes)))
}
