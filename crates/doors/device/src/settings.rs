//! `[device]` of `hallway.toml`.

use std::time::Duration;

use hallway_spine::settings::Bounded;
use serde::{Deserialize, Serialize};

/// The settings of the device door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceSettings {
    /// The most bytes of a payload.
    pub payload_bytes: Bounded<1, { 1 << 30 }>,
    /// How many minutes the clock of a device may differ from the gateway's.
    pub clock_skew_minutes: Bounded<1, 1440>,
    /// The number of days after which a transaction that was signed offline is too old.
    pub queued_days: Bounded<0, 3650>,
}

impl Default for DeviceSettings {
    fn default() -> Self {
        Self {
            payload_bytes: Bounded::nearest(64 << 20),
            clock_skew_minutes: Bounded::nearest(5),
            queued_days: Bounded::nearest(30),
        }
    }
}

impl DeviceSettings {
    /// How far the clock of a device may differ from the gateway's.
    #[must_use]
    pub const fn clock_skew(&self) -> Duration {
        self.clock_skew_minutes.minutes()
    }
}
