//! The base of a gateway, on which every door stands.
//!
//! [`store`] has the database and units of work, [`ledger`] the log, [`act`] the acts that people
//! sign by a touch, [`http`] routes with their authorisation rules and bounds, [`models`] the
//! policy on keys, [`refusal`] the record of refusals, [`console`] the frame of the pages. A door
//! implements [`door::Door`]; this crate does not know which doors there are.

pub mod accept;
pub mod act;
pub mod acts;
pub mod clock;
pub mod console;
pub mod depends;
pub mod descriptors;
pub mod door;
pub mod door_name;
pub mod gateway;
pub mod guard;
pub mod http;
pub mod ledger;
pub mod log;
pub mod metrics;
pub mod models;
pub mod operator_key;
pub mod pace;
pub mod parts;
pub mod private;
pub mod realm_authority;
pub mod refusal;
pub mod seal;
pub mod server;
pub mod settings;
pub mod source;
pub mod store;
pub mod sweep;
pub mod turn;
pub mod witness;

pub use clock::{Clock, SystemClock};
pub use gateway::Gateway;

/// The SHA-256 of `bytes`, 32 bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    hash
}
