//! Partners: joining another realm, sharing halls with it, and leaving it.
//!
//! [`acts`](mod@acts) are what owners sign, [`join`] is how the other side's gateway says that its owner
//! accepted, [`look`] lists partners, and [`gateways`] is what their gateways ask over mutual TLS.

pub mod acts;
pub mod gateways;
pub mod join;
pub mod look;

pub use acts::acts;
