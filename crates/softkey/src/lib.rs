//! A FIDO2 security key in a file.
//!
//! The file is encrypted under a passphrase or an operator's key. A [`SoftKey`] works in process
//! as a [`Connection`](hallway_client::Connection); a [`Worker`] serves it to other programs over
//! UDP, a Unix socket, standard input and output, or as a USB security key through Linux's uhid,
//! one CTAPHID report of 64 bytes at a time.
//!
//! ```
//! use hallway_client::{
//!     AttestationPreference, Client, GetAssertion, MakeCredential, NoPin, Presence, User,
//!     UserVerification,
//! };
//! use hallway_ctap::cose::Algorithm;
//! use hallway_softkey::{Consent, KeyFile, NewKey, Protection, SoftKey};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("camera.key");
//! let protection = Protection::OperatorKey([7; 32].into());
//! KeyFile::create(&path, &protection, &NewKey::personal())?;
//!
//! let key = SoftKey::open(&path, &protection, Consent::Always)?;
//! let mut client = Client::new(key, "https://gate.example");
//! let created = client.make_credential(
//!     &MakeCredential {
//!         rp_id: "gate.example",
//!         rp_name: "Gate",
//!         user: User { id: b"camera-7", name: "camera-7", display_name: "Camera 7" },
//!         challenge: &[1; 32],
//!         algorithms: &[Algorithm::Es256],
//!         discoverable: false,
//!         user_verification: UserVerification::Discouraged,
//!         exclude: &[],
//!         attestation: AttestationPreference::Direct,
//!     },
//!     &mut NoPin,
//! )?;
//! let asserted = client.get_assertion(
//!     &GetAssertion {
//!         rp_id: "gate.example",
//!         challenge: &[2; 32],
//!         allow: &[created.credential_id],
//!         user_verification: UserVerification::Discouraged,
//!         presence: Presence::Silent,
//!     },
//!     &mut NoPin,
//! )?;
//! assert_eq!(asserted.authenticator_data[32], 0, "neither UP nor UV");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aws_lc;
mod backup;
mod batch;
mod consent;
mod error;
mod journal;
mod poll;
mod protection;
mod put_off;
mod rsa;
mod seed;
mod serve;
mod slip39;
mod soft_key;
mod stream;
mod udp;
mod uhid;
mod unix;
mod witness;
mod worker;

pub use backup::BackupError;
pub use consent::command::ConsentCommand;
pub use consent::desktop::DesktopNotification;
pub use consent::policy::{ConsentPolicy, ConsentPolicyError};
pub use consent::terminal::{Terminal, ask_passphrase};
pub use consent::{ANSWER_WITHIN, Asker, Consent, Wait};
pub use error::KeyFileError;
pub use hallway_authenticator::{Answer, Attestation, Gesture, Question, ResetTouch};
pub use protection::Protection;
pub use seed::{Seed, SeedError};
pub use slip39::ShareError;
pub use soft_key::{AttestationIdentity, BackupLeave, KeyFile, NewKey, SoftKey};
pub use stream::serve_stream;
pub use udp::serve_udp;
pub use uhid::{Uhid, UhidError, serve_uhid};
pub use unix::serve_unix;
pub use worker::Worker;
