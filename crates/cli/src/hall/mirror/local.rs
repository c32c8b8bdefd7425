//! Lists a folder of this computer.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use hallway_hall::dav::date::{self, EARLIEST_MS, LATEST_MS};

use super::plan::{Entry, FileEntry, Listing};
use crate::hall::path::RelativePath;
use crate::hall::transfer::is_part;

/// Which side of a mirror the folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The folder to copy from: links and special files are left out, and reported.
    Source,
    /// The folder to copy to: links and special files are replaced like files, never followed.
    Target,
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Its files and folders.
    pub(crate) listing: Listing,
    /// What was left out: links, special files, names that are not UTF-8.
    pub(crate) skipped: Vec<PathBuf>,
    /// What earlier copies left unfinished.
    pub(crate) parts: Vec<PathBuf>,
    /// Folders and files that can't be read, and why. What is in them is not known to be gone.
    pub(crate) unreadable: Vec<String>,
}

/// Lists everything below `root`.
///
/// # Errors
/// The root can't be read.
pub(crate) fn scan(root: &Path, role: Role) -> io::Result<Scan> {
    let mut scan = Scan::default();
    let mut folders: Vec<Option<RelativePath>> = vec![None];
    while let Some(folder) = folders.pop() {
        let on_disk = match &folder {
            Some(path) => path.under(root),
            None => root.to_owned(),
        };
        let entries = match fs::read_dir(&on_disk) {
            Ok(entries) => entries,
            // A target that does not exist yet is empty.
            Err(error)
                if folder.is_none()
                    && role == Role::Target
                    && error.kind() == io::ErrorKind::NotFound =>
            {
                return Ok(scan);
            }
            Err(error) if folder.is_none() => return Err(named(&on_disk, &error)),
            Err(error) => {
                scan.unreadable.push(named(&on_disk, &error).to_string());
                continue;
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    scan.unreadable.push(named(&on_disk, &error).to_string());
                    break;
                }
            };
            let name = entry.file_name();
            let child = name.to_str().and_then(|name| match &folder {
                Some(folder) => folder.child(name),
                None => RelativePath::top(name),
            });
            let Some(path) = child else {
                scan.skipped.push(entry.path());
                continue;
            };
            if is_part(path.name()) {
                scan.parts.push(entry.path());
                continue;
            }
            let about = match entry.metadata() {
                // Gone since the folder was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    scan.unreadable
                        .push(named(&entry.path(), &error).to_string());
                    continue;
                }
                Ok(about) => about,
            };
            let found = if about.is_dir() {
                folders.push(Some(path.clone()));
                Entry::Folder
            } else if about.is_file() {
                Entry::File(file_entry(&about))
            } else if role == Role::Target {
                Entry::File(FileEntry {
                    bytes: u64::MAX,
                    ..FileEntry::default()
                })
            } else {
                scan.skipped.push(entry.path());
                continue;
            };
            scan.listing.insert(path, found);
        }
    }
    Ok(scan)
}

/// What is known of a file of this computer.
pub(crate) fn file_entry(about: &Metadata) -> FileEntry {
    let can_be = EARLIEST_MS..=LATEST_MS;
    FileEntry {
        bytes: about.len(),
        modified_ms: about
            .modified()
            .ok()
            .and_then(date::to_ms)
            .filter(|time| can_be.contains(time)),
        etag: None,
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_never_followed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        fs::write(folder.path().join("outside/secret"), "x").unwrap();
        fs::write(root.join("sub/file"), "four").unwrap();
        fs::write(root.join(".hallway-part-0123"), "x").unwrap();
        symlink("../outside", root.join("out")).unwrap();
        let source = scan(&root, Role::Source).unwrap();
        let names: Vec<String> = source.listing.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["sub", "sub/file"]);
        assert_eq!(source.skipped, [root.join("out")]);
        assert_eq!(source.parts, [root.join(".hallway-part-0123")]);
        let target = scan(&root, Role::Target).unwrap();
        let link = &target.listing[&"out".parse().unwrap()];
        assert!(matches!(link, Entry::File(file) if file.bytes == u64::MAX));
        assert!(scan(&root.join("nothing"), Role::Source).is_err());
    }
}
