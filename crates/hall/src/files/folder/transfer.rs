//! Renaming and copying: what is new is there whole or not at all, and so is what it replaces.

use std::io::{Read, Write};
use std::path::PathBuf;

use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, OpenOptions, OpenOptionsExt};
use rustix::fs::{RenameFlags, renameat_with};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use super::modes::{self, PRIVATE_FILE, PRIVATE_FOLDER};
use super::partial::set_modified;
use super::tree::{Tree, sync};
use crate::dav::path::FilePath;
use crate::files::store::{
    Depth, Entry, Kind, Overwrite, Placed, Plan, StoreError, Transfer, UploadId, may_go,
};

/// A file or folder that is kept aside on its way into or out of a store. It is removed when this
/// is dropped.
pub(super) struct Aside<'a> {
    uploads: &'a Dir,
    name: String,
}

impl<'a> Aside<'a> {
    /// A name that nothing has yet.
    pub(super) fn new(uploads: &'a Dir) -> Result<Self, StoreError> {
        let name = format!("{}.aside", UploadId::random()?.as_str());
        Ok(Self { uploads, name })
    }

    /// Its name among the uploads.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        let removed = match self.uploads.symlink_metadata(&self.name) {
            // It has taken its place.
            Err(_) => return,
            Ok(there) if there.is_dir() => self.uploads.remove_dir_all(&self.name),
            Ok(_) => self.uploads.remove_file(&self.name),
        };
        if let Err(error) = removed {
            tracing::warn!(%error, "what was replaced cannot be removed");
        }
    }
}

/// Where something is: a folder, and its name in it.
type Spot<'a> = (&'a Dir, &'a str);

impl Tree {
    pub(super) fn rename(
        &self,
        from: &FilePath,
        to: &FilePath,
        how: &Transfer,
    ) -> Result<Placed, StoreError> {
        may_go(from, to)?;
        // Dropped after the lock on names, because it may have much to remove.
        let aside = Aside::new(&self.uploads)?;
        let _naming = self.naming();
        let source = self.judged(from, &how.condition)?;
        let (near, far) = (self.parent(from)?, self.parent(to)?);
        let present = self.present(to)?;
        how.overwrite.allows(&source, present.as_ref())?;
        if let (Kind::File, Some(_)) = (source.kind, how.modified_ms) {
            set_modified(&self.file(from)?.0.into_std(), &plan_of(how))?;
        }
        let said = self.prepare_move(from, to)?;
        let spots = ((&near, from.name()), (&far, to.name()));
        take_place(spots, &aside, &source, present.as_ref())?;
        self.move_properties(said)?;
        sync(&far)?;
        sync(&near)?;
        Ok(Placed {
            entry: self.entry(to)?,
            replaced: present.is_some(),
        })
    }

    /// Copies, unless `stop` is cancelled first.
    pub(super) fn copy(
        &self,
        from: &FilePath,
        to: &FilePath,
        how: &Transfer,
        stop: &CancellationToken,
    ) -> Result<Placed, StoreError> {
        may_go(from, to)?;
        let source = self.judged(from, &how.condition)?;
        // Refuses what can be known before much is copied.
        self.parent(to)?;
        how.overwrite.allows(&source, self.present(to)?.as_ref())?;
        let aside = Aside::new(&self.uploads)?;
        let spot = (&self.uploads, aside.name.as_str());
        match source.kind {
            Kind::File => self.copy_file(from, spot, how, stop)?,
            Kind::Folder => self.copy_folder(from, to, spot, how.depth, stop)?,
        }
        let said = self.copy_properties_aside(from, how.depth)?;
        let _naming = self.naming();
        let far = self.parent(to)?;
        let present = self.present(to)?;
        how.overwrite.allows(&source, present.as_ref())?;
        if how.overwrite == Overwrite::Never && source.kind == Kind::File {
            // Unlike renaming, linking never replaces what another program put there.
            self.uploads.hard_link(spot.1, &far, to.name())?;
        } else {
            take_place((spot, (&far, to.name())), &aside, &source, present.as_ref())?;
        }
        self.place_properties(&said, to)?;
        sync(&far)?;
        Ok(Placed {
            entry: self.entry(to)?,
            replaced: present.is_some(),
        })
    }

