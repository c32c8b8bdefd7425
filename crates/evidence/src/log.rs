//! The log: a tamper-evident list of evidence hashes, in formats that others can read.
//!
//! An entry is the 32-byte hash of a piece of evidence. The tree is that of RFC 6962, section 2.1,
//! served as c2sp.org/tlog-tiles; its head is a c2sp.org/tlog-checkpoint, signed with Ed25519.
//! Others cosign it ([`cosignature`]) after they saw that it only grew ([`witness`]).
//!
//! Nothing here does I/O. A gateway loads the tiles that [`Appender::edge`] names, appends a
//! batch, and stores the tiles that changed together with the new checkpoint:
//!
//! ```
//! use hallway_evidence::log::{Appender, Checkpoint, SigningKey, TlogProof};
//!
//! let key = SigningKey::from_seed("gate.example/log", &[7; 32])?;
//! let mut log = Appender::new();
//! let appended = log.append(&[[1; 32], [2; 32]]);
//! assert_eq!(appended.tiles.len(), 2); // tile/0/000.p/2 and tile/entries/000.p/2
//!
//! let head = Checkpoint::new(key.name(), appended.size, appended.root)?;
//! let proof = TlogProof::new(&appended.proofs[1], head.sign(&key));
//! let verified = proof.verify(&[2; 32], &key.verifier())?;
//! assert_eq!((proof.index(), verified.size), (1, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod appender;
pub mod audit;
pub mod checkpoint;
pub mod cosignature;
pub mod note;
pub mod proof;
pub mod tile;
pub mod tlog_proof;
pub mod tree;
pub mod witness;

pub use appender::{AppendError, Appended, Appender};
pub use audit::{Audit, AuditError, Fault, TileSource, audit};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use cosignature::{Cosigned, CosignerKey, CosigningKey, cosigned, unknown_signer};
pub use note::{NoteError, SigningKey, VerifierKey};
pub use proof::{InclusionProof, Plan, ProofError, TileSet};
pub use tile::{Level, Tile};
pub use tlog_proof::{TlogProof, TlogProofError};
pub use witness::{AddCheckpoint, Fork, Latest, Refusal};
