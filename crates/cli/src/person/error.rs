//! Why a person did not get what they asked a gateway for.

use std::io;
use std::path::PathBuf;

use hallway_client::{ClientError, ConnectionError, HidKey};
use hallway_softkey::KeyFileError;
use reqwest::StatusCode;

use super::KeyChoice;
use crate::key::KeyCommandError;

/// Why the gateway was not asked, or did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PersonError {
    /// The network.
    #[error("the gateway does not answer: {0}")]
    Network(#[from] reqwest::Error),
    /// The key said no.
    #[error("the security key: {0}")]
    Key(#[from] ClientError),
    /// The key's file.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// What opens the key's file, or its PIN.
    #[error(transparent)]
    Secret(#[from] KeyCommandError),
    /// The key can't be reached.
    #[error("the security key {key} can't be reached: {error}")]
    Unreachable {
        /// Which.
        key: KeyChoice,
        /// Why.
        error: ConnectionError,
    },
    /// No key is plugged in.
    #[error("no security key is plugged in; plug one in, or name another with --key")]
    NoKey,
    /// Several are.
    #[error("several security keys are plugged in; name one with --key: {}", listed(.0))]
    ManyKeys(Vec<HidKey>),
    /// Nobody said which gateway.
    #[error("which gateway? Give --gateway, HALLWAY_GATEWAY, or gateway = \"…\" in {}", .0.display())]
    NoGateway(PathBuf),
    /// The configuration has no such account.
    #[error("there is no account {name:?} in hallway.toml; there is: {}", .known.join(", "))]
    NoAccount {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Not an address of a gateway.
    #[error("{0:?} is no gateway's address; it should look like https://gate.example")]
    GatewayAddress(String),
    /// The link has no token.
    #[error("this is no one-time link: the part behind # is missing")]
    NotALink,
    /// No link that is open has this id.
    #[error("there is no open link {0:?} that you may withdraw; \"hallway link list\" shows them")]
    NoSuchLink(String),
    /// Several do.
    #[error("several links begin with {0:?}; give more of the id")]
    ManyLinks(String),
    /// The person's configuration.
    #[error("{}: {error}", .path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: Box<toml::de::Error>,
    },
    /// A file.
    #[error("{}: {error}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What happened.
        error: io::Error,
    },
    /// The folders of this person, or the list of keys.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The gateway refused.
    #[error("the gateway refuses ({code}): {detail}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// Its code.
        code: String,
        /// Its words.
        detail: String,
    },
    /// The gateway says something that this program does not understand.
    #[error("the gateway's answer is not understood: {0}")]
    Answer(#[from] serde_json::Error),
}

fn listed(keys: &[HidKey]) -> String {
    let one = |key: &HidKey| format!("usb:{} ({})", key.path.display(), key.name);
    keys.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl PersonError {
    /// Whether there is no session, or not any more.
    pub(crate) fn is_signed_out(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::UNAUTHORIZED)
    }
}
