//! Where the tour keeps its things.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hallway_evidence::TrustFile;
use hallway_gateway::config::{self, Config};
use hallway_softkey::Protection;
use zeroize::Zeroizing;

/// The tour's folder, and the secret that protects its key files.
pub(crate) struct TourFolder {
    folder: PathBuf,
    secret: Zeroizing<[u8; 32]>,
}

impl TourFolder {
    /// Opens the folder; makes it, with a new secret, if it is not there.
    pub(crate) fn open(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let named = |error: std::io::Error| format!("{}: {error}", folder.display());
        fs::create_dir_all(folder).map_err(named)?;
        let path = folder.join("tour.secret");
        let mut secret = Zeroizing::new([0; 32]);
        if path.exists() {
            let bytes = Zeroizing::new(fs::read(&path).map_err(named)?);
            *secret = bytes
                .as_slice()
                .try_into()
                .map_err(|_| format!("{} is damaged; begin in another folder", path.display()))?;
        } else {
            getrandom::fill(secret.as_mut_slice()).map_err(|error| error.to_string())?;
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
                .map_err(named)?;
            file.write_all(secret.as_slice()).map_err(named)?;
        }
        let place = Self {
            folder: folder.to_owned(),
            secret,
        };
        for folder in [
            place.camera(),
            place.photos(),
            place.factory(),
            place.gateway(),
        ] {
            fs::create_dir_all(&folder).map_err(named)?;
        }
        Ok(place)
    }

    pub(crate) fn gateway(&self) -> PathBuf {
        self.folder.join("gateway")
    }

    pub(crate) fn owner_key(&self) -> PathBuf {
        self.folder.join("owner.key")
    }

    pub(crate) fn camera_key(&self) -> PathBuf {
        self.folder.join("camera.key")
    }

    /// The folder that the camera watches.
    pub(crate) fn camera(&self) -> PathBuf {
        self.folder.join("camera")
    }

    /// Where signed photographs go.
    pub(crate) fn photos(&self) -> PathBuf {
        self.folder.join("photos")
    }

    /// The maker's folder.
    pub(crate) fn factory(&self) -> PathBuf {
        self.folder.join("factory")
    }

    pub(crate) fn protection(&self) -> Protection {
        Protection::OperatorKey(self.secret.clone())
    }

    /// The owner's PIN. Nobody types it, so it may be long.
    pub(crate) fn pin(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(&self.secret[..8]))
    }

    /// The gateway's configuration. The first tour takes a free port and keeps it, because keys
    /// belong to an address.
    pub(crate) fn configuration(&self) -> Result<Config, Box<dyn Error>> {
        let folder = self.gateway();
        if !folder.join(config::FILE).exists() {
            let listen = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
            Config {
                listen,
                ..Config::default()
            }
            .save(&folder)?;
        }
        Ok(hallway_gateway::configuration(&folder)?)
    }

    pub(crate) fn write_trust(&self, trust: &TrustFile) -> Result<(), Box<dyn Error>> {
        let path = self.folder.join("trust.json");
        fs::write(&path, trust.to_json()?)
            .map_err(|error| format!("{}: {error}", path.display()).into())
    }
}
