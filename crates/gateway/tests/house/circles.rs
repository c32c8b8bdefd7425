//! No circles between the folders of a crate: docs/ARCHITECTURE.md.
//!
//! Between crates, cargo sees to it. `crate::Gateway`, the state that all parts of a gateway share,
//! is the only thing that knows them and that they know.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The crates that have folders. `authenticator` has none: it is one state machine over many files.
const CRATES: &[&str] = &[
    "api",
    "cli",
    "client",
    "ctap",
    "device",
    "doors/device",
    "doors/hall",
    "doors/web",
    "evidence",
    "gateway",
    "hall",
    "softkey",
    "softkey-openssh",
    "spine",
    "webauthn",
];

/// Modules that are compiled for tests alone.
const TESTS: &[&str] = &["tests", "wycheproof"];

/// The folders and files directly in `src` that each of them imports.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// Adds what the files in `folder` import, whose path is `module`.
fn read(folder: &Path, module: &[String], imports: &mut Imports) {
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap();
        let path = [module, &[name.to_owned()]].concat();
        if TESTS.contains(&name) {
            continue;
        }
        if file.is_dir() {
            read(&file, &path, imports);
        } else if file.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&file).unwrap();
            let found = imported(&code(&source), path.len());
            let others = found.into_iter().filter(|name| *name != path[0]);
            imports.entry(path[0].clone()).or_default().extend(others);
        }
    }
}

/// The code of a module: without comments and its tests.
fn code(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The names behind each path to the root of the crate: from a module `depth` levels below it,
/// `crate::`, or as many `super::`.
fn imported(code: &str, depth: usize) -> BTreeSet<String> {
    let roots = ["crate::".to_owned(), "super::".repeat(depth)];
    let mut found = BTreeSet::new();
    for root in roots {
        for (at, _) in code.match_indices(&root) {
            let before = code[..at].chars().next_back();
            if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':') {
                names(&code[at + root.len()..], &mut found);
            }
        }
    }
    found
}

/// Reads the first name, or the first names of a group.
fn names(path: &str, found: &mut BTreeSet<String>) {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let Some(group) = path.strip_prefix('{') else {
        found.insert(path.chars().take_while(|c| is_name(*c)).collect());
        return;
    };
    let (mut level, mut begins) = (0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => level += 1,
            '}' if level == 0 => return,
            '}' => level -= 1,
            ',' => begins = level == 0,
            c if begins && is_name(c) => {
                found.insert(group[at..].chars().take_while(|c| is_name(*c)).collect());
                begins = false;
            }
            _ => {}
        }
    }
}

/// The first circle that begins at `start`.
fn circle(imports: &Imports, start: &str) -> Option<Vec<String>> {
    let mut ways = vec![vec![start.to_owned()]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for next in imports.get(way.last()?).into_iter().flatten() {
            if next == start && way.len() > 1 {
                return Some([way, vec![next.clone()]].concat());
            }
            if imports.contains_key(next) && seen.insert(next.clone()) {
                ways.push([way.clone(), vec![next.clone()]].concat());
            }
        }
    }
    None
}

#[test]
fn no_folders_of_a_crate_import_each_other() {
    let mut circles = Vec::new();
    for name in CRATES {
        let mut imports = Imports::new();
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        read(&crates.join(name).join("src"), &[], &mut imports);
        assert!(imports.len() > 2, "the modules of {name} were not found");
        for start in imports.keys() {
            if let Some(circle) = circle(&imports, start) {
                circles.push(format!("{name}: {}", circle.join(" -> ")));
            }
        }
    }
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn a_circle_is_seen() {
    let deep = imported("use super::super::{b::{c, d}, e};\nuse super::f;", 2);
    assert_eq!(deep, ["b", "e"].map(str::to_owned).into());
    let (a, b) = ("use crate::b::{c, d};", "fn f() { crate::a::g() }");
    let module = |name: &str, code| (name.to_owned(), imported(code, 1));
    let imports = Imports::from([module("a", a), module("b", b)]);
    assert_eq!(circle(&imports, "a").unwrap(), ["a", "b", "a"]);
    let imports = Imports::from([module("a", a), module("b", "use crate::c;")]);
    assert_eq!(circle(&imports, "a"), None);
}
