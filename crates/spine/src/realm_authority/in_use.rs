//! The authorities as the database has them, and as this gateway uses them.
//!
//! Every gateway looks every two seconds, and whichever is first does what is due: units run one
//! after another, so what one decided the next one finds done.

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
/// Where the one authority of earlier versions is.
const FIRST_KEY: &str = KEY;
const FIRST_CERTIFICATE: &str = "realm-authority-certificate";
/// The bundle's sequence number, eight bytes.
const SEQUENCE: &str = "bundle-sequence";
/// The number under which a bundle was published before there was a second authority.
const FIRST_SEQUENCE: u64 = 1;

/// Why there are no authorities to use.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key can't be opened or encrypted.
    #[error(transparent)]
    OperatorKey(#[from] OperatorKeyError),
    /// A fresh one.
    #[error(transparent)]
    Make(#[from] RealmAuthorityError),
    /// Certificate and key of one.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Their bundle.
    #[error("the realm's trust bundle: {0}")]
    Bundle(#[from] BundleError),
}

impl Transient for AuthoritiesError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_transient())
    }
}

/// What the database said when it was last looked at.
#[derive(Debug)]
pub struct InUse {
    /// The one that signs.
    pub signing: Authority,
    /// The bundle: all of them.
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
    /// Those of the database; made if there are none.
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

    /// Those that are in use now.
    #[must_use]
    pub fn in_use(&self) -> Arc<InUse> {
        Arc::clone(&self.in_use.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does what is due, and uses from now on what the database says.
    ///
    /// # Errors
    /// [`AuthoritiesError`]; those that were in use stay.
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

    /// Keeps, in the unit of the act that changes them, what the authorities become, with what is
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

/// Does what is due, if anything is.
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

/// The one authority of earlier versions, which everybody knows.
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

/// Writes them under a new sequence number.
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
    // By the time, so that a realm that went on from an older backup is above what partners saw.
    let number = now.as_seconds().max(sequence(unit).await? + 1);
    settings.put(SEQUENCE, &number.to_be_bytes()).await?;
    // A key that is out of the bundle is forgotten wherever it was.
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
    // The number before and after, because a bundle under another's number would be refused.
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
