//! Which commands have the gateway in them: docs/ARCHITECTURE.md.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

/// The crates that only a gateway needs.
const GATEWAY: &[&str] = &["hallway_gateway", "hallway_spine", "hallway_door_"];

/// The commands of the person who runs a gateway, and the tour, which runs one.
const ALLOWED: &[&str] = &["gateway", "tour", "tour.rs"];

fn imports_a_gateway(path: &Path) -> bool {
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap();
        return entries
            .map(|entry| entry.unwrap().path())
            .any(|path| imports_a_gateway(&path));
    }
    let source = fs::read_to_string(path).unwrap();
    GATEWAY.iter().any(|name| source.contains(name))
}

#[test]
fn only_the_commands_of_a_gateway_and_the_tour_import_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for entry in fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if imports_a_gateway(&entry.path()) && !ALLOWED.contains(&name.as_str()) {
            found.push(name);
        }
    }
    assert!(
        found.is_empty(),
        "{found:?} import a crate that only a gateway needs"
    );
}
