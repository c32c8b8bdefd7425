//! The session that a person's commands share, so that not each of them asks for a touch to sign in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hallway_client::GatewayAddress;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::folders::{is_private, private_folder, write_private};
use super::session::Session;

/// A session token in a file of its own, for one gateway.
#[derive(Debug)]
pub(crate) struct KeptSession {
    path: PathBuf,
    gateway: String,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    gateway: String,
    #[serde(flatten)]
    session: Session,
}

impl KeptSession {
    /// Of `gateway`, below the state folder.
    pub(crate) fn of(gateway: &GatewayAddress, state: &Path) -> Self {
        let gateway = gateway.origin();
        let place = gateway.split_once("://").map_or("", |parts| parts.1);
        let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-');
        let name = place.replace(|letter| !plain(letter), "_");
        Self {
            path: state.join(format!("session-{name}.json")),
            gateway,
        }
    }

    /// The session, if there is one that nobody else could read.
    pub(crate) fn read(&self) -> Option<Session> {
        if !is_private(&fs::symlink_metadata(&self.path).ok()?) {
            return None;
        }
        let bytes = Zeroizing::new(fs::read(&self.path).ok()?);
        let kept: Kept = serde_json::from_slice(&bytes).ok()?;
        // Two origins may share a file name; a token goes only where it came from.
        (kept.gateway == self.gateway).then_some(kept.session)
    }

    /// Keeps a session.
    ///
    /// # Errors
    /// Where the folder or the file can't be written.
    pub(crate) fn keep(&self, session: &Session) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            private_folder(folder)?;
        }
        let kept = Kept {
            gateway: self.gateway.clone(),
            session: session.clone(),
        };
        let json = Zeroizing::new(serde_json::to_vec(&kept)?);
        write_private(&self.path, &json)
    }

    /// Forgets it.
    ///
    /// # Errors
    /// Where the file can't be removed.
    pub(crate) fn forget(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use hallway_evidence::{Line, PersonId};

    use super::super::Who;
    use super::*;

    #[test]
    fn a_token_goes_only_where_it_came_from() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("hallway");
        let of = |address: &str| KeptSession::of(&address.parse().unwrap(), &state);
        let one = of("https://gate.localhost:8443");
        let token = || one.read().map(|session| session.token);
        assert_eq!(token(), None);
        let who = Who {
            id: PersonId::generate(),
            name: Line::new("Mia").unwrap(),
        };
        let kept = Session {
            who: who.clone(),
            token: Zeroizing::new("secret".to_owned()),
        };
        one.keep(&kept).unwrap();
        assert_eq!(token().unwrap().as_str(), "secret");
        assert_eq!(one.read().unwrap().who, who);
        let other = of("http://gate.localhost:8443");
        assert!(one.path == other.path && other.read().is_none());
        fs::set_permissions(&one.path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(token(), None, "others could read it");
        one.forget().unwrap();
        one.forget().unwrap();
    }
}
