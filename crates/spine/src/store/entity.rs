//! The tables as sea-orm reads them, one file each. Rows stay inside the store: callers see the
//! records of the neighbouring files, whose types say more.
#![allow(unreachable_pub)] // the derive macro writes `pub` items, whatever the module's visibility

pub(crate) mod attestation;
pub(crate) mod cosigner;
pub(crate) mod credential;
pub mod evidence;
pub(crate) mod former_log;
pub(crate) mod ground;
pub(crate) mod link;
pub(crate) mod log_head;
pub(crate) mod log_tile;
pub(crate) mod metadata;
pub(crate) mod metadata_blob;
pub(crate) mod own_authority;
pub(crate) mod person;
pub(crate) mod refusal;
pub(crate) mod session;
pub(crate) mod setting;
pub(crate) mod witnessed_log;
