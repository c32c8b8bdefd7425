//! Partners: other realms that are joined with this one by an owner's touch on each side.
//!
//! [`acts`](mod@acts) are what owners sign, [`join`] is how the other side's gateway says that its owner
//! accepted, [`look`] lists partners.
//!
//! An owner pins the other realm: its name, its address, its log's key and its authorities are in
//! the statement. From then on [`refresh`] follows the realm's trust bundle, as SPIFFE federation
//! does (profile https_web), and [`pinning`] says which change is believed. [`trust`] gives the
//! bundles to the hall listener while it runs, [`call`] speaks with the other gateway over mutual
//! TLS, and [`fetch`] makes the few connections that there are before that.
//!
//! The database has all that every gateway of the realm has to know. The state here can be made
//! from it again.

pub mod acts;
pub mod call;
pub mod description;
pub mod fetch;
pub mod join;
pub mod look;
pub mod pinning;
pub mod refresh;
pub mod shared;
pub mod trust;
pub mod witnesses;

use std::sync::atomic::{AtomicUsize, Ordering};

pub use acts::acts;
use hallway_evidence::RealmName;
use hallway_hall::{Bundle, BundleError, Place};
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::operator_key::OperatorKey;
use hallway_spine::realm_authority::InUse;
use hallway_spine::store::Unit;
use tokio::sync::Notify;

use self::fetch::{Fetcher, FetcherError};
use self::trust::Trust;
use crate::store::{HallTables, Partner};

/// The purpose under which an accepted token is encrypted.
const TOKEN: &str = "partner-token";

/// The state about partners in memory.
pub struct Partners {
    /// Makes the connections that are authenticated by the Web PKI.
    pub fetcher: Fetcher,
    /// The authorities that the hall listener believes.
    pub trust: Trust,
    /// Encrypts tokens that wait to be handed in.
    operator: OperatorKey,
    wake: Notify,
    farewells: AtomicUsize,
}

/// Why there can't be partners.
#[derive(Debug, thiserror::Error)]
pub enum PartnersError {
    /// `[hall.partners]`.
    #[error(transparent)]
    Fetcher(#[from] FetcherError),
    /// This realm's own authority.
    #[error("the realm's trust bundle: {0}")]
    Bundle(#[from] BundleError),
}

impl Partners {
    /// The state for the realm with these authorities; this makes no connection.
    ///
    /// # Errors
    /// A certificate of the realm's own authorities is not valid.
    pub fn new(
        fetcher: Fetcher,
        operator: OperatorKey,
        own: &InUse,
    ) -> Result<Self, PartnersError> {
        Ok(Self {
            fetcher,
            trust: Trust::new(own)?,
            operator,
            wake: Notify::new(),
            farewells: AtomicUsize::new(0),
        })
    }

    /// How many ended visits partners have not been told of.
    #[must_use]
    pub fn farewells_waiting(&self) -> usize {
        self.farewells.load(Ordering::Relaxed)
    }

    /// Sets that number.
    pub fn note_farewells(&self, waiting: usize) {
        self.farewells.store(waiting, Ordering::Relaxed);
    }

    /// Wakes the task that looks after partners, which otherwise looks every two seconds.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Encrypts a token.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn seal_token(&self, token: &[u8; 32]) -> Result<Vec<u8>, Problem> {
        self.operator
            .seal(TOKEN, token)
            .map_err(|error| Problem::internal(&error))
    }
}

/// The partner, if both sides are joined.
///
/// # Errors
/// 403 `not-partner`.
pub async fn active(reader: &Unit<'_>, realm: &RealmName) -> Result<Partner, Problem> {
    let partner = reader.partners().get(realm).await?;
    partner.filter(Partner::is_active).ok_or_else(|| {
        Problem::new(
            Code::NotPartner,
            format!("{realm} is no partner of this realm; an owner can invite it"),
        )
    })
}

/// A partner's hall listener.
///
/// # Errors
/// 409 if it has none, 503 until its bundle was fetched.
pub async fn place(reader: &Unit<'_>, partner: &Partner) -> Result<Place, Problem> {
    let address = partner.hall.clone().ok_or_else(|| {
        Problem::new(
            Code::NoHallListener,
            format!("{} has no hall listener", partner.realm),
        )
    })?;
    let gateway = description::gateway_id(partner.realm.as_str());
    Ok(Place {
        address: address.into(),
        gateway: gateway.map_err(|error| Problem::internal(&error))?,
        bundle: bundle(reader, partner).await?,
    })
}

/// The authorities of a partner that are believed now.
///
/// # Errors
/// 503 until its bundle was fetched.
pub async fn bundle(reader: &Unit<'_>, partner: &Partner) -> Result<Bundle, Problem> {
    let bytes = reader.partners().bundle(&partner.realm).await?;
    let bytes = bytes.ok_or_else(|| {
        Problem::new(
            Code::NoBundle,
            format!("the trust bundle of {} was not fetched yet", partner.realm),
        )
    })?;
    Bundle::from_json(&bytes).map_err(|error| Problem::internal(&error))
}
