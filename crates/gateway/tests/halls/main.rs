//! The hall door, from the touch to the last byte: what opens, what is refused, what is cut.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod agents;
mod away;
mod browser;
mod cutting;
mod key;
mod listener;
mod locks;
mod needs;
mod opening;
mod partners;
mod realm;
mod revocation;
mod rotation;
mod rules;
mod visiting;
