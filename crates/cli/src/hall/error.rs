//! Why a command of the hall did not work.

use std::io;
use std::path::PathBuf;

use hallway_evidence::RealmName;
use hallway_evidence::statement::hall::{RightsError, TooManyNames};
use hallway_hall::client::ClientError;
use hallway_hall::files::{LONGEST_PATH_BYTES, ListError};
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
        /// The origin of the gateway where the agent joined.
        gateway: String,
        /// The realm of the certificate.
        realm: String,
    },
    /// A certificate that is not for the agent's key.
    #[error(
        "the gateway's certificate is not for the key of this agent, {agent} in {hall}; nothing \
         was kept"
    )]
    OtherAgent {
        /// The agent, as the gateway calls it.
        agent: AgentName,
        hall: HallName,
    },
    /// Rights that do not fit into one statement.
    #[error("the rights: {0}")]
    Rights(#[from] RightsError),
    /// Too many stores or services for one agent.
    #[error(transparent)]
    Names(#[from] TooManyNames),
    /// What the gateway gave is not what was signed.
    #[error(
        "the gateway gave something other than what you signed for: {what} should be {signed}, but \
         is {given}. It was not used"
    )]
    Given {
        /// The part that differs.
        what: &'static str,
        signed: String,
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
    Host { host: RealmName, error: ClientError },
    /// The ephemeral key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The trust bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The gateway's SPIFFE ID.
    #[error("the gateway's answer is not understood: {0}")]
    Identity(#[from] IdentityError),
    /// Text that is not a place.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The gateway says something that this program does not understand.
    #[error("the gateway's answer is not understood: {0}")]
    Answer(#[from] serde_json::Error),
    /// A certificate from the gateway is not an X.509-SVID.
    #[error("the gateway's certificate is not understood: {0}")]
    Svid(#[from] SvidError),
    /// The gateway's certificates are not base64url, or there is none.
    #[error("the gateway's answer is not understood: its certificates are not base64url")]
    Certificates,
    /// A file, a folder or a socket.
    #[error("{what}: {error}")]
    Io {
        /// The path or the name of it.
        what: String,
        error: io::Error,
    },
    /// The disk of this computer, or a limit of the system.
    #[error(
        "{}: {error}; what arrived is kept in a hidden file. Make room and run the same command \
         again: it goes on from here",
        .target.display()
    )]
    NoRoom {
        /// The file that was to be written.
        target: PathBuf,
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
        error: ListError,
    },
    /// Folders in folders without end.
    #[error(
        "{0}: the far side names a path there that is too long: a path in a store has at most \
         {LONGEST_PATH_BYTES} bytes"
    )]
    Deep(String),
    /// A file that was not asked for.
    #[error("{0}: the far side sends this file, which was not asked for; nothing more is taken")]
    Unasked(String),
    /// A file, a folder or a store that does not exist.
    #[error("{0} does not exist")]
    Missing(String),
    /// A folder where a file is wanted.
    #[error("{0} is a folder; `hallway mirror` copies folders")]
    IsFolder(String),
    /// A pipe, a device or a socket where a file is wanted.
    #[error("{0} is not a file: copy its content into one first")]
    NotAFile(String),
    /// A file that would be replaced.
    #[error("{0} exists already; --force replaces it")]
    Exists(String),
    /// A whole store.
    #[error("{0} is a whole store, which no command removes: name a file or a folder in it")]
    WholeStore(String),
    /// A folder with something in it.
    #[error("{0} is a folder; --recursive removes it with everything in it")]
    Recursive(String),
    /// Two sides of one kind.
    #[error("one side must be on this computer, and the other in a hall: HALL:STORE/path")]
    Sides,
    /// The file itself and the result as JSON, both on standard output.
    #[error("standard output takes the file itself, so --json has no place there: name a file")]
    FileAndJson,
    /// A folder for what comes from standard input.
    #[error(
        "{0} is a folder, and what comes from standard input has no name: write the whole path, \
         HALL:STORE/path"
    )]
    Nameless(String),
    /// The content that arrived differs from what was sent.
    #[error("{0}: what arrived is not what was sent (SHA-256 differs); nothing was kept")]
    Checksum(String),
    /// The file was written to meanwhile.
    #[error("{} changed while it was read; try again when nothing writes to it", .0.display())]
    Changed(PathBuf),
    /// Some files of many failed.
    #[error(
        "{0} of {1} files failed; the rest is done. Run the same command again: it goes on from \
         here"
    )]
    Some(u64, u64),
    /// A mirror that deletes would delete the copies of what was left out.
    #[error(
        "{0} is not a plain file or folder ({1} such in all); remove them, or mirror without \
         --delete"
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
        "{0}. The agent has joined, and its link is used up: solve the problem, then start it \
         again without --join"
    )]
    Joined(Box<HallCommandError>),
    /// Ctrl-C or SIGTERM.
    #[error("stopped")]
    Stopped,
    /// The same, while files were copied.
    #[error("stopped; run the same command again: it goes on from here")]
    Interrupted,
    /// The same, while the grant waited for its approval.
    #[error("stopped before anybody approved it; the request is withdrawn")]
    GivenUp,
    /// Another realm did not accept that its invitation was accepted.
    #[error("{realm} is no partner: {reason}")]
    Partner {
        realm: String,
        /// The gateway's words.
        reason: String,
    },
    /// A service that is bound twice or was not granted, or a hall that is open already.
    #[error("{0}")]
    Binding(String),
}

impl HallCommandError {
    /// The error of a command that copies files, and can go on where it was stopped.
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
