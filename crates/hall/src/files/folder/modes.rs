//! The permissions of the files of a folder.
//!
//! The folder is the operator's, and its own permissions say to whom it is open: files get its bits
//! for reading and writing, folders all of them, whatever the umask of the process. What is still
//! being written is for this process alone.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;

use cap_std::fs::Dir;

/// The mode of folders for this process alone.
pub(super) const PRIVATE_FOLDER: u32 = 0o700;
/// The mode of files for this process alone.
pub(super) const PRIVATE_FILE: u32 = 0o600;

/// The mode of the top folder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Modes(u32);

impl Modes {
    /// The mode that the folder has now.
    pub(super) fn of(root: &Dir) -> io::Result<Self> {
        let metadata = root.try_clone()?.into_std_file().metadata()?;
        // With setgid, files take the group of the folder.
        Ok(Self(metadata.permissions().mode() & 0o2777))
    }

    pub(super) fn folder(self) -> u32 {
        self.0
    }

    /// Gives a file that is whole the permissions of the folder.
    pub(super) fn open_up(self, file: &std::fs::File) {
        // A file system without permissions refuses. The file then stays as it was made: stricter.
        let _ = file.set_permissions(Permissions::from_mode(self.0 & 0o666));
    }
}

/// Sets the mode of a folder in `parent`, where the file system has modes.
pub(super) fn set(parent: &Dir, name: &str, mode: u32) {
    let mode = cap_std::fs::Permissions::from_std(Permissions::from_mode(mode));
    let _ = parent.set_permissions(name, mode);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use bytes::Bytes;

    use super::super::tree::Tree;
    use super::*;
    use crate::files::store::{Plan, SmallFile};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_are_as_open_as_their_top_folder() {
        for (top, file) in [(0o700, 0o600), (0o750, 0o640), (0o777, 0o666)] {
            let folder = tempfile::tempdir().unwrap();
            fs::set_permissions(folder.path(), Permissions::from_mode(top)).unwrap();
            let tree = Tree::open(folder.path()).unwrap();
            tree.make_folder(&"sub".parse().unwrap()).unwrap();
            let small = SmallFile {
                path: "sub/file".parse().unwrap(),
                plan: Plan::default(),
                content: Bytes::from_static(b"x"),
            };
            for done in tree.put_all(&[small]) {
                done.unwrap();
            }
            assert_eq!(mode(&folder.path().join("sub")), top);
            assert_eq!(mode(&folder.path().join("sub/file")), file);
            assert_eq!(mode(&folder.path().join(".hallway")), PRIVATE_FOLDER);
            assert_eq!(
                mode(&folder.path().join(".hallway/uploads")),
                PRIVATE_FOLDER
            );
        }
    }
}
