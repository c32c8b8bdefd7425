//! The log, as the gateway writes it: evidence goes in, receipts come out.
//!
//! [`Ledger::append`] puts evidence into the log in the same unit that changes what the evidence
//! justifies, so a receipt exists exactly when the change does. For what devices send,
//! `doors/device/ingest.rs` collects what waits and keeps it in one transaction, one disk flush for all.

pub mod bundle;
pub mod cosigned;
mod error;
pub(crate) mod receipts;
mod writer;

pub use error::LedgerError;
pub use writer::{Entry, Ledger};
