//! What the agent tells the person or program that runs it.

use std::fmt;
use std::path::PathBuf;

use hallway_api::device::State;
use hallway_evidence::Printable;
use hallway_evidence::statement::device::Delivery;
use serde::Serialize;

/// Something that happened. It prints as a line for people, and serialises as JSON for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The gateway cannot be reached; signing continues.
    Offline {
        /// The error, for people.
        why: String,
    },
    /// The gateway answers again.
    Online,
    /// An owner has to type this code.
    Code {
        /// Such as `BCDF-GHJK`.
        code: String,
        /// The URL of the page where the owner types the code.
        console: String,
        /// When the code expires, in milliseconds since 1970.
        expires_ms: u64,
    },
    /// The device is registered and sends.
    Registered {
        /// Its serial number.
        serial: String,
        /// Its owner's name.
        owner: Option<String>,
    },
    /// The gateway accepts nothing from the device now.
    Barred {
        /// Why: the state of the device.
        state: State,
    },
    /// A file was signed and is on disk with its signature.
    Signed {
        /// Its name.
        file: String,
        /// Its sequence number.
        sequence: u64,
        /// Whether it is sent at once or waits in the queue.
        delivery: Delivery,
    },
    /// A file's receipt has arrived and is valid; the local file is removed.
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
        /// The reason, for people.
        why: String,
        /// Where the file was moved, with the reason beside it. `None` while it cannot be moved: it
        /// stays where it is and is not sent, and the event is repeated once it was moved.
        set_aside: Option<PathBuf>,
    },
    /// Something is wrong that needs attention; the agent tries again.
    Trouble {
        /// The problem, for people.
        what: String,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline { why } => write!(f, "offline, signing continues: {}", Printable(why)),
            Self::Online => f.write_str("online"),
            Self::Code { code, console, .. } => {
                write!(
                    f,
                    "to claim this device, type {} at {}",
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
                State::Suspended => "suspended by its owner; signing continues, sending waits",
                State::Stolen => {
                    "reported stolen; nothing is signed until its owner withdraws the report"
                }
                State::Retired => "retired for good; nothing is signed any more",
                State::Released => "released by its owner; it enrols again",
                _ => "no longer registered with the gateway; it enrols again",
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
