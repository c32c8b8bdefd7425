//! The hall: files and TCP services over mutual TLS.
//!
//! A hall is a named channel of a realm. What it offers, stores of files and TCP services, is
//! provided by the gateway itself or by an agent that dials out to it. A client shows an
//! X.509-SVID: a certificate of some minutes for a key in memory, issued after one touch.
//!
//! This crate is the data plane, the same code in gateway, agent and client. It knows nothing of
//! databases, statements and grants: the gateway asks its own rows and says what is allowed.
//!
//! ```
//! use hallway_hall::{Party, Right, Rights, SpiffeId};
//!
//! let id: SpiffeId = "spiffe://bank.example/person/ada".parse()?;
//! assert_eq!(id.party(), Some(Party::Person("ada".to_owned())));
//!
//! let rights = Rights::parse(["read:data", "connect:psql"])?;
//! assert!(rights.contains(&Right::Connect("psql".parse()?)));
//! assert!("read:*".parse::<Right>().is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod body;
pub mod client;
pub mod dav;
pub mod files;
pub mod foreign;
pub mod stream;
pub mod tcp;
pub mod tls;

mod agent;
mod agent_protocol;
mod authority;
mod bundle;
mod identity;
mod key;
mod local_names;
mod pass;
mod pool;
mod problem;
mod service;
mod spare;
mod svid;
mod switchboard;

#[cfg(test)]
mod site;

pub use agent::{Agent, AgentEvent, Provided};
pub use agent_protocol::Provides;
pub use authority::{Authority, AuthorityError, Leaf, Usage};
pub use body::Body;
pub use bundle::{Bundle, BundleError, Bundles, LONGEST_BUNDLE_BYTES, MOST_AUTHORITIES, Published};
pub use client::{ClientError, Grant, HallClient, Opening, Person, Place, Renewed};
pub use hallway_evidence::statement::hall::{
    AgentName, HallName, NameError, P256PublicKey, Right, RightError, Rights, ServiceName,
    StoreName,
};
pub use identity::{
    IdentityError, LONGEST_ID_BYTES, LONGEST_TRUST_DOMAIN_BYTES, Party, SpiffeId, TrustDomain,
};
pub use key::{HallKey, KeyError};
pub use local_names::{LocalNames, is_local};
pub use pass::{Flow, MOST_STREAMS, Pass};
pub use problem::IntoResponse;
pub use service::{Address, AddressError};
pub use svid::{Provenance, Svid, SvidError};
pub use switchboard::Switchboard;
