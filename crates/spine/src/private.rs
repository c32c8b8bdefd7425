//! What a gateway keeps is for its own user: files of mode 600, folders of mode 700.
//!
//! New ones are so because the program gives up every permission for others as it starts (its umask).
//! Older ones, from a time or a tool that did not, are tightened when a gateway starts. The operator's
//! key is not among them: one that others could read is refused, because they may have read it. Nor
//! are the folders of halls, which the operator opens to whom they like.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Permissions for others than the user.
const OTHERS: u32 = 0o077;

/// Takes the permissions of others away from `path` and all that is below it, but for `spared`. A
/// folder that is closed already is not looked into: nobody gets to what is in it, and what is made
/// in it is made closed.
///
/// # Errors
/// What the system says, and about which path.
pub fn tighten(path: &Path, spared: &[PathBuf]) -> Result<(), (PathBuf, io::Error)> {
    let at = |error| (path.to_owned(), error);
    if spared.iter().any(|spared| spared == path) {
        return Ok(());
    }
    let about = match fs::symlink_metadata(path) {
        Ok(about) => about,
        // What is not there, or is gone by now, is not open.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(at(error)),
    };
    if about.is_symlink() || is_closed(&about) {
        return Ok(());
    }
    if about.is_dir() {
        tighten_within(path, spared)?;
    }
    tracing::warn!(path = %path.display(), "was open to others, and is no more");
    close(path, &about).map_err(at)
}

/// The same for what is in a folder, whether it is closed or not.
///
/// # Errors
/// What the system says, and about which path.
pub fn tighten_within(folder: &Path, spared: &[PathBuf]) -> Result<(), (PathBuf, io::Error)> {
    let at = |error| (folder.to_owned(), error);
    for entry in fs::read_dir(folder).map_err(at)? {
        tighten(&entry.map_err(at)?.path(), spared)?;
    }
    Ok(())
}

fn is_closed(about: &Metadata) -> bool {
    about.permissions().mode() & OTHERS == 0
}

fn close(path: &Path, about: &Metadata) -> io::Result<()> {
    let mode = about.permissions().mode() & 0o7777 & !OTHERS;
    fs::set_permissions(path, Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_was_open_is_closed_and_what_is_spared_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("objects/device")).unwrap();
        fs::create_dir_all(at("hall")).unwrap();
        for file in ["hallway.db", "objects/device/picture", "hall/shared"] {
            fs::write(at(file), "x").unwrap();
        }
        for path in [
            "objects",
            "objects/device",
            "hall",
            "hallway.db",
            "objects/device/picture",
            "hall/shared",
        ] {
            fs::set_permissions(at(path), Permissions::from_mode(0o777)).unwrap();
        }
        std::os::unix::fs::symlink(at("hall/shared"), at("link")).unwrap();
        tighten_within(folder.path(), &[at("hall")]).unwrap();
        for path in [
            "objects",
            "objects/device",
            "hallway.db",
            "objects/device/picture",
        ] {
            assert_eq!(mode(&at(path)), 0o700, "{path}");
        }
        for path in ["hall", "hall/shared"] {
            assert_eq!(mode(&at(path)), 0o777, "{path}");
        }
        tighten(&at("not there"), &[]).unwrap();
    }
}
