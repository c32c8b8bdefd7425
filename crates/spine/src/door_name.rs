//! The name of a door.

use std::fmt;

/// The name of a door: in policies, among refusals and in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DoorName(&'static str);

/// A policy is for a door that there is not, or through which no people come. Says which doors people come
/// through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("people come through these doors: {0}")]
pub struct NoDoorOfPeople(String);

impl DoorName {
    /// The door at which people sign in. What is refused before it is known where a request was
    /// going is listed under it, too.
    pub const WEB: Self = Self("web");

    /// A door's name: one word in lower case.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// Checks that `name`, which a policy is for, is one of `doors`, those through which people come.
    ///
    /// # Errors
    /// [`NoDoorOfPeople`].
    pub fn check_policy(name: &str, doors: &[Self]) -> Result<(), NoDoorOfPeople> {
        let mut names = doors.iter().map(|door| door.as_str());
        if names.any(|door| door == name) {
            return Ok(());
        }
        let names: Vec<_> = doors.iter().map(|door| door.as_str()).collect();
        Err(NoDoorOfPeople(names.join(", ")))
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
