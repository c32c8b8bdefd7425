//! Who is signed in, and the token that says so.

use hallway_evidence::{Line, PersonId};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A person of the realm, as a key proved: its user handle is the id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Who {
    /// The id.
    pub(crate) id: PersonId,
    /// The name.
    pub(crate) name: Line,
}

/// A session with a gateway.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Whose it is.
    pub(crate) who: Who,
    /// The bearer token.
    pub(crate) token: Zeroizing<String>,
}
