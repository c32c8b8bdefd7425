//! Bounds on the cost of one route: bytes, time and count.
//!
//! Each route states its bounds in its declaration. The layer here keeps them for all routes, on
//! both listeners, so no handler can forget a bound. The status of a refusal names the bound: 413
//! for a body that is too long, 408 for one that comes too slowly, 429 for a source that holds all
//! its places, 503 when all places of the route are taken or the answer is not ready in time. 429
//! and 503 say when to try again.

mod body;
mod kept;
pub mod kinds;
mod wrapped;

use std::fmt;
use std::time::Duration;

pub use body::Broken;
pub use kept::Kept;
pub(crate) use wrapped::{Polled, Wrap, wrapped};

/// The most bytes of a JSON body.
pub const JSON: usize = 64 * 1024;
/// How long a body may take that is read before the handler runs.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// The bounds of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The body that the route takes.
    pub body: Takes,
    /// The answer that the route gives.
    pub answer: Gives,
    /// How many requests are served at a time.
    pub at_once: AtOnce,
    /// Why the bounds are wider than usual; completes "because …" in the API's description.
    pub because: Option<&'static str>,
}

/// The body that a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// No body.
    Nothing,
    /// A body that is read before the handler runs.
    Whole {
        /// The most bytes.
        bytes: usize,
        /// How long the body may take to arrive.
        within: Duration,
    },
    /// A body that the handler reads as it arrives, half a kilobyte each second at least.
    Streamed {
        /// The most bytes.
        most: Most,
    },
}

/// The most bytes of a streamed body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Most {
    /// This number of bytes.
    Bytes(u64),
    /// As many bytes as the configuration allows for a payload.
    Payload,
}

/// The answer that a route gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// An answer that is whole before it is sent. Then its place is free again: `pace` bounds the
    /// unread part of it.
    Whole {
        /// How long making the answer may take, after the body has arrived.
        within: Duration,
    },
    /// An answer that is made while it is read. It holds its place until its end.
    Streamed {
        /// The time after which the answer is cut off; a reader that is too slow ends it earlier.
        lasts: Option<Duration>,
    },
}

/// Marks an answer, in its extensions, that is whole in memory ([`Gives::Whole`]).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Made;

/// The most requests of a route that are served at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtOnce {
    /// Requests of all sources together.
    pub total: usize,
    /// Requests of one [`Source`](crate::source::Source).
    pub each: usize,
}

impl Bounds {
    /// For routes that only read.
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

    /// For routes that change something, with a body of at most 1 kB.
    pub const CHANGE: Self = Self {
        body: Takes::Whole {
            bytes: 1024,
            within: BODY_TIMEOUT,
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

    /// As [`Bounds::CHANGE`], for routes that take JSON.
    pub const JSON: Self = Self {
        body: Takes::Whole {
            bytes: JSON,
            within: BODY_TIMEOUT,
        },
        ..Self::CHANGE
    };

    /// For routes that cost more than a query, such as verifying a chain of signatures.
    pub const COSTLY: Self = Self {
        at_once: AtOnce { total: 32, each: 8 },
        ..Self::JSON
    };

    /// Whether no bound here is wider than in `other`.
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
    /// Writes sentences for the API's description.
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
            Gives::Streamed { lasts: None } => f.write_str(" A streamed answer.")?,
        }
        let AtOnce { total, each } = self.at_once;
        write!(f, " At most {total} at a time, {each} of one caller.")?;
        match self.because {
            Some(because) => write!(f, " Wider than usual, because {because}."),
            None => Ok(()),
        }
    }
}
