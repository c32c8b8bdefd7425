//! The session that a person's commands share, so that signing in does not take a touch each time.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hallway_client::{GatewayAddress, durable_file};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::PersonError;
use super::folders::{is_private, private_folder};
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
    ///
    /// # Errors
    /// [`PersonError::SpoiledSession`] where the file is not as [`keep`](Self::keep) writes it.
    pub(crate) fn read(&self) -> Result<Option<Session>, PersonError> {
        let spoiled = || PersonError::SpoiledSession(self.path.clone());
        match fs::symlink_metadata(&self.path) {
            Ok(found) if is_private(&found) => {}
            Ok(_) | Err(_) => return Ok(None),
        }
        let bytes = fs::read(&self.path).map_err(|_| spoiled())?;
        let kept: Kept = serde_json::from_slice(&Zeroizing::new(bytes)).map_err(|_| spoiled())?;
        // Two origins may share a file name; a token goes only where it came from.
        if kept.gateway != self.gateway {
            return Ok(None);
        }
        if !kept.session.has_a_token() {
            return Err(spoiled());
        }
        Ok(Some(kept.session))
    }

    /// Keeps a session.
    ///
    /// # Errors
    /// The folder or the file can't be written.
    pub(crate) fn keep(&self, session: &Session) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            private_folder(folder)?;
        }
        let kept = Kept {
            gateway: self.gateway.clone(),
            session: session.clone(),
        };
        let json = Zeroizing::new(serde_json::to_vec(&kept)?);
        durable_file::write(&self.path, &json)
    }

    /// Removes the session.
    ///
    /// # Errors
    /// The file can't be removed.
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
        let token = || one.read().unwrap().map(|session| session.token);
        assert_eq!(token(), None);
        let who = Who {
            id: PersonId::generate(),
            name: Line::new("Mia").unwrap(),
        };
        let kept = Session {
            who: who.clone(),
            token: Zeroizing::new("a-Secret_".repeat(5)[..43].to_owned()),
        };
        one.keep(&kept).unwrap();
        assert_eq!(token(), Some(kept.token));
        assert_eq!(one.read().unwrap().unwrap().who, who);
        let other = of("http://gate.localhost:8443");
        assert!(one.path == other.path && other.read().unwrap().is_none());
        fs::set_permissions(&one.path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(token(), None, "others could read it");
        one.forget().unwrap();
        one.forget().unwrap();
    }

    #[test]
    fn a_file_that_somebody_edited_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("hallway");
        let one = KeptSession::of(&"https://gate.localhost".parse().unwrap(), &state);
        let kept = Session {
            who: Who {
                id: PersonId::generate(),
                name: Line::new("Mia").unwrap(),
            },
            token: Zeroizing::new("x".repeat(43)),
        };
        one.keep(&kept).unwrap();
        let whole = fs::read_to_string(&one.path).unwrap();
        let (token, longer) = ("x".repeat(43), "x".repeat(44));
        for spoiled in [
            String::new(),
            whole.replace('}', ""),
            whole.replace(&token, ""),
            whole.replace(&token, &longer),
            whole.replace(&token, &format!("{}\\n", &token[1..])),
            whole.replace(&token, &format!("{}=", &token[1..])),
            whole.replace("Mia", "Mia\\n"),
        ] {
            fs::write(&one.path, &spoiled).unwrap();
            let told = one.read().unwrap_err().to_string();
            assert!(
                told.contains("session-gate.localhost.json") && told.contains("`hallway sign-in`"),
                "{spoiled}: {told}"
            );
        }
        fs::write(&one.path, whole).unwrap();
        assert!(one.read().unwrap().is_some());
    }
}
