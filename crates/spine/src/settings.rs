//! What `hallway.toml` says to what every door stands on, section by section.

mod bounded;
mod database;
mod limits;
pub mod metadata;
pub mod policy;
pub mod text;
mod witness;

pub use bounded::Bounded;
pub use database::{Database, NotADatabase};
pub use limits::{Connections, Limits, Tls};
pub use metadata::{BlobAddress, HostName, MetadataConfig};
pub use policy::{DevicePolicy, PersonPolicy, Policies};
pub use witness::{WatchedLog, WitnessAddress};
