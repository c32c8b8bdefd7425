//! Evidence taken apart for a reader: which of its bytes mean what. What is WebAuthn's in it,
//! `hallway_webauthn::explain` takes apart.
//!
//! These functions explain and never decide: whether evidence holds is said by [`crate::verify`]
//! alone. They show what they can of bytes that are broken, because those are the ones that somebody
//! wants to look at.

mod bundle;
mod cbor;
mod statement;

pub(crate) use bundle::bundle;
pub use statement::statement;
