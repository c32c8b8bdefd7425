//! Statements, their signatures, the log of the evidence, and its verification by anybody.
//!
//! A [`Statement`] says what is about to happen. Its hash is the challenge that a FIDO key signs.
//! Statement and response are a [`SignedStatement`]; once a gateway checked it, it is
//! [`Evidence`], whose hash is an entry of the [`log`]. A [`Receipt`] is evidence with the proof
//! that the log holds it, and a [`Bundle`] is a receipt with those that it rests on.
//!
//! ```
//! use hallway_evidence::statement::{Statement, web};
//! use hallway_evidence::{Line, Timestamp};
//!
//! let statement = Statement {
//!     realm: Line::new("gate.example")?,
//!     issued: Timestamp::from_ms(1_795_000_000_000),
//!     nonce: [7; 16],
//!     act: web::SignIn {}.into(),
//! };
//! assert_eq!(
//!     statement.sentence(),
//!     "At gate.example, on 2026-11-18 11:06:40 UTC: sign in."
//! );
//! let challenge: [u8; 32] = statement.hash();
//! assert_eq!(Statement::decode(&statement.encode())?.hash(), challenge);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Nothing here does I/O or reads a clock.

pub mod embedding;
pub mod explain;
pub mod log;
pub mod statement;
pub mod verify;

mod bundle;
mod causes;
mod count;
mod credential_id;
mod evidence;
mod fields;
mod hash;
mod id;
mod line;
mod printable;
mod realm;
mod receipt;
mod signed_statement;
mod timestamp;
mod trust;
mod words;

pub use bundle::{Bundle, BundleError, MAX_BUNDLE_BYTES, MAX_RECEIPTS};
pub use causes::causes;
pub use count::{Count, CountError};
pub use credential_id::{CredentialId, CredentialIdError};
pub use evidence::{Evidence, MAX_EVIDENCE_BYTES};
pub use fields::{DecodeError, UnknownWord};
pub use hash::Hash;
pub use id::{DeviceId, GrantId, PersonId};
pub use line::{Line, LineError};
pub use printable::{Printable, is_unprintable};
pub use realm::{Origin, OriginError, RealmName, RealmNameError};
pub use receipt::{MAX_RECEIPT_BYTES, Receipt};
pub use signed_statement::{MAX_SIGNED_STATEMENT_BYTES, Response, SignedStatement};
pub use statement::{MAX_STATEMENT_BYTES, Statement};
pub use timestamp::{Timestamp, TooLate};
pub use trust::{MAX_TRUST_FILE_BYTES, TrustError, TrustFile, TrustedMaker};
