//! Machines that sign with nobody present.
//!
//! The maker's side is [`provision`]: an attestation authority, and for each device a key file
//! with a certificate of its own that carries the serial number. The device's side is [`Agent`]:
//! it enrols with a gateway, watches a folder, signs each file when it appears, and sends it until
//! a valid receipt arrives. Only then is the local file removed.
//!
//! ```no_run
//! use std::sync::Arc;
//! use hallway_device::{Agent, Gateway, KeySigner, Settings, SystemClock};
//! use hallway_softkey::{Consent, Protection, SoftKey};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let gateway = Gateway::new("https://gate.example".parse()?, None)?;
//! let protection = Protection::OperatorKey([7; 32].into());
//! let key = SoftKey::open("camera.key".as_ref(), &protection, Consent::Always)?;
//! let signer = KeySigner::new(key, &gateway.origin());
//! let settings = Settings::new("/var/spool/camera".into());
//! let agent = Agent::open(settings, gateway, signer, Arc::new(SystemClock), |event| {
//!     eprintln!("{event}");
//! })?;
//! agent.run(std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```

pub mod agent;
pub mod provision;

mod clock;
mod event;
mod file_name;
mod folder;
mod gateway;
mod media_type;
mod refused;
mod registration;
mod signer;
mod spool;
mod watcher;

pub use agent::{Agent, AgentError, Freshness, Misplaced, Settings, Until};
pub use clock::{Clock, SystemClock};
pub use event::Event;
pub use gateway::{Gateway, GatewayError};
pub use signer::{KeySigner, Signer, SignerError};
pub use spool::SpoolError;
