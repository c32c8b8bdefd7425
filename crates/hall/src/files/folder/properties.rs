//! Dead properties: a tree of folders beside the files. For each path, a file [`RESERVED`] in the
//! folder of that path has its properties. No file of a store can have that name, so it never
//! collides with the folder of a file, and one renaming moves the properties of a whole folder.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, OpenOptions, OpenOptionsExt};

use super::modes::{PRIVATE_FILE, PRIVATE_FOLDER};
use super::transfer::Aside;
use super::tree::{Tree, sync};
use crate::dav::path::{FilePath, RESERVED};
use crate::files::condition::Condition;
use crate::files::property::{LONGEST_PROPERTIES_BYTES, Properties, PropertyChanges};
use crate::files::store::{Depth, StoreError};

/// The longest file: JSON may escape each byte.
const LONGEST_BYTES: u64 = 8 * LONGEST_PROPERTIES_BYTES as u64;

impl Tree {
    pub(super) fn properties(&self, path: &FilePath) -> Result<Properties, StoreError> {
        self.entry(path)?;
        self.kept_properties(path)
    }

    fn kept_properties(&self, path: &FilePath) -> Result<Properties, StoreError> {
        let file = Path::new(path.as_str()).join(RESERVED);
        match self.kept.metadata(&file) {
            Ok(there) if there.len() > LONGEST_BYTES => Ok(Properties::too_long(path)),
            Ok(_) => Ok(Properties::from_bytes(&self.kept.read(&file)?, path)),
            Err(error) if is_absent(&error) => Ok(Properties::default()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn with_properties(
        &self,
        folder: &FilePath,
    ) -> Result<BTreeSet<String>, StoreError> {
        let entries = match self.kept.read_dir(below(folder)) {
            Err(error) if is_absent(&error) => return Ok(BTreeSet::new()),
            entries => entries?,
        };
        let mut names = BTreeSet::new();
        for entry in entries {
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    pub(super) fn set_properties(
        &self,
        path: &FilePath,
        condition: &Condition,
        changes: PropertyChanges,
    ) -> Result<(), StoreError> {
        let _naming = self.naming();
        condition.check(Some(&self.entry(path)?))?;
        let mut properties = self.kept_properties(path)?;
        properties.apply(changes)?;
        self.keep(path, &properties)
    }

    fn keep(&self, path: &FilePath, properties: &Properties) -> Result<(), StoreError> {
        let file = Path::new(path.as_str()).join(RESERVED);
        if properties.is_empty() {
            return match self.kept.remove_file(file) {
                Err(error) if !is_absent(&error) => Err(error.into()),
                _ => Ok(()),
            };
        }
        let folder = self.kept_folder(path)?;
        // Written elsewhere: in this folder, any name but [`RESERVED`] may be that of a file.
        let new = Aside::new(&self.uploads)?;
        write(&self.uploads, new.name(), properties)?;
        self.uploads.rename(new.name(), &folder, RESERVED)?;
        sync(&folder)
    }

    /// The folder for the properties of `path`, made where it is missing.
    fn kept_folder(&self, path: &FilePath) -> Result<Dir, StoreError> {
        if path.is_root() {
            return Ok(self.kept.try_clone()?);
        }
        let mut private = DirBuilder::new();
        let folder = path.as_str();
        self.kept
            .create_dir_with(folder, private.recursive(true).mode(PRIVATE_FOLDER))?;
        Ok(self.kept.open_dir(folder)?)
    }

    /// Deletes the properties of `path` and of all that is in it.
    pub(super) fn forget_properties(&self, path: &FilePath) -> Result<(), StoreError> {
        match self.kept.symlink_metadata(path.as_str()) {
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(self.kept.remove_dir_all(path.as_str())?),
        }
    }

    /// Prepares to move the properties of `from` and of all that is in it to `to`. Nothing is
    /// changed yet.
    pub(super) fn prepare_move<'p>(
        &self,
        from: &'p FilePath,
        to: &'p FilePath,
    ) -> Result<Move<'p>, StoreError> {
        let folder = match self.kept.symlink_metadata(from.as_str()) {
            Ok(_) => Some(self.kept_folder(&to.parent())?),
            Err(error) if is_absent(&error) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Move { from, to, folder })
    }

    /// Moves the properties, and deletes those that the new place had.
    pub(super) fn move_properties(
        &self,
        Move { from, to, folder }: Move<'_>,
    ) -> Result<(), StoreError> {
        self.forget_properties(to)?;
        let Some(folder) = folder else { return Ok(()) };
        self.kept.rename(from.as_str(), &folder, to.name())?;
        sync(&folder)
    }

    /// Copies the properties of `from`, and of what is in it, aside: whatever is wrong with them,
    /// and whether there is space, shows before anything is replaced.
    pub(super) fn copy_properties_aside(
        &self,
        from: &FilePath,
        depth: Depth,
    ) -> Result<Aside<'_>, StoreError> {
        let aside = Aside::new(&self.uploads)?;
        let mut all = vec![(from.clone(), PathBuf::from(aside.name()))];
        while let Some((from, to)) = all.pop() {
            let properties = self.kept_properties(&from)?;
            if !properties.is_empty() {
                let mut private = DirBuilder::new();
                private.recursive(true).mode(PRIVATE_FOLDER);
                self.uploads.create_dir_with(&to, &private)?;
                let folder = self.uploads.open_dir(&to)?;
                write(&folder, RESERVED, &properties)?;
                sync(&folder)?;
            }
            if depth == Depth::Itself {
                break;
            }
            for name in self.with_properties(&from)? {
                if let Ok(from) = from.join(&name) {
                    all.push((from, to.join(name)));
                }
            }
        }
        Ok(aside)
    }

    /// Replaces the properties of `to` with those that were copied aside.
    pub(super) fn place_properties(
        &self,
        aside: &Aside<'_>,
        to: &FilePath,
    ) -> Result<(), StoreError> {
        self.forget_properties(to)?;
        match self.uploads.symlink_metadata(aside.name()) {
            Ok(_) => {}
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let folder = self.kept_folder(&to.parent())?;
        self.uploads.rename(aside.name(), &folder, to.name())?;
        sync(&folder)
    }
}

/// Properties that are about to move.
pub(super) struct Move<'p> {
    from: &'p FilePath,
    to: &'p FilePath,
    /// Where they go; `None` if there are no properties.
    folder: Option<Dir>,
}

/// Writes a new file, and makes it durable.
fn write(folder: &Dir, name: &str, properties: &Properties) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(PRIVATE_FILE);
    let mut new = folder.open_with(name, &options)?.into_std();
    io::Write::write_all(&mut new, &properties.to_bytes()?)?;
    Ok(new.sync_all()?)
}

/// The name of a path in the tree: the top has one, too.
fn below(path: &FilePath) -> &str {
    if path.is_root() { "." } else { path.as_str() }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
