//! FIDO on the wire: the messages between authenticators, platforms and relying parties.
//!
//! Everything here is parsing and printing; nothing is decided. Parsed values borrow from their
//! input, and printed values are in the CTAP2 canonical CBOR form (CTAP 2.3, section 8).
//!
//! ```
//! use hallway_ctap::authenticator_data::{AuthenticatorData, Flags};
//!
//! let mut bytes = [0u8; 37];
//! bytes[32] = (Flags::USER_PRESENT | Flags::USER_VERIFIED).bits();
//! bytes[36] = 7;
//! let data = AuthenticatorData::parse(&bytes)?;
//! assert!(data.flags.contains(Flags::USER_VERIFIED));
//! assert_eq!(data.sign_count, 7);
//! # Ok::<(), hallway_ctap::authenticator_data::AuthenticatorDataError>(())
//! ```
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod aaguid;
pub mod apdu;
pub mod authenticator_data;
pub mod cbor;
pub mod command;
pub mod cose;
pub mod ctaphid;
pub mod status;
pub mod u2f;
