//! The record of which realm a gateway is, kept from the first touch on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hallway_client::{GatewayAddress, durable_file};
use hallway_evidence::RealmName;
use serde::{Deserialize, Serialize};

use super::folders::private_folder;

/// The record about one gateway, in a file of its own.
#[derive(Clone, Debug)]
pub(crate) struct KnownRealm {
    path: PathBuf,
    gateway: String,
}

#[derive(Serialize, Deserialize)]
struct Record {
    gateway: String,
    realm: RealmName,
}

impl KnownRealm {
    /// Of `gateway`, below the state folder.
    pub(crate) fn of(gateway: &GatewayAddress, state: &Path) -> Self {
        let gateway = gateway.origin();
        // No two origins share a file: the record of one must not replace that of another.
        let name: String = gateway
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' => char::from(byte).to_string(),
                other => format!("%{other:02x}"),
            })
            .collect();
        Self {
            path: state.join(format!("realm-{name}.json")),
            gateway,
        }
    }

    /// The path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The realm, if the gateway is on record.
    ///
    /// # Errors
    /// A record that can't be read: it must not be taken for a first contact.
    pub(crate) fn read(&self) -> io::Result<Option<RealmName>> {
        let bytes = match fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let record: Record = serde_json::from_slice(&bytes).map_err(|_| {
            let changed = "this is not the record of a gateway's realm that was written there: the \
                           file was changed. If you did that, delete it: the next touch writes a \
                           new one";
            io::Error::new(io::ErrorKind::InvalidData, changed)
        })?;
        if record.gateway == self.gateway {
            Ok(Some(record.realm))
        } else {
            let message = format!("it is about {}", record.gateway);
            Err(io::Error::new(io::ErrorKind::InvalidData, message))
        }
    }

    /// Records the realm.
    ///
    /// # Errors
    /// The folder or the file can't be written.
    pub(crate) fn record(&self, realm: &RealmName) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            private_folder(folder)?;
        }
        let record = Record {
            gateway: self.gateway.clone(),
            realm: realm.clone(),
        };
        durable_file::write(&self.path, &serde_json::to_vec(&record)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_is_on_record_for_its_gateway_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("hallway");
        let of = |address: &str| KnownRealm::of(&address.parse().unwrap(), &state);
        let one = of("https://gate.alpha.example:8443");
        assert_eq!(one.read().unwrap(), None);
        let realm: RealmName = "alpha.example".parse().unwrap();
        one.record(&realm).unwrap();
        assert_eq!(one.read().unwrap(), Some(realm));
        for other in ["https://gate.alpha.example", "http://localhost:8443"] {
            assert_eq!(of(other).read().unwrap(), None);
        }
        fs::write(one.path(), b"{").unwrap();
        assert!(one.read().is_err());
    }
}
