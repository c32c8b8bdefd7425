//! Folders that others write in as well: memory cards, shares. Every operation names a file by its
//! own name and follows no link, so nothing is read, written or removed elsewhere; and a pipe or
//! other thing in the place of a file never keeps the agent waiting.
//!
//! A file is written whole or not at all, even if the power fails at any moment, and only for the
//! user of the device: mode 600.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// How the name of a file begins while it is written.
const WRITING_PREFIX: &str = "hallway-";

/// How that name ends. Between the two are 16 random hexadecimal digits.
const WRITING_SUFFIX: &str = ".writing";

/// Random names that are tried for a file that is written.
const MAX_NAMES_TRIED: u32 = 8;

/// How files of others are opened: never through a link, never waiting for a writer or a reader.
const CAUTIOUS: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Why a folder within another could not be entered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnterError {
    /// A link, or something else that is not a folder, has its name.
    #[error("it is a link, or not a folder; move it away")]
    NotAFolder,
    /// The file system failed, or there is no such folder.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// There is no file of this name.
    #[error("it is gone")]
    Gone,
    /// A link, a folder, a pipe or another thing that is not a regular file has its name.
    #[error("it is a link, or not a regular file")]
    NotAFile,
    /// The file is longer than this limit, in bytes.
    #[error("it has more than {0} bytes")]
    TooLong(u64),
    /// The file system failed.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// A file's bytes, and its metadata after they were read.
#[derive(Debug)]
pub(crate) struct Content {
    pub bytes: Vec<u8>,
    pub metadata: Metadata,
}

/// A folder that is held open.
#[derive(Debug)]
pub(crate) struct Folder {
    handle: File,
    path: PathBuf,
}

impl Folder {
    /// Opens a folder by the path that the operator of the device gave. Links on this path are the
    /// operator's and are followed.
    ///
    /// # Errors
    /// There is no such folder, or the file system failed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self {
            handle: handle.into(),
            path: path.to_owned(),
        })
    }

    /// Opens the folder of this name in this one.
    ///
    /// # Errors
    /// [`EnterError`].
    pub(crate) fn enter(&self, name: &str) -> Result<Self, EnterError> {
        let flags = CAUTIOUS | OFlags::RDONLY | OFlags::DIRECTORY;
        match rustix::fs::openat(&self.handle, single(name.as_ref())?, flags, Mode::empty()) {
            Ok(handle) => Ok(Self {
                handle: handle.into(),
                path: self.path.join(name),
            }),
            Err(Errno::NOTDIR | Errno::LOOP | Errno::MLINK) => Err(EnterError::NotAFolder),
            Err(why) => Err(EnterError::System(why.into())),
        }
    }

    /// Opens the folder of this name in this one. If there is none, it is created for this user
    /// alone.
    ///
    /// # Errors
    /// [`EnterError`].
    pub(crate) fn enter_or_make(&self, name: &str) -> Result<Self, EnterError> {
        match rustix::fs::mkdirat(&self.handle, single(name.as_ref())?, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => self.enter(name),
            Err(why) => Err(EnterError::System(why.into())),
        }
    }

    /// Closes the folder to other users: mode 700.
    ///
    /// # Errors
    /// The file system failed, or the folder is somebody else's.
    pub(crate) fn close_to_others(&self) -> io::Result<()> {
        self.handle.set_permissions(Permissions::from_mode(0o700))
    }

    /// The path by which the folder was opened.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether `other` is the metadata of this same folder.
    ///
    /// # Errors
    /// The file system failed.
    pub(crate) fn is(&self, other: &Metadata) -> io::Result<bool> {
        let this = self.handle.metadata()?;
        Ok((this.dev(), this.ino()) == (other.dev(), other.ino()))
    }

    /// The names of everything in the folder, in no order.
    ///
    /// # Errors
    /// The file system failed.
    pub(crate) fn names(&self) -> io::Result<impl Iterator<Item = io::Result<OsString>>> {
        let all = Dir::read_from(&self.handle)?.map(|entry| {
            let entry = entry?;
            Ok(OsStr::from_bytes(entry.file_name().to_bytes()).to_owned())
        });
        Ok(all.filter(|name| !matches!(name, Ok(name) if name == "." || name == "..")))
    }

    /// The type of the file with this name, if there is one. A link counts as a link, wherever it
    /// leads.
    ///
    /// # Errors
    /// The file system failed, or does not accept the name.
    pub(crate) fn kind_of(&self, name: impl AsRef<OsStr>) -> io::Result<Option<FileType>> {
        let name = single(name.as_ref())?;
        match rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(FileType::from_raw_mode(found.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(why) => Err(why.into()),
        }
    }

    /// How many bytes a file has.
    ///
    /// # Errors
    /// [`FileError`].
    pub(crate) fn length_of(&self, name: impl AsRef<OsStr>) -> Result<u64, FileError> {
        let file = self.open_file(name.as_ref(), OFlags::RDONLY)?;
        Ok(file.metadata()?.len())
    }

    /// Reads a file of at most `limit` bytes.
    ///
    /// # Errors
    /// [`FileError`].
    pub(crate) fn read(&self, name: impl AsRef<OsStr>, limit: u64) -> Result<Content, FileError> {
        let file = self.open_file(name.as_ref(), OFlags::RDONLY)?;
        let length = file.metadata()?.len();
        if length > limit {
            return Err(FileError::TooLong(limit));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        // It may grow while it is read.
        let more = limit.saturating_add(1);
        (&file).take(more).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(FileError::TooLong(limit));
        }
        Ok(Content {
            bytes,
            metadata: file.metadata()?,
        })
    }

    /// Opens a file to hold its lock; if there is none, it is created.
    ///
    /// # Errors
    /// [`FileError`].
    pub(crate) fn open_lock(&self, name: &str) -> Result<File, FileError> {
        self.open_file(name.as_ref(), OFlags::RDWR | OFlags::CREATE)
    }

    /// Writes `bytes` to a file: first to a neighbour, which is flushed to the disk and then takes
    /// the name, also of an earlier file. Not [`hallway_client::durable_file`], which goes by paths:
    /// others may put a link in the place of this folder.
    ///
    /// # Errors
    /// The errors of the file system; an earlier file of the name is then still there.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let (neighbour, mut file) = self.neighbour()?;
        // The lock shows that the file is being written; without locks, nothing is swept.
        let _ = file.try_lock();
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| self.rename(&neighbour, self, name))
            .inspect_err(|_| {
                // The unfinished file takes room that a full disk does not have.
                let _ = self.remove(&neighbour);
            })
    }

    /// Moves a file, or a link itself, to a name in another folder, and flushes that folder so that
    /// the new name survives a power cut.
    ///
    /// # Errors
    /// The errors of the file system.
    pub(crate) fn rename(
        &self,
        from: impl AsRef<OsStr>,
        folder: &Self,
        to: &str,
    ) -> io::Result<()> {
        let (from, to) = (single(from.as_ref())?, single(to.as_ref())?);
        rustix::fs::renameat(&self.handle, from, &folder.handle, to)?;
        folder.handle.sync_all()
    }

    /// Removes a file, or a link itself, if it is there.
    ///
    /// # Errors
    /// The errors of the file system.
    pub(crate) fn remove(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.handle, single(name.as_ref())?, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(why) => Err(why.into()),
        }
    }

    /// Waits until what was removed is removed on the disk, too.
    ///
    /// # Errors
    /// The errors of the file system.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    /// Removes files that were being written here when the power failed, but none that is being
    /// written now.
    ///
    /// # Errors
    /// The file system failed.
    pub(crate) fn sweep(&self) -> io::Result<()> {
        for name in self.names()? {
            let name = name?;
            let is_left = is_being_written(&name)
                && self
                    .open_file(&name, OFlags::RDONLY)
                    .is_ok_and(|file| file.try_lock().is_ok());
            if is_left {
                self.remove(&name)?;
            }
        }
        Ok(())
    }

    /// A new file beside the others, under a name that nobody can foresee.
    fn neighbour(&self) -> io::Result<(String, File)> {
        let flags = CAUTIOUS | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        for _ in 0..MAX_NAMES_TRIED {
            let mut random = [0; 8];
            getrandom::fill(&mut random)
                .map_err(|_| io::Error::other("the system gives no random numbers"))?;
            let name = format!(
                "{WRITING_PREFIX}{:016x}{WRITING_SUFFIX}",
                u64::from_ne_bytes(random)
            );
            match rustix::fs::openat(&self.handle, &name, flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => return Ok((name, file.into())),
                Err(Errno::EXIST) => {}
                Err(why) => return Err(why.into()),
            }
        }
        Err(Errno::EXIST.into())
    }

    fn open_file(&self, name: &OsStr, access: OFlags) -> Result<File, FileError> {
        let flags = CAUTIOUS | access;
        let mode = Mode::RUSR | Mode::WUSR;
        let file: File = match rustix::fs::openat(&self.handle, single(name)?, flags, mode) {
            Ok(file) => file.into(),
            Err(Errno::NOENT) => return Err(FileError::Gone),
            // A link; a socket, or a pipe that nobody reads; a folder, opened for writing.
            Err(Errno::LOOP | Errno::MLINK | Errno::NXIO | Errno::ISDIR) => {
                return Err(FileError::NotAFile);
            }
            Err(why) => return Err(FileError::System(why.into())),
        };
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(FileError::NotAFile)
        }
    }
}

/// Whether a name has the form of a file that is being written.
#[must_use]
pub(crate) fn is_being_written(name: &OsStr) -> bool {
    let digits = name.to_str().and_then(|name| {
        name.strip_prefix(WRITING_PREFIX)?
            .strip_suffix(WRITING_SUFFIX)
    });
    digits.is_some_and(|digits| {
        digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Whether a name names something in a folder itself, and not that folder or another one.
#[must_use]
pub(crate) fn is_single(name: &OsStr) -> bool {
    !matches!(name.as_bytes(), b"" | b"." | b"..") && !name.as_bytes().contains(&b'/')
}

fn single(name: &OsStr) -> io::Result<&OsStr> {
    if is_single(name) {
        Ok(name)
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

#[cfg(test)]
mod tests;
