//! What one route may cost: bytes, time and count.
//!
//! Each route states its bounds in its declaration; the layer here keeps them for all of them, on
//! both listeners, so no handler can forget one. Whoever asks for too much hears which bound it was:
//! 413 for a body that is too long, 408 for one that comes too slowly, 429 for a source that holds
//! all its places, 503 when all places of the route are taken or the answer is not ready in time.
//! 429 and 503 say when to try again.

mod body;
mod kept;
pub mod kinds;
mod wrapped;

use std::fmt;
use std::time::Duration;

pub use body::Broken;
pub use kept::Kept;
pub(crate) use wrapped::{Polled, Wrap, wrapped};

/// Bytes of JSON.
pub const JSON: usize = 64 * 1024;
/// How long a body may take that is read as a whole.
const PATIENCE: Duration = Duration::from_secs(15);
/// The bounds of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The body that it takes.
    pub body: Takes,
    /// The answer that it gives.
    pub answer: Gives,
    /// How many requests at a time.
    pub at_once: AtOnce,
    /// Why they are wider than what routes of this kind have otherwise.
    pub because: Option<&'static str>,
}

/// What body a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// None.
    Nothing,
    /// One that is read before the handler runs.
    Whole {
        /// How long it may be.
        bytes: usize,
        /// How long it may take.
        within: Duration,
    },
    /// One that the handler reads as it comes: half a kilobyte each second at least.
    Streamed {
        /// How long it may be.
        most: Most,
    },
}

/// How long a stream may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Most {
    /// So many bytes.
    Bytes(u64),
    /// What `[limits] payload_bytes` of the configuration says.
    Payload,
}

/// What answer a route gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// One that is made whole. Its place is free again once it is made: what of it is not read is
    /// bounded by `pace`.
    Whole {
        /// How long making it may take, once the body has come.
        within: Duration,
    },
    /// One that is made while it is read. Its place is free again at its end.
    Streamed {
        /// When it ends, whatever was still to come; a reader that is too slow ends it before.
        lasts: Option<Duration>,
    },
}

/// In an answer's extensions: all of it is in memory, as [`Gives::Whole`] says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Made;

/// How many requests of a route are served at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtOnce {
    /// Of all sources.
    pub total: usize,
    /// Of one [`Source`](crate::source::Source).
    pub each: usize,
}

impl Bounds {
    /// For what only tells something.
    pub const READ: Self = Self {
        body: Takes::Nothing,
        answer: Gives::Whole {
            within: Duration::from_secs(30),
        },
        at_once: AtOnce {
            total: 512,
            each: 64,
        },
        because: None,
    };

    /// For what changes something, and takes next to nothing.
    pub const CHANGE: Self = Self {
        body: Takes::Whole {
            bytes: 1024,
            within: PATIENCE,
        },
        answer: Gives::Whole {
            within: Duration::from_secs(60),
        },
        at_once: AtOnce {
            total: 256,
            each: 32,
        },
        because: None,
    };

    /// The same for what takes JSON.
    pub const JSON: Self = Self {
        body: Takes::Whole {
            bytes: JSON,
            within: PATIENCE,
        },
        ..Self::CHANGE
    };

    /// For what costs more than a look at the database, such as a chain of signatures.
    pub const COSTLY: Self = Self {
        at_once: AtOnce { total: 32, each: 8 },
        ..Self::JSON
    };

    /// Whether nothing here is wider than in `other`.
    #[must_use]
    pub fn fit(&self, other: &Self) -> bool {
        let body = match (self.body, other.body) {
            (Takes::Nothing, _) => true,
            (
                Takes::Whole { bytes, within },
                Takes::Whole {
                    bytes: most,
                    within: longest,
                },
            ) => bytes <= most && within <= longest,
            _ => false,
        };
        let answer = match (self.answer, other.answer) {
            (Gives::Whole { within }, Gives::Whole { within: longest }) => within <= longest,
            _ => false,
        };
        let (these, those) = (self.at_once, other.at_once);
        body && answer && these.total <= those.total && these.each <= those.each
    }
}

impl fmt::Display for Bounds {
    /// As the description of the API has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.body {
            Takes::Nothing => f.write_str("No body.")?,
            Takes::Whole { bytes, within } => write!(
                f,
                "A body of at most {bytes} bytes, within {} s.",
                within.as_secs()
            )?,
            Takes::Streamed { most } => {
                match most {
                    Most::Bytes(bytes) => write!(f, "A body of at most {bytes} bytes")?,
                    Most::Payload => {
                        f.write_str("A body as long as the gateway is configured for")?
                    }
                }
                f.write_str(", half a kilobyte each second at least.")?;
            }
        }
        match self.answer {
            Gives::Whole { within } => write!(f, " An answer within {} s.", within.as_secs())?,
            Gives::Streamed { lasts: Some(lasts) } => {
                write!(f, " An answer that ends after {} s.", lasts.as_secs())?;
            }
            Gives::Streamed { lasts: None } => f.write_str(" An answer as it is read.")?,
        }
        let AtOnce { total, each } = self.at_once;
        write!(f, " At most {total} at a time, {each} of one caller.")?;
        match self.because {
            Some(because) => write!(f, " Wider than usual, because {because}."),
            None => Ok(()),
        }
    }
}
