//! The means by which a user was verified.

/// The PIN or a finger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum VerifiedBy {
    /// The PIN, typed on the platform: nobody can tell whether somebody was there.
    Pin,
    /// A finger on the key: somebody was there.
    Finger,
}
