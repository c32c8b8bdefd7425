//! Bounds of kinds of routes that several doors have.

use std::time::Duration;

use super::{AtOnce, Bounds, Gives};

/// For what strangers may ask and what costs signatures, certificates or units of the database.
pub const STRANGERS: Bounds = Bounds {
    at_once: AtOnce {
        total: 64,
        each: 16,
    },
    ..Bounds::JSON
};

/// For what looks now for what is looked for now and then anyway.
pub const LOOK_NOW: Bounds = Bounds {
    body: Bounds::JSON.body,
    answer: Gives::Whole {
        within: Duration::from_secs(240),
    },
    at_once: AtOnce { total: 16, each: 4 },
    because: Some("it waits for servers elsewhere, as long as it waits for each"),
};

/// For what reads a whole payload.
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

/// Server-sent events.
pub const EVENTS: Bounds = Bounds {
    answer: Gives::Streamed {
        lasts: Some(Duration::from_secs(3600)),
    },
    at_once: AtOnce {
        total: 512,
        each: 16,
    },
    because: Some("events are followed; a browser asks again when they end"),
    ..Bounds::READ
};

/// What is read from a store while it is sent.
pub const DOWNLOAD: Bounds = Bounds {
    answer: Gives::Streamed { lasts: None },
    at_once: AtOnce {
        total: 256,
        each: 32,
    },
    because: Some("files are sent as they are read; who takes nothing for a minute is put out"),
    ..Bounds::READ
};
