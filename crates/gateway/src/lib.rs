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
pub mod backup;
pub mod config;
pub mod doors;
pub mod routes;
pub mod start;

pub use hallway_spine::{Clock, Gateway, SystemClock};
pub use start::{Ready, Start, StartError, configuration};
