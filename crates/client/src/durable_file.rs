//! Files that are there whole or not at all, even if the power fails at any moment: they are written
//! under another name beside their own, flushed, and renamed. Only their owner may read them (mode
//! 600).

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that does not have its own name yet. It is removed when this value is dropped.
#[derive(Debug)]
pub struct Unfinished {
    file: NamedTempFile,
    path: PathBuf,
}

impl Unfinished {
    /// A new file in the folder of `path`.
    ///
    /// # Errors
    /// The file can't be created.
    pub fn beside(path: &Path) -> io::Result<Self> {
        let mut prefix = OsString::from(".");
        prefix.push(path.file_name().unwrap_or_default());
        prefix.push(".");
        // Opened here, because the library would put the random name into the error.
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(".new")
            .make_in(folder_of(path), private)?;
        Ok(Self {
            file,
            path: path.to_owned(),
        })
    }

    /// The file, to write to it.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Flushes the file and gives it its name, also that of an earlier file.
    ///
    /// # Errors
    /// The file can't be flushed or renamed.
    pub fn replace(self) -> io::Result<File> {
        self.file.as_file().sync_all()?;
        let file = self.file.persist(&self.path)?;
        sync_folder(&self.path)?;
        Ok(file)
    }

    /// Flushes the file and gives it its name, but never that of another file.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`]: there is a file of this name. Otherwise the file can't be
    /// flushed or renamed.
    pub fn create(self) -> io::Result<File> {
        self.file.as_file().sync_all()?;
        let file = self.file.persist_noclobber(&self.path)?;
        sync_folder(&self.path)?;
        Ok(file)
    }
}

/// Writes a file. A reader meanwhile sees the earlier file or the new one.
///
/// # Errors
/// The file can't be written; an earlier file is then still there, unless only the folder could not
/// be flushed.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut unfinished = Unfinished::beside(path)?;
    unfinished.file().write_all(bytes)?;
    unfinished.replace().map(drop)
}

/// Writes a new file.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`]: there is a file of this name. Otherwise the file can't be
/// written.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut unfinished = Unfinished::beside(path)?;
    unfinished.file().write_all(bytes)?;
    unfinished.create().map(drop)
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Flushes the folder of `path`, and with it the file's name.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_is_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn a_new_file_never_replaces_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path, b"one").unwrap();
        let refused = create(&path, b"two").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn an_unfinished_file_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mut unfinished = Unfinished::beside(&folder.path().join("file")).unwrap();
        unfinished.file().write_all(b"half").unwrap();
        drop(unfinished);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn errors_do_not_name_the_other_name() {
        let folder = tempfile::tempdir().unwrap();
        let refused = write(&folder.path().join("missing/file"), b"").unwrap_err();
        assert!(refused.raw_os_error().is_some(), "{refused}");
    }
}
