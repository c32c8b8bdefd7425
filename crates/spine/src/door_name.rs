//! The name of a door.

use std::fmt;

/// The name of a door: in policies, among refusals and in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DoorName(&'static str);

impl DoorName {
    /// The door at which people sign in. What is refused before it is known where a request was
    /// going is listed under it, too.
    pub const WEB: Self = Self("web");

    /// A door's name: one word in lower case.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for DoorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
