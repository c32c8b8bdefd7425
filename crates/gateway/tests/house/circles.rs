//! The folders and files directly in `src` of a crate import each other in no circle.
//!
//! A name that the crate's root passes on counts as an import of the module that the root takes the name
//! from. The root itself is no room of the house: all modules may use the items that it declares.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{folders, root};

/// The exception: the state that all parts of a gateway share knows all of them, and they know it.
const SHARED: &str = "Gateway";

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

/// The names that the root of a crate passes on, and the module that it takes each from.
fn passed_on(root: &str) -> BTreeMap<String, String> {
    let mut passed_on = BTreeMap::new();
    for path in root.split("pub use ").skip(1) {
        let path = path.split(';').next().unwrap_or_default();
        let words = path.split(|c: char| !c.is_alphanumeric() && c != '_');
        let mut words =
            words.filter(|word| !word.is_empty() && *word != "self" && *word != "crate");
        let Some(module) = words.next() else { continue };
        for name in words.filter(|name| *name != SHARED) {
            passed_on.insert(name.to_owned(), module.to_owned());
        }
    }
    passed_on
}

/// Puts modules in the place of names that the root passes on from them.
fn resolve(imports: &mut Imports, passed_on: &BTreeMap<String, String>) {
    let modules: BTreeSet<String> = imports.keys().cloned().collect();
    for (module, found) in imports {
        let resolved = found.iter().map(|name| match passed_on.get(name) {
            Some(from) if !modules.contains(name) => from.clone(),
            _ => name.clone(),
        });
        *found = resolved.filter(|name| name != module).collect();
    }
}

/// The code of the root of a crate: of the library if there is one, otherwise of the program.
fn root_code(src: &Path) -> String {
    let root = fs::read_to_string(src.join("lib.rs"));
    code(
        &root
            .or_else(|_| fs::read_to_string(src.join("main.rs")))
            .unwrap(),
    )
}

#[test]
fn no_folders_of_a_crate_import_each_other() {
    let mut circles = Vec::new();
    for name in folders() {
        let mut imports = Imports::new();
        let src = root().join("crates").join(&name).join("src");
        read(&src, &[], &mut imports);
        assert!(imports.len() > 2, "the modules of {name} were not found");
        resolve(&mut imports, &passed_on(&root_code(&src)));
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

#[test]
fn a_circle_through_the_root_is_seen() {
    let module = |name: &str, code| (name.to_owned(), imported(code, 1));
    let mut imports = Imports::from([
        module("a", "use crate::B;"),
        module("b", "use crate::a::A;"),
    ]);
    resolve(
        &mut imports,
        &passed_on("pub use a::A;\npub use self::b::{B, C};"),
    );
    assert_eq!(circle(&imports, "a").unwrap(), ["a", "b", "a"]);
}
