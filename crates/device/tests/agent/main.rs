//! The agent with a provisioned key, against a gateway that fails in every way it may.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, missing_docs, reason = "a test has no interface")]

mod clock;
mod enrolment;
mod gateway;
mod hostile_folder;
mod order;
mod stage;
mod standing;
mod trouble;
