//! The list of partners, and this realm's description for realms that may become one.

use axum::Json;
use axum::extract::{Path, State};
use hallway_evidence::statement::hall::{HallName, Rights};
use hallway_evidence::{Origin, RealmName, TrustFile};
use hallway_spine::Gateway;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use hallway_spine::store::Unit;
use schemars::JsonSchema;
use serde::Serialize;

use crate::partners::description::Description;
use crate::partners::refresh;
use crate::store::{EndedBy, HallGuest, HallTables, Partner, PartnerState};

/// A partner.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PartnerView {
    /// The realm.
    #[schemars(with = "String")]
    pub realm: RealmName,
    /// The address of its gateway.
    #[schemars(with = "String")]
    pub origin: Origin,
    /// invited, joining, active or ended.
    #[schemars(with = "String")]
    pub state: PartnerState,
    /// The key of its log, pinned by the owner who signed.
    pub log: String,
    /// The address of its hall listener, once it is known.
    pub hall: Option<String>,
    /// Its trust bundle; null until one was fetched.
    pub bundle: Option<BundleView>,
    /// When a gateway last looked for a newer bundle, milliseconds since 1970.
    pub checked_ms: Option<u64>,
    /// What went wrong at the last look.
    pub problem: Option<String>,
    /// When the invitation expires, milliseconds since 1970.
    pub expires_ms: Option<u64>,
    /// When it was invited or accepted, milliseconds since 1970.
    pub made_ms: u64,
    /// When both sides were joined, milliseconds since 1970.
    pub joined_ms: Option<u64>,
    /// When it ended, milliseconds since 1970.
    pub ended_ms: Option<u64>,
    /// The side that ended it: us or them.
    #[schemars(with = "Option<String>")]
    pub ended_by: Option<EndedBy>,
    /// The admissions of its people.
    pub shared: Vec<SharedView>,
    /// The evidence of the invitation or acceptance, hexadecimal.
    pub evidence: String,
}

/// A partner's trust bundle.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BundleView {
    /// When it was last fetched, milliseconds since 1970.
    pub fetched_ms: u64,
    /// Its sequence number.
    pub sequence: Option<u64>,
}

/// An admission of a partner's people.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SharedView {
    /// The hall.
    #[schemars(with = "String")]
    pub hall: HallName,
    /// `partner/REALM/person/UUID` or `partner/REALM/role/ROLE`.
    pub guest: String,
    /// Their rights.
    #[schemars(with = "Vec<String>")]
    pub rights: Rights,
}

impl From<HallGuest> for SharedView {
    fn from(guest: HallGuest) -> Self {
        Self {
            guest: guest.guest.to_string(),
            hall: guest.hall,
            rights: guest.rights,
        }
    }
}

impl PartnerView {
    async fn new(reader: &Unit<'_>, partner: Partner) -> Result<Self, Problem> {
        let shared = reader.halls().shared_with(&partner.realm).await?;
        let waits = matches!(partner.state, PartnerState::Invited | PartnerState::Joining);
        Ok(Self {
            shared: shared.into_iter().map(SharedView::from).collect(),
            log: partner.log.to_string(),
            hall: partner.hall.map(String::from),
            bundle: partner.bundle.map(|bundle| BundleView {
                fetched_ms: bundle.fetched.as_ms(),
                sequence: bundle.sequence,
            }),
            checked_ms: partner.checked.map(|at| at.as_ms()),
            problem: partner.problem,
            expires_ms: waits.then(|| partner.expires.as_ms()),
            made_ms: partner.made.as_ms(),
            joined_ms: partner.joined.map(|at| at.as_ms()),
            ended_ms: partner.ended.map(|(at, _)| at.as_ms()),
            ended_by: partner.ended.map(|(_, by)| by),
            evidence: partner.evidence.to_string(),
            realm: partner.realm,
            origin: partner.origin,
            state: partner.state,
        })
    }
}

/// Answers anybody with this realm's description.
pub async fn realm(State(gateway): State<Gateway>) -> Result<Json<Description>, Problem> {
    Description::own(&gateway).map(Json)
}

/// All partners.
pub async fn list(State(gateway): State<Gateway>) -> Result<Json<Vec<PartnerView>>, Problem> {
    let reader = gateway.store.read();
    let mut views = Vec::new();
    for partner in reader.partners().all().await? {
        views.push(PartnerView::new(reader, partner).await?);
    }
    Ok(Json(views))
}

/// Looks at a partner now.
pub async fn look_now(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
) -> Result<Json<PartnerView>, Problem> {
    let missing = || Problem::not_found("partner");
    let realm: RealmName = name.parse().map_err(|_| missing())?;
    let reader = gateway.store.read();
    let partner = reader.partners().get(&realm).await?.ok_or_else(missing)?;
    refresh::attend(&gateway, partner).await?;
    let partner = reader.partners().get(&realm).await?.ok_or_else(missing)?;
    PartnerView::new(reader, partner).await.map(Json)
}

/// The trust file that checks evidence of a partner's people offline: the keys that an owner
/// pinned.
pub async fn trust(
    State(gateway): State<Gateway>,
    _caller: Caller,
    Path(realm): Path<String>,
) -> Result<Json<TrustFile>, Problem> {
    let missing = || Problem::not_found("partner");
    let realm = realm.parse().map_err(|_| missing())?;
    let partner = gateway.store.read().partners().get(&realm).await?;
    super::trust::trust_file(&gateway, &partner.ok_or_else(missing)?).map(Json)
}
