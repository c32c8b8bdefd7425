//! `[tls]` and `[limits]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Bounded;

/// The server certificate, in PEM files that are read at start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain, leaf first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// How many connections a listener may have open at once.
pub type Connections = Bounded<1, 1_000_000>;

/// Bounds on what one request may cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of one payload that a device sends.
    pub payload_bytes: Bounded<1, { 1 << 30 }>,
    /// Connections open at once.
    pub connections: Connections,
    /// Minutes that a device's clock may differ from ours in a live transaction.
    pub clock_skew_minutes: Bounded<1, 1440>,
    /// Days after which a transaction signed offline is too old.
    pub queued_days: Bounded<0, 3650>,
    /// Hours that a session lasts.
    pub session_hours: Bounded<1, 8760>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload_bytes: Bounded::nearest(64 << 20),
            connections: Bounded::nearest(10_000),
            clock_skew_minutes: Bounded::nearest(5),
            queued_days: Bounded::nearest(30),
            session_hours: Bounded::nearest(12),
        }
    }
}
