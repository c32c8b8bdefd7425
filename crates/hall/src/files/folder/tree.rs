//! The names in a folder, and changes of them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, File, Metadata, MetadataExt};
use rustix::io::Errno;

use super::modes::{self, Modes, PRIVATE_FOLDER};
use super::partial;
use super::reading::Opened;
use crate::dav::date;
use crate::dav::path::{FilePath, RESERVED};
use crate::files::condition::Condition;
use crate::files::store::{Entry, Kind, OpenFile, Page, StoreError};

/// How often abandoned uploads are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// The open folder.
pub(super) struct Tree {
    root: Dir,
    /// `.hallway/uploads` in it: on the same file system, so that renaming is atomic.
    pub(super) uploads: Dir,
    /// `.hallway/properties` in it.
    pub(super) kept: Dir,
    /// One change of names at a time, so that a condition holds while it is acted on.
    naming: Mutex<()>,
    swept: Mutex<Instant>,
    modes: Modes,
}

impl Tree {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let root = Dir::open_ambient_dir(folder, ambient_authority())?;
        let (uploads, kept) = (
            format!("{RESERVED}/uploads"),
            format!("{RESERVED}/properties"),
        );
        let mut private = DirBuilder::new();
        private.recursive(true).mode(PRIVATE_FOLDER);
        for folder in [RESERVED, &uploads, &kept] {
            root.create_dir_with(folder, &private)?;
            modes::set(&root, folder, PRIVATE_FOLDER);
        }
        let (uploads, kept) = (root.open_dir(&uploads)?, root.open_dir(&kept)?);
        partial::sweep(&uploads)?;
        let modes = Modes::of(&root)?;
        Ok(Self {
            root,
            uploads,
            kept,
            naming: Mutex::new(()),
            swept: Mutex::new(Instant::now()),
            modes,
        })
    }

    /// The permissions of what is written here.
    pub(super) fn modes(&self) -> &Modes {
        &self.modes
    }

    /// Throws away abandoned uploads, once an hour: a gateway runs for months.
    pub(super) fn sweep(&self) {
        {
            let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
            if swept.elapsed() < SWEEP_EVERY {
                return;
            }
            *swept = Instant::now();
        }
        if let Err(error) = partial::sweep(&self.uploads) {
            tracing::warn!(%error, "old uploads cannot be thrown away");
        }
    }

    pub(super) fn naming(&self) -> MutexGuard<'_, ()> {
        self.naming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is where something will be put. A link that lists leave out is there, too, and stays.
    pub(super) fn present(&self, path: &FilePath) -> Result<Option<Entry>, StoreError> {
        match self.metadata(path) {
            Ok(metadata) => Ok(describe(path.name(), &metadata)),
            Err(error) if leads_nowhere(&error) => Err(StoreError::Denied),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn entry(&self, path: &FilePath) -> Result<Entry, StoreError> {
        match self.metadata(path) {
            Ok(metadata) => describe(path.name(), &metadata).ok_or(StoreError::NotFound),
            Err(error) if leads_nowhere(&error) || is_missing(&error) => Err(StoreError::NotFound),
            Err(error) => Err(error.into()),
        }
    }

    fn metadata(&self, path: &FilePath) -> io::Result<Metadata> {
        if path.is_root() {
            self.root.dir_metadata()
        } else {
            self.root.metadata(path.as_str())
        }
    }

    pub(super) fn list(
        &self,
        folder: &FilePath,
        after: Option<&str>,
        most: usize,
    ) -> Result<Page, StoreError> {
        let dir = self.dir(folder)?;
        let mut names = Vec::new();
        for entry in dir.entries()? {
            // A name that is not UTF-8, or that a path can't have, can't be asked for either.
            let Ok(name) = entry?.file_name().into_string() else {
                continue;
            };
            if after.is_none_or(|after| name.as_str() > after) && folder.join(&name).is_ok() {
                names.push(name);
            }
        }
        names.sort_unstable();
        // Links that lead out, sockets, and what went away meanwhile are left out.
        let found = names
            .iter()
            .filter_map(|name| describe(name, &dir.metadata(name).ok()?));
        // One more entry tells whether any follow. The page names its last entry as `next`.
        let mut entries: Vec<Entry> = found.take(most.saturating_add(1)).collect();
        let more = entries.len() > most;
        entries.truncate(most);
        let next = if more {
            entries.last().map(|entry| entry.name.clone())
        } else {
            None
        };
        Ok(Page { entries, next })
    }

    pub(super) fn dir(&self, folder: &FilePath) -> Result<Dir, StoreError> {
        if folder.is_root() {
            return Ok(self.root.try_clone()?);
        }
        match self.entry(folder)?.kind {
            Kind::File => Err(StoreError::IsFile),
            Kind::Folder => Ok(self.root.open_dir(folder.as_str())?),
        }
    }

    /// The folder that `path` is or will be in.
    pub(super) fn parent(&self, path: &FilePath) -> Result<Dir, StoreError> {
        if path.is_root() {
            return Err(StoreError::IsFolder);
        }
        self.dir(&path.parent()).map_err(|error| match error {
            StoreError::NotFound | StoreError::IsFile => StoreError::NoParent,
            other => other,
        })
    }

    pub(super) fn open_file(&self, path: &FilePath) -> Result<Box<dyn OpenFile>, StoreError> {
        let (file, entry) = self.file(path)?;
        Ok(Box::new(Opened::new(file, entry)))
    }

    /// A file that can be read, and what it is.
    pub(super) fn file(&self, path: &FilePath) -> Result<(File, Entry), StoreError> {
        // The kind is checked first: opening a pipe would wait for its writer.
        if self.entry(path)?.kind == Kind::Folder {
            return Err(StoreError::IsFolder);
        }
        let file = self.root.open(path.as_str())?;
        let entry = describe(path.name(), &file.metadata()?).ok_or(StoreError::NotFound)?;
        Ok((file, entry))
    }

    pub(super) fn make_folder(&self, path: &FilePath) -> Result<(), StoreError> {
        let parent = self.parent(path)?;
        let mut private = DirBuilder::new();
        parent.create_dir_with(path.name(), private.mode(PRIVATE_FOLDER))?;
        modes::set(&parent, path.name(), self.modes.folder());
        self.forget_properties(path)?;
        sync(&parent)
    }

    /// What `path` is, if `condition` holds for it. A folder has changed when anything in it has.
    pub(super) fn judged(
        &self,
        path: &FilePath,
        condition: &Condition,
    ) -> Result<Entry, StoreError> {
        let entry = self.entry(path)?;
        let mut judged = entry.clone();
        if entry.kind == Kind::Folder && condition.asks_when() {
            judged.modified_ms = judged.modified_ms.max(latest(&self.dir(path)?)?);
        }
        condition.check(Some(&judged))?;
        Ok(entry)
    }

    pub(super) fn remove(&self, path: &FilePath, condition: &Condition) -> Result<(), StoreError> {
        if path.is_root() {
            return Err(StoreError::Unsupported("the top folder cannot be removed"));
        }
        let _naming = self.naming();
        let entry = self.judged(path, condition)?;
        let parent = self.parent(path)?;
        match entry.kind {
            // A link is removed itself, not what it leads to.
            Kind::Folder if !parent.symlink_metadata(path.name())?.is_symlink() => {
                parent.remove_dir_all(path.name())?;
            }
            _ => parent.remove_file(path.name())?,
        }
        self.forget_properties(path)?;
        sync(&parent)
    }
}

/// Whether nothing is at a path, perhaps because a file is in the middle of it.
fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Whether a link in a path leads out of the store, or in a circle: lists leave it out, and nothing
/// can be read through it. cap-std itself reports the first, without an error number of the system.
fn leads_nowhere(error: &io::Error) -> bool {
    match error.raw_os_error() {
        None => error.kind() == io::ErrorKind::PermissionDenied,
        Some(code) => code == Errno::LOOP.raw_os_error(),
    }
}

/// When something in a folder changed last, unix milliseconds.
fn latest(folder: &Dir) -> Result<Option<i64>, StoreError> {
    let (mut latest, mut folders) = (None, vec![PathBuf::from(".")]);
    while let Some(below) = folders.pop() {
        for entry in folder.read_dir(&below)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            latest = latest.max(modified_ms(&metadata));
            if metadata.is_dir() {
                folders.push(below.join(entry.file_name()));
            }
        }
    }
    Ok(latest)
}

