//! Files that are not sent for a reason of their own: they are set aside in the folder `refused` of
//! the watched folder, each with the reason beside it in `NAME.reason`, so that the files behind
//! them go on.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use hallway_evidence::{Printable, Timestamp};
use rustix::fs::FileType;

use crate::file_name::{MAX_NAME_BYTES, with_infix, with_suffix};
use crate::folder::{EnterError, Folder, is_being_written};

/// The folder's name in the watched folder.
pub(crate) const FOLDER: &str = "refused";

/// The ending of the name of a reason.
const REASON: &str = ".reason";

/// How many files of one name can be set aside.
const MAX_NAMESAKES: u32 = 10_000;

/// How many files are counted at most.
const MAX_COUNTED: usize = 10_000;

/// Why a file could not be set aside. It is still where it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AsideError {
    /// The folder `refused` cannot be entered or created.
    #[error("{}: {why}", .folder.display())]
    Folder { folder: PathBuf, why: EnterError },
    /// All names for the file are taken in this folder.
    #[error(
        "{} already has {count} files of this name; empty it",
        .0.display(),
        count = MAX_NAMESAKES
    )]
    Namesakes(PathBuf),
    /// A full disk or a failing file system.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// Moves a file of the watched folder to those that are refused, and returns its new path.
///
/// # Errors
/// [`AsideError`].
pub(crate) fn set_aside(
    watched: &Path,
    file: &OsStr,
    why: &str,
    now: Timestamp,
) -> Result<PathBuf, AsideError> {
    let watched = Folder::open(watched)?;
    let folder = watched
        .enter_or_make(FOLDER)
        .map_err(|why| AsideError::Folder {
            folder: watched.path().join(FOLDER),
            why,
        })?;
    let shown = file.to_string_lossy();
    let (name, reason) = free_names(&folder, &shown)?;
    let text = format!(
        "{} was not sent: {}.\nIt was set aside on {now}. To try again, move it back into the \
         folder above.\n",
        Printable(&shown),
        Printable(why.trim_end_matches('.')),
    );
    folder.write(&reason, text.as_bytes())?;
    watched.rename(file, &folder, &name).inspect_err(|_| {
        let _ = folder.remove(&reason);
    })?;
    Ok(folder.path().join(name))
}

/// Removes files that were being written when the power failed.
///
/// # Errors
/// A failing file system.
pub(crate) fn sweep(watched: &Path) -> io::Result<()> {
    match Folder::open(watched)?.enter(FOLDER) {
        Ok(folder) => folder.sweep(),
        // Nothing was set aside, or the error is reported once something is.
        Err(EnterError::NotAFolder) => Ok(()),
        Err(EnterError::System(why)) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(EnterError::System(why)) => Err(why),
    }
}

/// How many files are set aside, at most 10,000.
pub(crate) fn count(watched: &Path) -> u32 {
    let watched = Folder::open(watched).map_err(EnterError::from);
    let Ok(folder) = watched.and_then(|watched| watched.enter(FOLDER)) else {
        return 0;
    };
    let Ok(names) = folder.names() else {
        return 0;
    };
    let is_file = |name: &OsString| {
        !name.as_encoded_bytes().ends_with(REASON.as_bytes())
            && !is_being_written(name)
            && matches!(folder.kind_of(name), Ok(Some(FileType::RegularFile)))
    };
    let found = names.flatten().filter(is_file).take(MAX_COUNTED).count();
    u32::try_from(found).unwrap_or(u32::MAX)
}

/// A name for the file and one for its reason. The file keeps its own name, or gets a number when
/// another file has that name.
fn free_names(folder: &Folder, name: &str) -> Result<(String, String), AsideError> {
    // The name of the reason must fit as well, and the file must not be taken for a reason.
    let most = MAX_NAME_BYTES - REASON.len();
    let name = match name.strip_suffix(REASON) {
        Some(stem) => with_suffix(stem, "-reason", most),
        None => name.to_owned(),
    };
    for number in 1..=MAX_NAMESAKES {
        let name = match number {
            1 => with_infix(&name, "", most),
            _ => with_infix(&name, &format!("-{number}"), most),
        };
        let reason = with_suffix(&name, REASON, MAX_NAME_BYTES);
        // A reason whose file was taken away is overwritten.
        let is_free = folder.kind_of(&name)?.is_none()
            && folder.kind_of(&reason)? != Some(FileType::Directory);
        if is_free {
            return Ok((name, reason));
        }
    }
    Err(AsideError::Namesakes(folder.path().to_owned()))
}

#[cfg(test)]
mod tests;
