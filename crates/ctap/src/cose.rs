//! COSE algorithms and public keys, as FIDO uses them (RFC 9052, RFC 9053, RFC 8230, RFC 9864), and
//! what the extension previewSign adds.

mod algorithm;
mod arkg;
mod key_agreement;
mod public_key;
mod sign_args;
mod signing_algorithm;

pub use algorithm::{Algorithm, Curve};
pub use arkg::ArkgPublicSeed;
pub use key_agreement::KeyAgreementKey;
pub use public_key::{PublicKey, PublicKeyError};
pub use sign_args::{ArkgArgs, SignArgs};
pub use signing_algorithm::SigningAlgorithm;
