//! The secrets of a realm, which its gateways keep in the database, sealed under the operator's
//! key.

use hallway_evidence::log::{CosigningKey, SigningKey};
use hallway_spine::operator_key::{OperatorKey, OperatorKeyError, random_bytes};
use hallway_spine::seal::Sealer;
use hallway_spine::store::{Store, StoreError};
use zeroize::Zeroizing;

use super::StartError;

const REALM: &str = "realm";
const LOG_KEY: &str = "log-key";
const SEAL_KEY: &str = "seal-key";
const WITNESS_KEY: &str = "witness-key";

/// The realm's secrets, which all its gateways share through the database.
pub(super) struct Secrets {
    /// Signs the log.
    pub(super) log: SigningKey,
    /// Cosigns other realms' logs.
    pub(super) witness: CosigningKey,
    /// Seals statements.
    pub(super) sealer: Sealer,
}

impl Secrets {
    /// The realm whose secrets a database keeps; `None` if it keeps none yet.
    ///
    /// # Errors
    /// The database failed.
    pub(super) async fn realm(store: &Store) -> Result<Option<String>, StoreError> {
        let stored = store.read().settings().get(REALM).await?;
        Ok(stored.map(|name| String::from_utf8_lossy(&name).into_owned()))
    }

    /// Reads the secrets, and makes those that are missing.
    ///
    /// # Errors
    /// The database is another realm's, or not sealed under this operator's key.
    pub(super) async fn load_or_make(
        store: &Store,
        operator: &OperatorKey,
        realm: &str,
    ) -> Result<Self, StartError> {
        let stored = first(store, REALM, realm.as_bytes()).await?;
        if stored != realm.as_bytes() {
            return Err(StartError::OtherRealm {
                stored: String::from_utf8_lossy(&stored).into_owned(),
                configured: realm.to_owned(),
            });
        }
        let log = secret(store, operator, LOG_KEY).await?;
        let witness = secret(store, operator, WITNESS_KEY).await?;
        let seal = secret(store, operator, SEAL_KEY).await?;
        Ok(Self {
            log: SigningKey::from_seed(&format!("{realm}/log"), &log)?,
            witness: CosigningKey::from_seed(&format!("{realm}/witness"), &witness)?,
            sealer: Sealer::new(&*seal),
        })
    }
}

/// A secret of 32 bytes, made by whichever gateway comes first.
async fn secret(
    store: &Store,
    operator: &OperatorKey,
    name: &'static str,
) -> Result<Zeroizing<[u8; 32]>, StartError> {
    let made = operator.seal(name, random_bytes::<32>()?.as_slice())?;
    let opened = operator.open(name, &first(store, name, &made).await?)?;
    let bytes =
        <[u8; 32]>::try_from(opened.as_slice()).map_err(|_| OperatorKeyError::Sealed(name))?;
    Ok(Zeroizing::new(bytes))
}

async fn first(store: &Store, name: &str, value: &[u8]) -> Result<Vec<u8>, StartError> {
    if let Some(value) = store.read().settings().get(name).await? {
        return Ok(value);
    }
    let stored: Result<Vec<u8>, StoreError> = store
        .transact(|unit| Box::pin(async move { unit.settings().put_first(name, value).await }))
        .await;
    Ok(stored?)
}