    fn copy_file(
        &self,
        from: &FilePath,
        (folder, name): Spot<'_>,
        how: &Transfer,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        let (mut file, entry) = self.file(from)?;
        // It may be another file than the one that was judged.
        how.condition.check(Some(&entry))?;
        let modified = file.metadata()?.modified()?.into_std();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(PRIVATE_FILE);
        let mut copy = folder.open_with(name, &options)?.into_std();
        let mut buffer = vec![0; super::READ_BYTES];
        let mut copied = 0;
        loop {
            if stop.is_cancelled() {
                return Err(StoreError::Failed(
                    "the request for the copy has ended".to_owned(),
                ));
            }
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            copied += read as u64;
            copy.write_all(&buffer[..read])?;
        }
        if copied != entry.bytes {
            // It changed while it was copied.
            return Err(StoreError::Precondition);
        }
        copy.set_modified(modified)?;
        set_modified(&copy, &plan_of(how))?;
        self.modes().open_up(&copy);
        Ok(copy.sync_all()?)
    }

    fn copy_folder(
        &self,
        from: &FilePath,
        to: &FilePath,
        (aside, name): Spot<'_>,
        depth: Depth,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        let top = self.new_folder(aside, name)?;
        let mut folders = vec![(from.clone(), to.clone(), PathBuf::from("."))];
        while let Some((from, to, below)) = folders.pop() {
            let (original, copy) = (self.dir(&from)?, top.open_dir(&below)?);
            for entry in original.entries()? {
                if depth == Depth::Itself {
                    break;
                }
                // A name that no path can have can't be asked for either.
                let Ok(name) = entry?.file_name().into_string() else {
                    continue;
                };
                let Ok(path) = from.join(&name) else { continue };
                let long = |_| StoreError::Unsupported("the names of the copy would be too long");
                let target = to.join(&name).map_err(long)?;
                let is_link = original.symlink_metadata(&name)?.is_symlink();
                let found = match self.entry(&path) {
                    Err(StoreError::NotFound) => None,
                    found => Some(found?.kind),
                };
                match found {
                    Some(Kind::File) => {
                        self.copy_file(&path, (&copy, &name), &Transfer::default(), stop)?;
                    }
                    Some(Kind::Folder) if is_link => {
                        let why = "it contains a link to a folder, which may lead in a circle";
                        return Err(StoreError::Unsupported(why));
                    }
                    Some(Kind::Folder) => {
                        self.new_folder(&copy, &name)?;
                        folders.push((path, target, below.join(&name)));
                    }
                    // Links that lead out, sockets, and what went away meanwhile.
                    None => {}
                }
            }
            sync(&copy)?;
        }
        Ok(())
    }

    fn new_folder(&self, parent: &Dir, name: &str) -> Result<Dir, StoreError> {
        let mut private = DirBuilder::new();
        parent.create_dir_with(name, private.mode(PRIVATE_FOLDER))?;
        modes::set(parent, name, self.modes().folder());
        Ok(parent.open_dir(name)?)
    }
}

/// A plan with the time that was asked for.
fn plan_of(how: &Transfer) -> Plan {
    Plan {
        modified_ms: how.modified_ms,
        ..Plan::default()
    }
}

/// Moves what is at the first spot to the second, where `present` is; that goes aside.
fn take_place(
    ((near, from), (far, to)): (Spot<'_>, Spot<'_>),
    aside: &Aside<'_>,
    source: &Entry,
    present: Option<&Entry>,
) -> Result<(), StoreError> {
    let at_once = present.is_none_or(|there| (there.kind, source.kind) == (Kind::File, Kind::File));
    if at_once {
        return Ok(near.rename(from, far, to)?);
    }
    match renameat_with(near, from, far, to, RenameFlags::EXCHANGE) {
        // What was replaced is now where the source was, which may be aside already.
        Ok(()) if from == aside.name => Ok(()),
        Ok(()) => Ok(near.rename(from, aside.uploads, &aside.name)?),
        // A file system that can't swap.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            let replaced = Aside::new(aside.uploads)?;
            far.rename(to, replaced.uploads, &replaced.name)?;
            near.rename(from, far, to).inspect_err(|_| {
                if let Err(error) = replaced.uploads.rename(&replaced.name, far, to) {
                    tracing::error!(
                        %error,
                        name = replaced.name,
                        "what was replaced cannot be put back"
                    );
                }
            })?;
            Ok(())
        }
        Err(error) => Err(std::io::Error::from(error).into()),
    }
}
