//! Bounds for kinds of routes that several doors have.

use std::time::Duration;

use super::{AtOnce, Bounds, Gives};

/// For routes that are open to strangers, and cost signatures, certificates or units of work.
pub const STRANGERS: Bounds = Bounds {
    at_once: AtOnce {
        total: 64,
        each: 16,
    },
    ..Bounds::JSON
};

/// For routes by which an operator makes the gateway ask other servers now, instead of waiting for
/// its next turn.
pub const LOOK_NOW: Bounds = Bounds {
    body: Bounds::JSON.body,
    answer: Gives::Whole {
        within: Duration::from_secs(240),
    },
    at_once: AtOnce { total: 16, each: 4 },
    because: Some("it waits for other servers"),
};

/// For routes that read a whole payload.
pub const PICTURES: Bounds = Bounds {
    answer: Gives::Whole {
        within: Duration::from_secs(60),
    },
    at_once: AtOnce {
        total: 256,
        each: 64,
    },
    because: Some("whole payloads are read one after the other"),
    ..Bounds::READ
};

/// For streams of server-sent events.
pub const EVENTS: Bounds = Bounds {
    answer: Gives::Streamed {
        lasts: Some(Duration::from_secs(3600)),
    },
    at_once: AtOnce {
        total: 512,
        each: 16,
    },
    because: Some("a browser follows the events, and asks again when the stream ends"),
    ..Bounds::READ
};

/// For files that are read from a store while they are sent.
pub const DOWNLOAD: Bounds = Bounds {
    answer: Gives::Streamed { lasts: None },
    at_once: AtOnce {
        total: 256,
        each: 32,
    },
    because: Some("files are sent as they are read; a reader that stops for a minute is cut off"),
    ..Bounds::READ
};
