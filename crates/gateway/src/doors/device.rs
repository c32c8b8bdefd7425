//! The device door. Statement: these bytes, at this time, in this order. Grant: a receipt.

pub mod announce;
pub mod challenge;
pub mod code;
pub mod identity;
pub mod lifecycle;
pub mod payload;
pub mod send;
pub mod status;
mod times;
pub mod transactions;
pub mod unattended;
