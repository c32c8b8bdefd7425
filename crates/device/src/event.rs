//! What the agent tells whoever runs it.

use std::fmt;
use std::path::PathBuf;

use hallway_evidence::Printable;
use hallway_evidence::statement::device::Delivery;
use serde::Serialize;

use crate::protocol::State;

/// Something that happened. Prints as a line for people; JSON for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The gateway cannot be reached; signing goes on.
    Offline {
        /// Why.
        why: String,
    },
    /// The gateway answers again.
    Online,
    /// An owner has to type this code.
    Code {
        /// The code.
        code: String,
        /// Where it is typed.
        console: String,
        /// Until when.
        expires_ms: u64,
    },
    /// The device is registered and sends.
    Registered {
        /// Its serial number.
        serial: String,
        /// Its owner's name.
        owner: Option<String>,
    },
    /// The gateway takes nothing from the device now.
    Barred {
        /// How the device stands.
        state: State,
    },
    /// A file was signed and is on disk with its signature.
    Signed {
        /// Its name.
        file: String,
        /// Its sequence number.
        sequence: u64,
        /// Whether it goes at once or waits.
        delivery: Delivery,
    },
    /// A file's receipt is in hand and holds; the local file is gone.
    Accepted {
        /// Its name.
        file: String,
        /// Its sequence number.
        sequence: u64,
        /// Its index in the log.
        log_index: u64,
        /// Where its signed copy is, if copies are kept.
        kept: Option<PathBuf>,
    },
    /// A file is not sent.
    Refused {
        /// Its name.
        file: String,
        /// Why.
        why: String,
        /// Where it was moved, with the reason beside it. Nowhere where that was not possible yet: it
        /// stays where it is and is not sent, and this is told again once it was moved.
        set_aside: Option<PathBuf>,
    },
    /// Something is wrong that needs a look; the agent tries again.
    Trouble {
        /// What.
        what: String,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline { why } => write!(f, "offline, signing goes on: {}", Printable(why)),
            Self::Online => f.write_str("online"),
            Self::Code { code, console, .. } => {
                write!(
                    f,
                    "to take this device, type {} at {}",
                    Printable(code),
                    Printable(console)
                )
            }
            Self::Registered { serial, owner } => {
                write!(f, "registered: {}", Printable(serial))?;
                owner
                    .as_ref()
                    .map_or(Ok(()), |owner| write!(f, ", owned by {}", Printable(owner)))
            }
            Self::Barred { state } => f.write_str(match state {
                State::Suspended => "suspended by its owner; signing goes on, sending waits",
                State::Stolen => "reported stolen; nothing is signed until its owner takes it back",
                State::Retired => "retired for good; nothing is signed any more",
                State::Released => "released by its owner; it enrols again",
                _ => "not registered with the gateway any more; it enrols again",
            }),
            Self::Signed {
                file,
                sequence,
                delivery,
            } => write!(
                f,
                "signed {} as number {sequence} ({delivery})",
                Printable(file)
            ),
            Self::Accepted {
                file, log_index, ..
            } => write!(
                f,
                "accepted {}, entry {log_index} of the log",
                Printable(file)
            ),
            Self::Refused {
                file,
                why,
                set_aside,
            } => {
                write!(f, "{} is not sent: {}", Printable(file), Printable(why))?;
                match set_aside {
                    Some(place) => write!(
                        f,
                        "; it is set aside as {}",
                        Printable(&place.to_string_lossy())
                    ),
                    None => f.write_str("; it stays in the folder until it can be set aside"),
                }
            }
            Self::Trouble { what } => write!(f, "trouble: {}", Printable(what)),
        }
    }
}
