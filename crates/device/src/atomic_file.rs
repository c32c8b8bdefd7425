//! Files that are there whole or not at all, whatever moment the power goes, and only for the user of
//! the device: mode 600, whatever the umask.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::file_name::{MAX_NAME, with_suffix};

/// What the name of a neighbour ends with.
pub(crate) const WRITING: &str = ".writing";

/// Makes a file empty, for this user alone.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let file = options.open(path)?;
    // One that was there before may have been open to others.
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Writes `bytes` to `path`: to a neighbour first, flushed to the disk, then renamed over it.
///
/// # Errors
/// Whatever the file system says; the old file is then still there.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let neighbour = path.with_file_name(with_suffix(&stem, WRITING, MAX_NAME));
    let written = create(&neighbour).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if let Err(error) = written {
        // What was written of it takes room that a full disk does not have.
        let _ = fs::remove_file(&neighbour);
        return Err(error);
    }
    fs::rename(&neighbour, path)?;
    sync_folder_of(path)
}

/// Renames, and flushes the folder so that the new name survives a power cut.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder_of(to)
}

/// Removes a file if it is there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_files_and_leaves_nothing_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        rename(&path, &folder.path().join("b.json")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        remove(&path).unwrap();
        assert!(write(&folder.path().join("no/such.json"), b"x").is_err());
        for length in [247, 248, 255] {
            let name = "x".repeat(length);
            write(&folder.path().join(&name), name.as_bytes()).unwrap();
            assert_eq!(fs::read(folder.path().join(&name)).unwrap().len(), length);
        }
    }
}
