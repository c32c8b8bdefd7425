//! Who is signed in, and the token that says so.

use hallway_evidence::{Line, PersonId};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A person of the realm, as a key proved: its user handle is the id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Who {
    pub(crate) id: PersonId,
    pub(crate) name: Line,
}

impl From<hallway_api::session::Person> for Who {
    fn from(person: hallway_api::session::Person) -> Self {
        Self {
            id: person.id,
            name: person.name,
        }
    }
}

/// A session with a gateway.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) who: Who,
    /// The bearer token.
    pub(crate) token: Zeroizing<String>,
}

/// The length of a token: 32 bytes in base64url without padding.
const TOKEN_LETTERS: usize = 43;

impl Session {
    /// Whether its token has the form of those that gateways give.
    pub(super) fn has_a_token(&self) -> bool {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        self.token.len() == TOKEN_LETTERS && self.token.bytes().all(is_letter)
    }
}
