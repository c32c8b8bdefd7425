//! What is not sent for a reason of its own: set aside in the folder `refused` of the watched folder,
//! each file with the reason beside it in `NAME.reason`, so that what is behind it goes on.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hallway_evidence::{Printable, Timestamp};

use crate::atomic_file;
use crate::file_name::{MAX_NAME, with_infix, with_suffix};

/// The folder's name in the watched folder.
pub(crate) const FOLDER: &str = "refused";

/// What stands at the end of the name of a reason.
const REASON: &str = ".reason";

/// How many files of one name are set aside.
const NAMESAKES: u32 = 10_000;

/// The most that are counted.
const COUNTED: usize = 10_000;

/// Moves a file of the watched folder to those that are refused, and says where it is now.
///
/// # Errors
/// A full disk or a failing file system; the file is then where it was.
pub(crate) fn set_aside(
    watched: &Path,
    file: &OsStr,
    why: &str,
    now: Timestamp,
) -> io::Result<PathBuf> {
    let folder = watched.join(FOLDER);
    fs::create_dir_all(&folder)?;
    let shown = file.to_string_lossy();
    let place = free_place(&folder, &shown)?;
    let text = format!(
        "{} was not sent: {}.\nIt was set aside on {now}. Move it back into the folder above to have \
         it tried again.\n",
        Printable(&shown),
        Printable(why.trim_end_matches('.')),
    );
    let reason = reason_of(&place);
    atomic_file::write(&reason, text.as_bytes())?;
    atomic_file::rename(&watched.join(file), &place).inspect_err(|_| {
        let _ = fs::remove_file(&reason);
    })?;
    Ok(place)
}

/// How many files are set aside, 10,000 at most.
pub(crate) fn count(watched: &Path) -> u32 {
    let Ok(entries) = fs::read_dir(watched.join(FOLDER)) else {
        return 0;
    };
    let is_file = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        !name.ends_with(REASON) && !name.ends_with(atomic_file::WRITING)
    };
    let found = entries.flatten().filter(is_file).take(COUNTED).count();
    u32::try_from(found).unwrap_or(u32::MAX)
}

/// The file's own name, or one with a number when another file has it.
fn free_place(folder: &Path, name: &str) -> io::Result<PathBuf> {
    // With its reason beside it, it must fit as well, and it must not be taken for a reason.
    let most = MAX_NAME - REASON.len();
    let name = match name.strip_suffix(REASON) {
        Some(stem) => with_suffix(stem, "-reason", most),
        None => name.to_owned(),
    };
    let mut names = (1..=NAMESAKES).map(|number| match number {
        1 => with_infix(&name, "", most),
        _ => with_infix(&name, &format!("-{number}"), most),
    });
    let free = |place: &PathBuf| fs::symlink_metadata(place).is_err();
    let place = names.find_map(|name| Some(folder.join(name)).filter(free));
    place.ok_or_else(|| io::ErrorKind::AlreadyExists.into())
}

fn reason_of(place: &Path) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    place.with_file_name(with_suffix(&name, REASON, MAX_NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_its_reason_beside_it_whatever_it_is_called() {
        use std::os::unix::ffi::OsStrExt as _;

        let folder = tempfile::tempdir().unwrap();
        let long = "x".repeat(251) + ".jpg";
        let names = ["a.jpg", "a.jpg", &long, &long, "b.reason", "c\u{202e}.txt"];
        let broken = OsStr::from_bytes(b"\xff.jpg");
        let names = names.map(OsStr::new).into_iter().chain([broken]);
        for (number, name) in names.enumerate() {
            fs::write(folder.path().join(name), [number as u8]).unwrap();
            let why = "the gateway says \u{1b}[31mno";
            let place = set_aside(folder.path(), name, why, Timestamp::from_ms(0)).unwrap();
            assert!(!folder.path().join(name).exists());
            assert_eq!(fs::read(&place).unwrap(), [number as u8]);
            let reason = fs::read_to_string(reason_of(&place)).unwrap();
            assert!(
                reason.contains(" was not sent: the gateway says "),
                "{reason}"
            );
            assert!(reason.contains("1970-01-01 00:00:00 UTC") && !reason.contains('\u{1b}'));
        }
        assert_eq!(
            fs::read_dir(folder.path().join(FOLDER)).unwrap().count(),
            14
        );
        assert_eq!(count(folder.path()), 7);
        assert!(set_aside(folder.path(), OsStr::new("gone"), "x", Timestamp::default()).is_err());
        assert_eq!(
            fs::read_dir(folder.path().join(FOLDER)).unwrap().count(),
            14
        );
    }
}
