//! Who may import whom inside this crate: docs/ARCHITECTURE.md, "The gateway, floor by floor".
//!
//! What every door stands on knows no door, no door knows another one, and only what is above them
//! knows them all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules that know every door. `tests` and `sample` are compiled for tests alone.
const ABOVE: &[&str] = &[
    "across", "backup", "config", "doors", "routes", "sample", "start",
];

/// Where a module stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Floor {
    Below,
    Door(String),
    Above,
}

impl Floor {
    fn of(module: &[String]) -> Self {
        let names: Vec<&str> = module.iter().map(String::as_str).collect();
        match names.as_slice() {
            [.., "tests"] => Self::Above,
            ["doors", door, ..] => Self::Door((*door).to_owned()),
            [first, ..] if ABOVE.contains(first) => Self::Above,
            _ => Self::Below,
        }
    }

    fn may_import(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Above, _) | (_, Self::Below) => true,
            (Self::Door(one), Self::Door(other)) => one == other,
            (Self::Below | Self::Door(_), _) => false,
        }
    }
}

/// Every module of the crate, by its path, with its source.
fn modules(folder: &Path, path: &[String], found: &mut BTreeMap<Vec<String>, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let file: PathBuf = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let below = [path, &[name]].concat();
        if file.is_dir() {
            modules(&file, &below, found);
        } else if file.extension().is_some_and(|extension| extension == "rs") {
            found.insert(below, fs::read_to_string(&file).unwrap());
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

/// The paths that begin with `crate::`, as far as they are names: of `crate::a::{b, c::d}` the four
/// `a::b` and `a::c::d`.
fn imports(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, start) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        tree(&code[at + start.len()..], &[], &mut found);
    }
    found
}

/// Reads one tree of a path; gives how many bytes it took.
fn tree(text: &str, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        if rest.starts_with('{') {
            at += 1;
            loop {
                let blank =
                    text[at..].len() - text[at..].trim_start_matches([' ', '\n', ',']).len();
                at += blank;
                if text[at..].starts_with('}') || text[at..].is_empty() {
                    return at + 1;
                }
                let taken = tree(&text[at..], &path, found);
                at += taken.max(1);
            }
        }
        let name: String = rest
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if name.is_empty() {
            break;
        }
        at += name.len();
        path.push(name);
        if !text[at..].starts_with("::") {
            break;
        }
        at += 2;
    }
    found.push(path);
    at
}

#[test]
fn nothing_imports_what_is_above_it() {
    let mut found = BTreeMap::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    modules(&source, &[], &mut found);
    assert!(
        found.len() > 300,
        "the modules were not found: {}",
        found.len()
    );
    let (mut upward, mut looked_at) = (Vec::new(), 0);
    for (module, source) in &found {
        let floor = Floor::of(module);
        for import in imports(&code(source)) {
            looked_at += 1;
            if !floor.may_import(&Floor::of(&import)) {
                upward.push(format!(
                    "{} imports {}",
                    module.join("::"),
                    import.join("::")
                ));
            }
        }
    }
    assert!(looked_at > 1000, "the imports were not found: {looked_at}");
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn an_upward_import_is_seen() {
    let code = "use crate::doors::{hall::store::Hall, web};\nfn f() { crate::store::x() }";
    let seen = imports(code);
    let seen: Vec<String> = seen.iter().map(|path| path.join("::")).collect();
    assert_eq!(seen, ["doors::hall::store::Hall", "doors::web", "store::x"]);
    let floor = |module: &str| {
        let module: Vec<String> = module.split("::").map(str::to_owned).collect();
        Floor::of(&module)
    };
    assert!(!floor("store").may_import(&floor("doors::hall")));
    assert!(!floor("doors::web").may_import(&floor("doors::hall::store")));
    assert!(!floor("doors::web").may_import(&floor("across::evidence")));
    assert!(floor("doors::web::keys").may_import(&floor("doors::web")));
    assert!(floor("start").may_import(&floor("doors::hall")));
}
