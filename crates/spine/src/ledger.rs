//! The log of the gateway: evidence is appended, receipts are made.
//!
//! [`Ledger::append`] adds evidence to the log in the same unit that makes the change which the
//! evidence justifies, so a receipt exists exactly when the change does. `ingest.rs` of the device
//! door collects the transactions that wait, and commits them together, with one disk flush.

pub mod bundle;
pub mod cosigned;
mod error;
mod hashed;
pub(crate) mod receipts;
mod writer;

pub use error::LedgerError;
pub use hashed::HashedStatement;
pub use writer::{Entry, Ledger};
