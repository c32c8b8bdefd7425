//! The platform's side of FIDO: talk to a security key, ask for its PIN, run a ceremony.
//!
//! A [`Client`] speaks CTAP2 over any [`Connection`]: a software key in the same process, or one
//! behind reports of 64 bytes ([`ReportConnection`] over USB, UDP or a Unix socket). It writes the
//! client data and hands back exactly what a relying party verifies.
//!
//! ```no_run
//! use hallway_client::{
//!     Client, GetAssertion, NoPin, Presence, ReportConnection, UserVerification,
//! };
//!
//! let connection = ReportConnection::udp("127.0.0.1:8111".parse()?)?;
//! let mut client = Client::new(connection, "https://gate.example");
//! let asserted = client.get_assertion(
//!     &GetAssertion {
//!         rp_id: "gate.example",
//!         challenge: &[7; 32],
//!         allow: &[],
//!         user_verification: UserVerification::Discouraged,
//!         presence: Presence::Required,
//!     },
//!     &mut NoPin,
//! )?;
//! println!("signed with {} bytes", asserted.signature.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
pub mod backoff;
mod client;
mod client_data;
mod config;
mod connection;
pub mod durable_file;
mod error;
mod fingerprints;
mod get_assertion;
mod hidraw;
mod hmac_secret;
mod make_credential;
mod passkeys;
mod pin;
mod pin_protocol;
mod report_connection;
mod verification;

pub use address::{
    AddressError, AddressProblem, GatewayAddress, SecureUrl, relying_party_id, without_user,
};
pub use client::{Client, UserVerification};
pub use client_data::{Ceremony, client_data_json};
pub use connection::{Connection, ConnectionError, Keepalive};
pub use error::ClientError;
pub use fingerprints::{FingerprintStore, Next, Progress};
pub use get_assertion::{Asserted, GetAssertion, Presence};
pub use hidraw::{HidKey, HidRaw, hid_keys};
pub use hmac_secret::{DeriveSecret, DerivedSecret};
pub use make_credential::{AttestationPreference, CreatedCredential, MakeCredential, User};
pub use passkeys::{Passkey, PasskeyStore};
pub use pin::{NoPin, Pin, PinPrompt, PinRequest};
pub use report_connection::{ReportConnection, Reports};
