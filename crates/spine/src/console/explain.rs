//! Bytes taken apart for a reader: each function takes one of the things that evidence is made of
//! and says, field by field, which bytes mean what.
//!
//! These functions explain and never decide: whether evidence holds is said by
//! `hallway_evidence::verify` alone. They show what they can of bytes that are broken, because
//! those are the ones that somebody wants to look at.

mod attestation;
mod authenticator_data;
mod bundle;
mod cbor;
mod certificate;
mod client_data;
mod signature;
mod statement;

pub use attestation::attestation;
pub use authenticator_data::authenticator_data;
pub use bundle::bundle;
pub use certificate::certificate;
pub use client_data::client_data;
pub use signature::signature;
pub use statement::statement;

use attestation::chain;

/// Where `inner`, a part of `outer`, begins in it; 0 if it is no part of it.
fn offset_in(outer: &[u8], inner: &[u8]) -> usize {
    (inner.as_ptr() as usize)
        .checked_sub(outer.as_ptr() as usize)
        .filter(|offset| *offset <= outer.len())
        .unwrap_or(0)
}
