//! A fresh database for each test, of either kind.

use hallway_spine::store::Store;

use crate::cluster::Cluster;

/// A database that nobody else uses.
pub(crate) struct Database {
    address: String,
    _folder: Option<tempfile::TempDir>,
}

impl Database {
    /// In a file.
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hallway.db");
        Self {
            address: path.to_str().unwrap().to_owned(),
            _folder: Some(folder),
        }
    }

    /// On the test program's PostgreSQL server.
    pub(crate) fn postgres() -> Self {
        Self {
            address: Cluster::shared().new_database(),
            _folder: None,
        }
    }

    /// What a gateway connects to.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// A store of its own, as another gateway would have it.
    pub(crate) async fn store(&self) -> Store {
        Store::connect(&self.address, hallway_gateway::doors::ALL.schema())
            .await
            .unwrap()
    }
}
