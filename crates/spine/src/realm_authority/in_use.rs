//! The realm's authorities in the database, and in use by this gateway.
//!
//! Every gateway looks every two seconds, and the first one takes the steps that are due. Units run one
//! after another, so the next gateway finds them done.

use std::sync::{Arc, PoisonError, RwLock};

use hallway_evidence::Timestamp;
use hallway_hall::{Authority, AuthorityError, Bundle, BundleError};
use rustls_pki_types::CertificateDer;

use super::{RealmAuthority, RealmAuthorityError, rotation};
use crate::http::problem::Problem;
use crate::operator_key::{OperatorKey, OperatorKeyError};
use crate::sha256;
use crate::store::{OwnAuthority, OwnStage, Store, StoreError, Transient, Unit};

/// The name under which each authority's key is encrypted.
const KEY: &str = "realm-authority-key";
/// The setting that holds the only authority of earlier versions.
const FIRST_KEY: &str = KEY;
const FIRST_CERTIFICATE: &str = "realm-authority-certificate";
/// The bundle's sequence number, eight bytes.
const SEQUENCE: &str = "bundle-sequence";
/// The sequence number of the bundle while there was only one authority.
const FIRST_SEQUENCE: u64 = 1;

/// Why the gateway has no authorities to use.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key can't be opened or encrypted.
    #[error(transparent)]
    OperatorKey(#[from] OperatorKeyError),
    /// A new authority could not be made.
    #[error(transparent)]
    Make(#[from] RealmAuthorityError),
    /// The certificate and key of an authority do not work.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The bundle could not be made.
    #[error("the realm's trust bundle: {0}")]
    Bundle(#[from] BundleError),
}

impl Transient for AuthoritiesError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_transient())
    }
}

/// The authorities at the last look into the database.
#[derive(Debug)]
pub struct InUse {
    /// The authority that signs.
    pub signing: Authority,
    /// The bundle, with all authorities.
    pub bundle: Bundle,
    /// The bundle's sequence number (SPIFFE Trust Domain and Bundle, section 4.1.1).
    pub sequence: u64,
}

/// The realm's authorities, as this gateway uses them.
pub struct OwnAuthorities {
    realm: String,
    operator: OperatorKey,
    in_use: RwLock<Arc<InUse>>,
}

impl OwnAuthorities {
    /// Reads the authorities from the database, and makes some if there are none.
    ///
    /// # Errors
    /// [`AuthoritiesError`].
    pub async fn load(
        store: &Store,
        operator: OperatorKey,
        realm: &str,
        now: Timestamp,
    ) -> Result<Self, AuthoritiesError> {
        settle(store, &operator, realm, now).await?;
        let in_use = read(store.read(), &operator).await?;
        Ok(Self {
            realm: realm.to_owned(),
            operator,
            in_use: RwLock::new(Arc::new(in_use)),
        })
    }

