//! `[web]` of `hallway.toml`.

use std::time::Duration;

use hallway_spine::settings::Bounded;
use serde::{Deserialize, Serialize};

/// The settings of the web door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebSettings {
    /// How many hours a session lasts from the touch on.
    pub session_hours: Bounded<1, 8760>,
}

impl Default for WebSettings {
    fn default() -> Self {
        Self {
            session_hours: Bounded::nearest(12),
        }
    }
}

impl WebSettings {
    /// How long a session lasts from the touch on.
    #[must_use]
    pub const fn session(&self) -> Duration {
        self.session_hours.hours()
    }
}
