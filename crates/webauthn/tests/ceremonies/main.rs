//! Ceremonies made up here, right ones and wrong ones: every way in which a registration or an
//! assertion may be refused.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod algorithms;
mod android_key;
mod android_safetynet;
mod apple;
mod assertion;
mod chain;
mod compound;
mod device_attestation;
mod fido_u2f;
mod maker;
mod metadata;
mod models;
mod packed;
mod registration;
mod tpm;