    /// The authorities in use now.
    #[must_use]
    pub fn in_use(&self) -> Arc<InUse> {
        Arc::clone(&self.in_use.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the steps that are due, and uses the authorities in the database from now on.
    ///
    /// # Errors
    /// [`AuthoritiesError`]; the earlier authorities stay in use.
    pub async fn keep_up(&self, store: &Store, now: Timestamp) -> Result<(), AuthoritiesError> {
        settle(store, &self.operator, &self.realm, now).await?;
        let reader = store.read();
        if sequence(reader).await? != self.in_use().sequence {
            let next = Arc::new(read(reader, &self.operator).await?);
            tracing::info!(
                authorities = next.bundle.authorities().len(),
                sequence = next.sequence,
                "the realm's own authorities changed"
            );
            *self.in_use.write().unwrap_or_else(PoisonError::into_inner) = next;
        }
        Ok(())
    }

    /// Stores the changed authorities in the unit of the act that changes them, with the steps that are
    /// due after that.
    ///
    /// # Errors
    /// [`AuthoritiesError`].
    pub async fn keep(
        &self,
        unit: &Unit<'_>,
        all: Vec<OwnAuthority>,
        now: Timestamp,
    ) -> Result<(), AuthoritiesError> {
        let before = unit.own_authorities().all().await?;
        let after = rotation::settle(all, now, || fresh(&self.operator, &self.realm, now))?;
        write(unit, &before, &after, now).await
    }
}

/// Takes the steps that are due, if there are any.
async fn settle(
    store: &Store,
    operator: &OperatorKey,
    realm: &str,
    now: Timestamp,
) -> Result<(), AuthoritiesError> {
    let all = store.read().own_authorities().all().await?;
    if !all.is_empty() && rotation::is_settled(&all, now) {
        return Ok(());
    }
    store
        .transact(|unit| {
            Box::pin(async move {
                let before = unit.own_authorities().all().await?;
                let known = match before.is_empty() {
                    true => first(unit, now).await?.into_iter().collect(),
                    false => before.clone(),
                };
                let after = rotation::settle(known, now, || fresh(operator, realm, now))?;
                write(unit, &before, &after, now).await
            })
        })
        .await
}

/// The only authority of earlier versions, which all partners know.
async fn first(unit: &Unit<'_>, now: Timestamp) -> Result<Option<OwnAuthority>, StoreError> {
    let settings = unit.settings();
    let certificate = settings.get(FIRST_CERTIFICATE).await?;
    let Some((certificate, sealed_key)) = certificate.zip(settings.get(FIRST_KEY).await?) else {
        return Ok(None);
    };
    Ok(Some(OwnAuthority {
        sha256: sha256(&certificate),
        certificate,
        sealed_key,
        published: Timestamp::from_ms(0),
        // Its certificate is good for two thousand years.
        expires: Timestamp::MAX,
        stage: OwnStage::Signing,
        since: now,
    }))
}

fn fresh(
    operator: &OperatorKey,
    realm: &str,
    now: Timestamp,
) -> Result<OwnAuthority, AuthoritiesError> {
    let made = RealmAuthority::generate(realm, now)?;
    Ok(OwnAuthority {
        sha256: sha256(&made.certificate),
        sealed_key: operator.seal(KEY, &made.key)?,
        certificate: made.certificate,
        published: now,
        expires: made.expires,
        stage: OwnStage::Next,
        since: now,
    })
}

/// Writes the authorities under a new sequence number.
async fn write(
    unit: &Unit<'_>,
    before: &[OwnAuthority],
    after: &[OwnAuthority],
    now: Timestamp,
) -> Result<(), AuthoritiesError> {
    if before == after {
        return Ok(());
    }
    unit.own_authorities().replace(after).await?;
    let settings = unit.settings();
    // The number follows the time, so that after a restore it is above the number that partners saw.
    let number = now.as_seconds().max(sequence(unit).await? + 1);
    settings.put(SEQUENCE, &number.to_be_bytes()).await?;
    // The keys of removed authorities are deleted, also from the setting of earlier versions.
    let first = settings.get(FIRST_CERTIFICATE).await?;
    if first.is_some_and(|first| !after.iter().any(|it| it.certificate == first)) {
        settings.remove(FIRST_CERTIFICATE).await?;
        settings.remove(FIRST_KEY).await?;
    }
    Ok(())
}

async fn sequence(reader: &Unit<'_>) -> Result<u64, StoreError> {
    let bytes = reader.settings().get(SEQUENCE).await?;
    let Some(bytes) = bytes else {
        return Ok(FIRST_SEQUENCE);
    };
    let bytes = bytes.try_into().map_err(|_| StoreError::Corrupt {
        table: "setting",
        column: SEQUENCE,
    })?;
    Ok(u64::from_be_bytes(bytes))
}

async fn read(reader: &Unit<'_>, operator: &OperatorKey) -> Result<InUse, AuthoritiesError> {
    // The number is read before and after, because a bundle under a wrong number would be refused.
    let (sequence, all) = loop {
        let before = sequence(reader).await?;
        let all = reader.own_authorities().all().await?;
        if sequence(reader).await? == before {
            break (before, all);
        }
    };
    let signing = rotation::signing(&all).ok_or(StoreError::Missing("own authority"))?;
    let key = operator.open(KEY, &signing.sealed_key)?;
    let certificates = (all.iter())
        .map(|authority| CertificateDer::from(authority.certificate.clone()))
        .collect();
    Ok(InUse {
        signing: Authority::new(&signing.certificate, &key)?,
        bundle: Bundle::new(certificates)?,
        sequence,
    })
}

impl From<AuthoritiesError> for Problem {
    fn from(error: AuthoritiesError) -> Self {
        match error {
            AuthoritiesError::Store(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}
