//! The gateway: the server of one realm.
//!
//! People sign in with keys, devices send what they signed, and everything that is accepted stands
//! in a log that others can watch. [`start`] opens a data folder and serves; [`routes`] lists what
//! is served and who may call it; [`doors`] says what each statement means and what it grants.
//!
//! ```no_run
//! use std::sync::Arc;
//! use hallway_gateway::{Start, SystemClock, configuration, doors};
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = std::path::PathBuf::from("hallway-data");
//! let config = configuration(&folder)?;
//! let clock = Arc::new(SystemClock);
//! let ready = Start { folder, config, operator_key: None, clock, doors: doors::ALL }.ready().await?;
//! println!("{}", ready.gateway.origin);
//! ready.serve(std::future::pending()).await;
//! # Ok(())
//! # }
//! ```

pub mod across;
pub mod act;
pub mod backup;
pub mod clock;
pub mod config;
pub mod console;
pub mod depends;
pub mod door;
pub mod doors;
pub mod gateway;
pub mod http;
pub mod ledger;
pub mod log;
pub mod metrics;
pub mod models;
pub mod operator_key;
pub mod parts;
pub mod realm_authority;
pub mod refusal;
pub mod routes;
pub mod seal;
pub mod server;
pub mod settings;
pub mod source;
pub mod start;
pub mod store;
pub mod sweep;
mod turn;
pub mod witness;

pub use clock::{Clock, SystemClock};
pub use gateway::Gateway;
pub use start::{Ready, Start, StartError, configuration};

mod accept;
mod descriptors;
mod pace;
mod private;
#[cfg(test)]
mod sample;

/// SHA-256.
fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    hash
}
