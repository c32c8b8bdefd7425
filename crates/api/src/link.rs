//! One-time links: an address, and after the `#` a secret that is sent in the body of a request.

use hallway_evidence::statement::people::Role;
use hallway_evidence::words;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

words! {
    /// What a link is good for.
    Purpose {
        /// The first owner registers the first key.
        Setup = "setup",
        /// A new person joins and registers a key.
        Invitation = "invitation",
        /// A person who lost their keys registers a new one.
        Recovery = "recovery",
        /// A person registers a further key.
        Additional = "additional",
        /// A person signs in without a key, once: the tour's owner, whose key is a file.
        SignIn = "sign-in",
    }
}

/// The secret of a link.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// What follows the `#` in the link.
    #[schemars(with = "String")]
    pub token: Zeroizing<String>,
}

/// A link that can still be used.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// setup, invitation, recovery, additional or sign-in.
    #[schemars(with = "String")]
    pub purpose: Purpose,
    /// For whom; empty for a set-up link.
    pub name: String,
    /// The role that comes with it.
    #[schemars(with = "Option<String>")]
    pub role: Option<Role>,
    /// The realm.
    pub realm: String,
    /// When it expires, milliseconds since 1970.
    pub expires_ms: u64,
}
