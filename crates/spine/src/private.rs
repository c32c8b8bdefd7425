//! A gateway's files are for its own user only: files have mode 600, folders mode 700.
//!
//! New files get these modes from the umask, which the program sets when it starts. Older files,
//! from an earlier version or another tool, are tightened when a gateway starts. Not the operator
//! key: a key that others could read is refused, because they may have read it. Nor the folders of
//! halls, which the operator may open to anybody.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The mode bits of the group and of others.
const OTHERS_MODE: u32 = 0o077;

/// Takes the permissions of others away from `path` and everything below it, except `spared`. A
/// folder that is already closed is skipped: nobody can reach its content, and new files in it are
/// closed.
///
/// # Errors
/// The system's error, and the path that it is about.
pub fn tighten(path: &Path, spared: &[PathBuf]) -> Result<(), (PathBuf, io::Error)> {
    let at = |error| (path.to_owned(), error);
    if spared.iter().any(|spared| spared == path) {
        return Ok(());
    }
    let about = match fs::symlink_metadata(path) {
        Ok(about) => about,
        // Nothing is there to close, or it was removed meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(at(error)),
    };
    if about.is_symlink() || is_closed(&about) {
        return Ok(());
    }
    if about.is_dir() {
        tighten_within(path, spared)?;
    }
    tracing::warn!(path = %path.display(), "closed to others, who had permissions");
    close(path, &about).map_err(at)
}

/// As [`tighten`], for everything in `folder`, even if the folder itself is closed.
///
/// # Errors
/// The system's error, and the path that it is about.
pub fn tighten_within(folder: &Path, spared: &[PathBuf]) -> Result<(), (PathBuf, io::Error)> {
    let at = |error| (folder.to_owned(), error);
    for entry in fs::read_dir(folder).map_err(at)? {
        tighten(&entry.map_err(at)?.path(), spared)?;
    }
    Ok(())
}

fn is_closed(about: &Metadata) -> bool {
    about.permissions().mode() & OTHERS_MODE == 0
}

fn close(path: &Path, about: &Metadata) -> io::Result<()> {
    let mode = about.permissions().mode() & 0o7777 & !OTHERS_MODE;
    fs::set_permissions(path, Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn open_files_are_closed_except_spared_ones() {
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
