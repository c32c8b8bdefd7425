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

/// Bounds on the cost of all callers together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// How many connections may be open at once.
    pub connections: Connections,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: Bounded::nearest(10_000),
        }
    }
}
