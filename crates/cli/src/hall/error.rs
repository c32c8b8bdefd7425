//! Why a command of the hall did not work.

use std::io;
use std::path::PathBuf;

use hallway_evidence::RealmName;
use hallway_evidence::statement::hall::{RightsError, TooManyNames};
use hallway_hall::client::ClientError;
use hallway_hall::files::{LONGEST_PATH, ListError};
use hallway_hall::{AgentName, BundleError, HallName, IdentityError, KeyError, SvidError};

use super::path::PlaceError;
use crate::person::PersonError;

/// Why a command of the hall did not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HallCommandError {
    /// A gateway that takes an agent into a realm that is not its own.
    #[error(
        "the gateway at {gateway} speaks for {realm}, which is not its domain; nothing was kept"
    )]
    OtherRealm {
        /// Where the agent joined.
        gateway: String,
        /// Of which realm the certificate is.
        realm: String,
    },
    /// A certificate that is not for the agent's key.
    #[error(
        "the gateway's certificate is not one for the key of this agent, {agent} in {hall}; nothing \
         was kept"
    )]
    OtherAgent {
        /// The agent, as the gateway calls it.
        agent: AgentName,
        /// Its hall.
        hall: HallName,
    },
    /// Rights that can't stand in one statement.
    #[error("the rights: {0}")]
    Rights(#[from] RightsError),
    /// Too many stores or services for one agent.
    #[error(transparent)]
    Names(#[from] TooManyNames),
    /// What the gateway gave is not what was signed.
    #[error(
        "the gateway gave something else than you signed for: {what} should be {signed}, and is \
         {given}. It was not used"
    )]
    Given {
        /// Which part of it.
        what: &'static str,
        /// As it was signed.
        signed: String,
        /// As it was given.
        given: String,
    },
    /// The person, their key, or the gateway's API.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// The data plane.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A partner's gateway, after one's own agreed.
    #[error("{host} does not let you in: {error}")]
    Host {
        /// Which realm.
        host: RealmName,
        /// What it says.
        error: ClientError,
    },
    /// The ephemeral key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The trust bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The gateway's SPIFFE ID.
    #[error("the gateway's answer is not understood: {0}")]
    Identity(#[from] IdentityError),
    /// Not a place.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The gateway says something that this program does not understand.
    #[error("the gateway's answer is not understood: {0}")]
    Answer(#[from] serde_json::Error),
    /// A certificate that it gave is no X.509-SVID.
    #[error("the gateway's certificate is not understood: {0}")]
    Svid(#[from] SvidError),
    /// The certificates that it gave are none.
    #[error("the gateway's answer is not understood: its certificates are no base64url")]
    Certificates,
    /// A file, a folder or a socket.
    #[error("{what}: {error}")]
    Io {
        /// Which.
        what: String,
        /// What happened.
        error: io::Error,
    },
    /// The disk of this computer, or a limit of the system.
    #[error(
        "{}: {error}; what came is kept out of sight, and the same command goes on from here when there is room",
        .target.display()
    )]
    NoRoom {
        /// The file that was to be written.
        target: PathBuf,
        /// What happened.
        error: io::Error,
    },
    /// An entry of a listing can't be a file here.
    #[error("{0}: the far side names something that can't be a file here")]
    Name(String),
    /// A list that the far side makes up, or that has no end.
    #[error("{folder}: what the far side lists there cannot be used: {error}")]
    List {
        /// The store, and the folder in it.
        folder: String,
        /// What is wrong with it.
        error: ListError,
    },
    /// Folders in folders without end.
    #[error(
        "{0}: the far side names something there that lies too deep: a path in a store has at most \
         {LONGEST_PATH} bytes"
    )]
    Deep(String),
    /// Something else than was asked for.
    #[error("{0}: the far side sends this file, which was not asked for; nothing more is taken")]
    Unasked(String),
    /// Not there.
    #[error("{0} is not there")]
    Missing(String),
    /// A folder where a file is wanted.
    #[error("{0} is a folder; `hallway mirror` copies folders")]
    IsFolder(String),
    /// Something is there already.
    #[error("{0} is there already; --force replaces it")]
    Exists(String),
    /// A whole store, or a folder with something in it.
    #[error("{0} is a folder; --recursive removes it with all that is in it")]
    Recursive(String),
    /// Two sides of one kind.
    #[error("one side is on this computer and the other in a hall: HALL:STORE/path")]
    Sides,
    /// Standard input or output in place of a file.
    #[error(
        "\"-\" is no file: get and put copy whole files, and go on where they were interrupted. Name a \
         file; ./- is one of that name"
    )]
    Stream,
    /// The content that arrived is another.
    #[error("{0}: what arrived is not what was sent (SHA-256 differs); nothing was kept")]
    Checksum(String),
    /// The file was written to meanwhile.
    #[error("{} changed while it was read; try again when it is at rest", .0.display())]
    Changed(PathBuf),
    /// Some files of many.
    #[error("{0} of {1} files failed; the rest is done, and the same command goes on from here")]
    Some(u64, u64),
    /// A mirror that deletes would delete the copies of what was left out.
    #[error(
        "{0} is no plain file or folder ({1} such); take them away, or mirror without --delete"
    )]
    Skipped(String, usize),
    /// An agent's configuration or identity.
    #[error("{}: {reason}", .path.display())]
    Agent {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An agent that joined, and could not stay.
    #[error(
        "{0}. The agent has joined, and its link is used up: mend what is wrong, then start it again \
         without --join"
    )]
    Joined(Box<HallCommandError>),
    /// Ctrl-C or SIGTERM.
    #[error("stopped")]
    Stopped,
    /// The same, while files were copied.
    #[error("stopped; the same command goes on from here")]
    Interrupted,
    /// The same, while the grant waited for its approval.
    #[error("stopped while nobody had approved it yet; what was asked for is withdrawn")]
    GivenUp,
    /// Another realm did not take an acceptance.
    #[error("{realm} is no partner: {reason}")]
    Partner {
        /// Which realm.
        realm: String,
        /// What the gateway says.
        reason: String,
    },
    /// A service that is bound twice or has no place.
    #[error("{0}")]
    Binding(String),
}

impl HallCommandError {
    /// The error of a command that copies files, and goes on where it was stopped.
    pub(crate) fn of_copying(self) -> Self {
        match self {
            Self::Stopped => Self::Interrupted,
            other => other,
        }
    }

    /// Names what an I/O error happened to.
    pub(crate) fn io(what: impl ToString) -> impl FnOnce(io::Error) -> Self {
        let what = what.to_string();
        move |error| Self::Io { what, error }
    }

    /// Whether trying again may help.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Client(error) if error.is_passing())
    }
}
