//! "The house" of docs/ARCHITECTURE.md: crates stand on floors, and a crate has no circles inside.
//!
//! `make lint` runs these tests as well. They need std alone, so rustc builds them without a gateway.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod circles;
mod floors;

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the whole repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folders of all crates, below `crates`.
fn folders() -> Vec<String> {
    let mut found = Vec::new();
    for parent in ["", "doors/"] {
        for entry in fs::read_dir(root().join("crates").join(parent)).unwrap() {
            let folder = entry.unwrap();
            if folder.path().join("Cargo.toml").is_file() {
                found.push(format!("{parent}{}", folder.file_name().to_str().unwrap()));
            }
        }
    }
    found
}
