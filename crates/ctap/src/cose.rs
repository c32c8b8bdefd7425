//! COSE algorithms and public keys, as FIDO uses them (RFC 9052, RFC 9053, RFC 8230, RFC 9864).

mod algorithm;
mod key_agreement;
mod public_key;

pub use algorithm::{Algorithm, Curve};
pub use key_agreement::KeyAgreementKey;
pub use public_key::{PublicKey, PublicKeyError};
