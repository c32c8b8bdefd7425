//! SHA-256 (FIPS 180-4), by which statements and evidence are named.

use aws_lc_rs::digest::{SHA256, digest};

/// SHA-256, 32 bytes.
pub type Hash = [u8; 32];

/// SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}
