//! A person's files, where the XDG base directory specification puts them.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use etcetera::base_strategy::{BaseStrategy, Xdg};

/// The name of this program's folder below each of the XDG folders.
const NAME: &str = "hallway";

/// Where configuration, state and sockets are.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    /// `hallway.toml`.
    pub(crate) configuration: PathBuf,
    /// What outlives a restart: sessions.
    pub(crate) state: PathBuf,
    /// What does not: sockets. Below the state if the system has no folder for them.
    pub(crate) runtime: PathBuf,
}

impl Folders {
    /// From `XDG_*`, or below `HOME`.
    ///
    /// # Errors
    /// There is no home folder.
    pub(crate) fn find() -> io::Result<Self> {
        let xdg = Xdg::new().map_err(|error| io::Error::new(io::ErrorKind::NotFound, error))?;
        let home_state = || xdg.home_dir().join(".local/state");
        let state = xdg.state_dir().unwrap_or_else(home_state).join(NAME);
        Ok(Self {
            configuration: xdg.config_dir().join(NAME),
            runtime: match xdg.runtime_dir() {
                Some(folder) => folder.join(NAME),
                None => state.join("run"),
            },
            state,
        })
    }
}

/// Makes a folder that only its owner may enter.
///
/// # Errors
/// It can't be made, or others may read it: what is put there would be theirs too.
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?;
    if is_private(&fs::symlink_metadata(path)?) {
        return Ok(());
    }
    let message = "others may read it, or it is not yours; it should have mode 700";
    Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
}

/// Whether only this user can read it.
pub(crate) fn is_private(about: &fs::Metadata) -> bool {
    about.uid() == rustix::process::geteuid().as_raw() && about.mode() & 0o077 == 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_folder_is_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let private = folder.path().join("a/b");
        private_folder(&private).unwrap();
        assert!(is_private(&fs::metadata(&private).unwrap()));
        fs::set_permissions(&private, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(private_folder(&private).is_err());
    }
}
