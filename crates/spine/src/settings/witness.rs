//! `[[witnesses]]` and `[[witnessed]]`: the witnesses of the realm's log, and the logs to which the
//! realm is witness, besides those of partners, which need no configuration.

use hallway_client::SecureUrl;
use hallway_evidence::log::{CosignerKey, VerifierKey};
use serde::{Deserialize, Serialize};

/// A witness that is asked to cosign the realm's log: any that speaks c2sp.org/tlog-witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessAddress {
    /// Its key, `name+id+base64`.
    pub key: CosignerKey,
    /// Its submission prefix: `https://`, or `http://` on this machine.
    pub url: SecureUrl,
}

/// A log to which this realm is witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchedLog {
    /// Its key, `name+id+base64`; the name is its origin.
    pub key: VerifierKey,
}