fn modified_ms(metadata: &Metadata) -> Option<i64> {
    date::to_ms(metadata.modified().ok()?.into_std())
}

/// Makes a change of names durable.
pub(super) fn sync(dir: &Dir) -> Result<(), StoreError> {
    // The directory's own handle is for resolving paths only.
    Ok(dir.open(".")?.sync_all()?)
}

/// Describes files and folders; `None` for anything else, which counts as absent.
pub(super) fn describe(name: &str, metadata: &Metadata) -> Option<Entry> {
    let (kind, bytes, etag) = if metadata.is_dir() {
        (Kind::Folder, 0, None)
    } else if metadata.is_file() {
        // A file that takes another's place has another inode or another ctime, whatever its time
        // of modification.
        let etag = format!(
            "{:x}-{:x}-{:x}.{:x}",
            metadata.ino(),
            metadata.len(),
            metadata.ctime(),
            metadata.ctime_nsec()
        );
        (Kind::File, metadata.len(), Some(etag))
    } else {
        return None;
    };
    Some(Entry {
        name: name.to_owned(),
        kind,
        bytes,
        modified_ms: modified_ms(metadata),
        etag,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_page_ends_with_a_name_that_it_lists() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "c", "f"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        for name in ["b", "d", "e", "g"] {
            symlink("nowhere", folder.path().join(name)).unwrap();
        }
        let tree = Tree::open(folder.path()).unwrap();
        let (mut after, mut pages) = (None, Vec::new());
        loop {
            let page = tree.list(&FilePath::root(), after.as_deref(), 1).unwrap();
            let names: Vec<String> = page.entries.into_iter().map(|entry| entry.name).collect();
            pages.push((names.concat(), page.next.clone()));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let next = |name: &str| Some(name.to_owned());
        let expected = [("a", next("a")), ("c", next("c")), ("f", None)];
        assert_eq!(pages, expected.map(|(name, next)| (name.to_owned(), next)));
    }
}
