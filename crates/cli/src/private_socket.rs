//! Unix sockets that nobody but this user can reach at any moment.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The longest path that a socket can have, in bytes (unix(7), `sun_path` less its NUL).
const LONGEST_PATH_BYTES: usize = 107;

/// Binds a socket of mode 600. One that nobody serves any more is replaced.
///
/// # Errors
/// [`io::ErrorKind::AddrInUse`]: somebody serves it, or it is not a socket. Otherwise what the
/// system says.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Ok(about) = fs::symlink_metadata(path)
        && (!about.file_type().is_socket() || UnixStream::connect(path).is_ok())
    {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    let bytes = path.as_os_str().len();
    if bytes > LONGEST_PATH_BYTES {
        let reason = format!(
            "the path of a socket has at most {LONGEST_PATH_BYTES} bytes, and this has {bytes}; \
             choose a shorter folder (XDG_RUNTIME_DIR)"
        );
        return Err(io::Error::new(io::ErrorKind::InvalidFilename, reason));
    }
    // A socket is made with the permissions that the umask leaves. So it is made where nobody else
    // can enter, and gets its name when only this user can reach it.
    let folder = HiddenFolder::beside(path)?;
    let made = folder.0.join("s");
    let listener = UnixListener::bind(&made)?;
    fs::set_permissions(&made, Permissions::from_mode(0o600))?;
    fs::rename(&made, path)?;
    Ok(listener)
}

/// A folder that only this user may enter, and that is removed when this value is dropped. Its name
/// is short, because the path of a socket has at most 107 bytes.
struct HiddenFolder(PathBuf);

impl HiddenFolder {
    fn beside(path: &Path) -> io::Result<Self> {
        let mut random = [0; 4];
        getrandom::fill(&mut random)?;
        let folder = path.with_file_name(format!(".{}", hex::encode(random)));
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for HiddenFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_path_that_no_socket_can_have_is_refused_in_plain_words() {
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("x".repeat(LONGEST_PATH_BYTES));
        let refused = bind(&long).unwrap_err().to_string();
        assert!(refused.contains("at most 107 bytes"), "{refused}");
    }

    #[test]
    fn there_is_no_moment_at_which_others_reach_a_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("echo.sock");
        let done = Arc::new(AtomicBool::new(false));
        let (watched, over) = (path.clone(), Arc::clone(&done));
        let watching = std::thread::spawn(move || {
            let (mut seen, mut wide) = (0, 0);
            while !over.load(Ordering::Relaxed) {
                if let Ok(about) = fs::symlink_metadata(&watched) {
                    seen += 1;
                    // Whatever the umask is, the owner may execute a socket that was just made.
                    wide += u32::from(about.permissions().mode() & 0o777 != 0o600);
                }
            }
            (seen, wide)
        });
        for _ in 0..300 {
            drop(bind(&path).unwrap());
        }
        done.store(true, Ordering::Relaxed);
        let (seen, wide) = watching.join().unwrap();
        assert!(
            seen > 0 && wide == 0,
            "{wide} of {seen} times it was not private"
        );
        fs::remove_file(&path).unwrap();
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            0,
            "nothing is left"
        );
    }

    #[test]
    fn one_that_is_served_or_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lab.sock");
        let served = bind(&path).unwrap();
        assert_eq!(bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(served);
        drop(bind(&path).unwrap());
        fs::remove_file(&path).unwrap();
        fs::write(&path, "a file").unwrap();
        assert!(bind(&path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"a file");
    }
}
