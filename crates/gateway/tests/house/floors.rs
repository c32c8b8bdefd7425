//! A crate imports only crates on lower floors of the table.

use std::collections::BTreeMap;
use std::fs;

use super::{folders, root};

/// The floor of each crate in the table, by its folder below `crates`.
fn floors() -> BTreeMap<String, u32> {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let table = page.split("## The house").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let mut floors = BTreeMap::new();
    for row in table.lines() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, floor, crates, ..] = cells.as_slice() else {
            continue;
        };
        let Ok(floor) = floor.parse() else { continue };
        for name in crates
            .split('`')
            .filter_map(|name| name.strip_prefix("crates/"))
        {
            floors.insert(name.to_owned(), floor);
        }
    }
    floors
}

/// The crates of this workspace that a crate imports, by their folders. Tests may import any.
fn imported(folder: &str) -> Vec<String> {
    let manifest = root().join("crates").join(folder).join("Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let mut imported = Vec::new();
    let mut counts = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            counts = line.ends_with("dependencies]") && line != "[dev-dependencies]";
        } else if counts && let Some(name) = line.strip_prefix("hallway-") {
            let name = name.split(['.', ' ', '=']).next().unwrap();
            imported.push(match name.strip_prefix("door-") {
                Some(door) => format!("doors/{door}"),
                None => name.to_owned(),
            });
        }
    }
    imported
}

#[test]
fn the_table_has_every_crate() {
    let floors = floors();
    for folder in folders() {
        assert!(floors.contains_key(&folder), "crates/{folder} has no floor");
    }
    assert_eq!(floors.len(), folders().len());
}

#[test]
fn a_crate_imports_only_crates_on_lower_floors() {
    let floors = floors();
    let mut seen = 0;
    for folder in folders() {
        for other in imported(&folder) {
            assert!(
                floors[&other] < floors[&folder],
                "crates/{folder} imports crates/{other}"
            );
            seen += 1;
        }
    }
    assert!(seen > folders().len(), "the manifests were not read");
}
