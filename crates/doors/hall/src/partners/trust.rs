//! The authorities that the hall listener believes: this realm's for this realm, and each active
//! partner's for that partner's realm.
//!
//! It follows the database while the gateway runs, so that joining and leaving take effect on all
//! gateways of the realm within seconds.

use std::collections::BTreeMap;

use hallway_evidence::{Line, RealmName, TrustFile};
use hallway_hall::{Bundle, BundleError, Bundles};
use hallway_spine::Gateway;
use hallway_spine::http::problem::Problem;
use hallway_spine::realm_authority::{AuthoritiesError, InUse};
use hallway_spine::store::StoreError;
use hallway_webauthn::RelyingParty;
use tokio::sync::{Mutex, watch};

use crate::HallsOf;
use crate::store::{HallTables, Partner};

/// The bundles in use.
#[derive(Debug, PartialEq, Eq)]
struct Versions {
    /// The sequence number of this realm's bundle.
    own: u64,
    /// The SHA-256 of each partner's bundle.
    partners: BTreeMap<RealmName, [u8; 32]>,
}

/// The authorities that the hall listener believes.
pub struct Trust {
    bundles: watch::Sender<Bundles>,
    versions: Mutex<Versions>,
}

/// Why the believed authorities could not be brought up to date. The earlier ones stay believed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// This realm's own authorities.
    #[error(transparent)]
    Own(#[from] AuthoritiesError),
    /// A bundle can't be used.
    #[error("a trust bundle: {0}")]
    Bundle(#[from] BundleError),
}

impl Trust {
    /// Only this realm's authorities, before the first look at the database.
    pub(crate) fn new(own: &InUse) -> Result<Self, BundleError> {
        Ok(Self {
            bundles: watch::Sender::new(Bundles::new([&own.bundle])?),
            versions: Mutex::new(Versions {
                own: own.sequence,
                partners: BTreeMap::new(),
            }),
        })
    }

    /// A receiver that is notified whenever the believed authorities change.
    pub fn watch(&self) -> watch::Receiver<Bundles> {
        self.bundles.subscribe()
    }
}

/// Looks at the database, does what is due for this realm's own authorities, and takes over the
/// bundles in use.
///
/// # Errors
/// [`TrustError`].
pub async fn follow(gateway: &Gateway) -> Result<(), TrustError> {
    let trust = &gateway.partners().trust;
    // One look at a time, so that an older one never comes last.
    let mut versions = trust.versions.lock().await;
    let authorities = &gateway.halls().authorities;
    authorities.keep_up(&gateway.store, gateway.now()).await?;
    let own = authorities.in_use();
    let partners = gateway.store.read().partners().all().await?;
    let now = Versions {
        own: own.sequence,
        partners: (partners.iter())
            .filter(|partner| partner.is_active())
            .filter_map(|partner| Some((partner.realm.clone(), partner.bundle.as_ref()?.sha256)))
            .collect(),
    };
    if *versions == now {
        return Ok(());
    }
    let mut bundles = Vec::new();
    for partner in partners.iter().filter(|partner| partner.is_active()) {
        if let Some(bundle) = bundle_of(gateway, partner).await? {
            bundles.push(bundle);
        }
    }
    // The last bundle of a name counts, so no partner can replace this realm's.
    bundles.push(own.bundle.clone());
    let bundles = Bundles::new(&bundles)?;
    tracing::info!(
        partners = now.partners.len(),
        "the hall listener's trust changed"
    );
    trust.bundles.send_replace(bundles);
    *versions = now;
    Ok(())
}

/// The partner's bundle; `None` until there is one of its own realm.
async fn bundle_of(gateway: &Gateway, partner: &Partner) -> Result<Option<Bundle>, TrustError> {
    let bytes = gateway
        .store
        .read()
        .partners()
        .bundle(&partner.realm)
        .await?;
    let Some(bytes) = bytes else {
        return Ok(None);
    };
    match Bundle::from_json(&bytes) {
        Ok(bundle) if bundle.trust_domain().as_str() == partner.realm.as_str() => Ok(Some(bundle)),
        Ok(bundle) => {
            let domain = bundle.trust_domain();
            tracing::error!(partner = %partner.realm, %domain, "a bundle of another realm");
            Ok(None)
        }
        Err(error) => {
            tracing::error!(partner = %partner.realm, %error, "a bundle cannot be read back");
            Ok(None)
        }
    }
}

/// The trust file for a partner's evidence: the keys that were pinned when the realms joined, and
/// this realm's own witness of their log.
///
/// # Errors
/// 500 if the partner's name is no line of text, which every realm's is.
pub fn trust_file(gateway: &Gateway, partner: &Partner) -> Result<TrustFile, Problem> {
    let realm = Line::new(partner.realm.as_str()).map_err(|error| Problem::internal(&error))?;
    let relying_party = RelyingParty::new(partner.realm.as_str(), partner.origin.as_str());
    let mut trust = TrustFile::new(realm, relying_party, partner.log.clone(), Vec::new());
    trust.witnesses = vec![gateway.witness.key().clone()];
    Ok(trust)
}
