//! Partners as witnesses of this realm's log, and this realm as witness of theirs.

use hallway_evidence::RealmName;
use hallway_evidence::log::{CosignerKey, VerifierKey};
use hallway_spine::Gateway;
use hallway_spine::store::StoreError;
use hallway_spine::witness::Peer;
use hallway_spine::witness::peers::witness_name;

use crate::HallsOf;
use crate::store::{HallTables, Partner};

/// The partners that are witnesses.
///
/// # Errors
/// The database.
pub async fn all(gateway: &Gateway) -> Result<Vec<Peer>, StoreError> {
    let partners = gateway.store.read().partners().all().await?;
    let peers = partners
        .iter()
        .filter_map(|partner| of_partner(gateway, partner));
    Ok(peers.collect())
}

/// The key of a partner's log, by the log's origin.
///
/// # Errors
/// The database.
pub async fn log_key(gateway: &Gateway, origin: &str) -> Result<Option<VerifierKey>, StoreError> {
    let realm = origin.strip_suffix("/log");
    let Some(realm) = realm.and_then(|realm| realm.parse::<RealmName>().ok()) else {
        return Ok(None);
    };
    let partner = gateway.store.read().partners().get(&realm).await?;
    let log = partner
        .filter(Partner::is_active)
        .map(|partner| partner.log);
    Ok(log.filter(|log| log.name() == origin))
}

/// The witness of an active partner, if its name is the partner's.
fn of_partner(gateway: &Gateway, partner: &Partner) -> Option<Peer> {
    let witness = partner.witness.as_ref().filter(|_| partner.is_active())?;
    let key: CosignerKey = witness.key.parse().ok()?;
    let url = witness.url.parse().ok()?;
    (key.name() == witness_name(partner.realm.as_str())).then(|| Peer {
        key,
        url,
        client: gateway.partners().fetcher.http().clone(),
    })
}
