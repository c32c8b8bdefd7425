//! The device's registration with a gateway, and its last sequence number. Holds nothing secret.

use hallway_api::device::Announced;
use hallway_evidence::{Bundle, CredentialId, Line, TrustFile};
use hallway_webauthn::wire::Base64Url;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::spool::{Spool, SpoolError};

/// The name of the registration's file in the agent's folder.
const REGISTRATION: &str = "registration.json";

/// The name of the file with the known realm.
const REALM: &str = "realm.json";

/// The longest of these files that is read back: a trust file and a bundle of receipts have at most
/// a mebibyte each.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// The registration, as it is kept in `registration.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registration {
    /// The gateway's origin.
    pub gateway: String,
    /// Its realm, which is the relying party id.
    pub realm: Line,
    /// The credential that this device signs with.
    pub credential: Base64Url,
    /// The code that an owner has yet to type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<Announced>,
    /// The realm's trust file, as it was when an owner claimed the device. The log's key never
    /// changes afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustFile>,
    /// The receipts that transactions rest on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grounds: Option<Base64Url>,
    /// The last sequence number that was used, or that the gateway has seen.
    #[serde(default)]
    pub sequence: u64,
}

impl Registration {
    /// Reads the registration, if there is one.
    ///
    /// # Errors
    /// A failing file system, or a file that was damaged.
    pub(crate) fn load(spool: &Spool) -> Result<Option<Self>, SpoolError> {
        read(spool, REGISTRATION)
    }

    /// Keeps the registration.
    ///
    /// # Errors
    /// A full disk or a failing file system.
    pub(crate) fn save(&self, spool: &Spool) -> Result<(), SpoolError> {
        write(spool, REGISTRATION, self)
    }

    /// Forgets the registration.
    ///
    /// # Errors
    /// A failing file system.
    pub(crate) fn forget(spool: &Spool) -> Result<(), SpoolError> {
        spool.discard(REGISTRATION)
    }

    /// The credential; `None` when the file was damaged.
    #[must_use]
    pub(crate) fn credential_id(&self) -> Option<CredentialId> {
        CredentialId::new(self.credential.0.clone()).ok()
    }

    /// The receipts that transactions rest on.
    #[must_use]
    pub(crate) fn grounds(&self) -> Option<Bundle> {
        Bundle::decode(&self.grounds.as_ref()?.0).ok()
    }
}

/// The realm of a gateway. It outlives the registration: a device that was released enrols again
/// with the same gateway in the same realm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownRealm {
    gateway: String,
    realm: Line,
}

impl KnownRealm {
    /// The realm in a registration.
    pub(crate) fn of(registration: &Registration) -> Self {
        Self {
            gateway: registration.gateway.clone(),
            realm: registration.realm.clone(),
        }
    }

    /// The realm on record for the gateway at `origin`, if that is the last gateway that this
    /// folder's device knew.
    ///
    /// # Errors
    /// A failing file system, or a file that was damaged.
    pub(crate) fn load(spool: &Spool, origin: &str) -> Result<Option<Line>, SpoolError> {
        let known: Option<Self> = read(spool, REALM)?;
        Ok(known
            .filter(|known| known.gateway == origin)
            .map(|known| known.realm))
    }

    /// Keeps the realm.
    ///
    /// # Errors
    /// A full disk or a failing file system.
    pub(crate) fn save(&self, spool: &Spool) -> Result<(), SpoolError> {
        write(spool, REALM, self)
    }
}

fn read<T: DeserializeOwned>(spool: &Spool, name: &str) -> Result<Option<T>, SpoolError> {
    let bytes = spool.load(name, MAX_FILE_BYTES)?;
    let value = bytes.map(|bytes| serde_json::from_slice(&bytes));
    value.transpose().map_err(damaged(spool, name))
}

fn write(spool: &Spool, name: &str, value: &impl Serialize) -> Result<(), SpoolError> {
    let json = serde_json::to_vec_pretty(value).map_err(damaged(spool, name))?;
    spool.write(name, &json)
}

fn damaged(spool: &Spool, name: &str) -> impl FnOnce(serde_json::Error) -> SpoolError {
    let path = spool.path_of_own(name);
    move |error| SpoolError::Damaged {
        path,
        why: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_kept_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        assert_eq!(Registration::load(&spool).unwrap(), None);
        let registration = Registration {
            gateway: "https://gate.example".to_owned(),
            realm: Line::new("gate.example").unwrap(),
            credential: Base64Url(b"key".to_vec()),
            announced: None,
            trust: None,
            grounds: None,
            sequence: 7,
        };
        registration.save(&spool).unwrap();
        assert_eq!(Registration::load(&spool).unwrap(), Some(registration));
        let known = KnownRealm::of(&Registration::load(&spool).unwrap().unwrap());
        known.save(&spool).unwrap();
        Registration::forget(&spool).unwrap();
        let known = |origin| KnownRealm::load(&spool, origin).unwrap();
        assert_eq!(
            known("https://gate.example").as_deref(),
            Some("gate.example")
        );
        assert_eq!(known("https://other.example"), None);
        assert_eq!(Registration::load(&spool).unwrap(), None);
        std::fs::write(spool.path_of_own(REGISTRATION), b"{").unwrap();
        assert!(matches!(
            Registration::load(&spool),
            Err(SpoolError::Damaged { .. })
        ));
    }
}
