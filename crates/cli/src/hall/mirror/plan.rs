//! What a mirror has to do, from two listings alone.

use std::collections::{BTreeMap, BTreeSet};

use super::super::path::RelativePath;

/// A file or folder on one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A folder.
    Folder,
    /// A file.
    File(FileEntry),
}

/// A file on one side.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct FileEntry {
    /// Its length.
    pub(crate) bytes: u64,
    /// When it was last changed, unix milliseconds, where that is known.
    pub(crate) modified_ms: Option<i64>,
    /// Its version at the far side.
    pub(crate) etag: Option<String>,
}

/// All files and folders below a root, parents before children.
pub(crate) type Listing = BTreeMap<RelativePath, Entry>;

/// What to do with things that only the target has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Surplus {
    /// Leave them.
    #[default]
    Keep,
    /// Remove them.
    Delete,
}

/// When two files of one length are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Sameness {
    /// Their modification times agree; where they do not, their checksums.
    #[default]
    Time,
    /// Their checksums agree.
    Checksum,
}

/// The steps, in the order in which they are done.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Plan {
    /// What is in the way and may be removed, each with everything below it; parents last.
    pub(crate) clear: Vec<RelativePath>,
    /// Folders to make, parents first.
    pub(crate) make: Vec<RelativePath>,
    /// Files to copy.
    pub(crate) copy: Vec<RelativePath>,
    /// Files that need copying only if their checksums differ.
    pub(crate) compare: Vec<RelativePath>,
    /// What only the target has and may be removed; children first.
    pub(crate) delete: Vec<RelativePath>,
    /// What can't be copied: something is in the way, and nobody allowed its removal.
    pub(crate) blocked: Vec<RelativePath>,
    /// Files that are the same already.
    pub(crate) same: u64,
}

impl Plan {
    /// The plan that makes `target` like `source`.
    pub(crate) fn new(
        source: &Listing,
        target: &Listing,
        surplus: Surplus,
        sameness: Sameness,
    ) -> Self {
        let mut plan = Self::default();
        for (path, entry) in source {
            // What is below a path follows it at once, so only the last blocked one matters.
            if plan
                .blocked
                .last()
                .is_some_and(|blocked| path.is_below(blocked))
            {
                continue;
            }
            match (entry, target.get(path)) {
                (Entry::Folder, Some(Entry::Folder)) => {}
                (Entry::File(new), Some(Entry::File(old))) => plan.file(path, new, old, sameness),
                (_, Some(_)) if surplus == Surplus::Keep => plan.blocked.push(path.clone()),
                (Entry::Folder, there) => {
                    plan.clear.extend(there.map(|_| path.clone()));
                    plan.make.push(path.clone());
                }
                (Entry::File(_), there) => {
                    if there.is_some() {
                        let after = target.range(path..).skip(1).map(|(other, _)| other);
                        let below: Vec<_> =
                            after.take_while(|other| other.is_below(path)).collect();
                        plan.clear.extend(below.into_iter().rev().cloned());
                        plan.clear.push(path.clone());
                    }
                    plan.copy.push(path.clone());
                }
            }
        }
        if surplus == Surplus::Delete {
            let surplus = target.keys().filter(|path| !source.contains_key(*path));
            let cleared: BTreeSet<&RelativePath> = plan.clear.iter().collect();
            let left = surplus.filter(|path| !cleared.contains(path));
            plan.delete = left.rev().cloned().collect();
        }
        plan
    }

    fn file(&mut self, path: &RelativePath, new: &FileEntry, old: &FileEntry, by: Sameness) {
        let times_agree = new.modified_ms.is_some() && new.modified_ms == old.modified_ms;
        let steps = match (new.bytes == old.bytes, by) {
            (false, _) => &mut self.copy,
            (true, Sameness::Time) if times_agree => return self.same += 1,
            (true, _) => &mut self.compare,
        };
        steps.push(path.clone());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> RelativePath {
        text.parse().unwrap()
    }

    fn file(bytes: u64, modified_ms: i64) -> Entry {
        Entry::File(FileEntry {
            bytes,
            modified_ms: Some(modified_ms),
            ..FileEntry::default()
        })
    }

    fn listing<const N: usize>(entries: [(&str, Entry); N]) -> Listing {
        entries.map(|(name, entry)| (path(name), entry)).into()
    }

    fn paths<const N: usize>(names: [&str; N]) -> Vec<RelativePath> {
        names.map(path).into()
    }

    #[test]
    fn only_what_changed_is_copied() {
        let source = listing([
            ("a", file(1, 10)),
            ("b", file(2, 10)),
            ("c", file(3, 11)),
            ("d", Entry::Folder),
            ("d/e", file(4, 10)),
        ]);
        let target = listing([("a", file(1, 10)), ("b", file(9, 10)), ("c", file(3, 10))]);
        let plan = Plan::new(&source, &target, Surplus::Keep, Sameness::Time);
        let expected = Plan {
            make: paths(["d"]),
            copy: paths(["b", "d/e"]),
            compare: paths(["c"]),
            same: 1,
            ..Plan::default()
        };
        assert_eq!(plan, expected);
        let plan = Plan::new(&source, &target, Surplus::Keep, Sameness::Checksum);
        assert_eq!((plan.compare, plan.same), (paths(["a", "c"]), 0));
    }

    #[test]
    fn an_entry_in_the_way_is_removed_only_if_told() {
        let source = listing([
            ("file", file(1, 1)),
            ("folder", Entry::Folder),
            ("folder/x", file(1, 1)),
        ]);
        let target = listing([
            ("file", Entry::Folder),
            ("file/below", file(1, 1)),
            ("folder", file(1, 1)),
            ("surplus", Entry::Folder),
            ("surplus/y", file(1, 1)),
        ]);
        let kept = Plan::new(&source, &target, Surplus::Keep, Sameness::Time);
        let expected = Plan {
            blocked: paths(["file", "folder"]),
            ..Plan::default()
        };
        assert_eq!(kept, expected);
        let told = Plan::new(&source, &target, Surplus::Delete, Sameness::Time);
        let expected = Plan {
            clear: paths(["file/below", "file", "folder"]),
            make: paths(["folder"]),
            copy: paths(["file", "folder/x"]),
            delete: paths(["surplus/y", "surplus"]),
            ..Plan::default()
        };
        assert_eq!(told, expected);
    }

    /// A tree whose files lie in folders, with few names so that two of them often meet.
    fn trees() -> impl Strategy<Value = Listing> {
        let names = prop::collection::vec(0..3_u8, 1..4);
        prop::collection::vec((names, any::<bool>(), 0..3_u64, -1..2_i64), 0..12).prop_map(|all| {
            let mut tree = Listing::new();
            for (names, is_folder, bytes, modified) in all {
                let text: Vec<String> = names.iter().map(|name| format!("n{name}")).collect();
                let parents = (1..text.len()).map(|length| path(&text[..length].join("/")));
                let parents: Vec<RelativePath> = parents.collect();
                let blocked = |parent| matches!(tree.get(parent), Some(Entry::File(_)));
                let this = path(&text.join("/"));
                if parents.iter().any(blocked) || tree.contains_key(&this) {
                    continue;
                }
                for parent in parents {
                    tree.insert(parent, Entry::Folder);
                }
                let entry = if is_folder {
                    Entry::Folder
                } else {
                    file(bytes, modified)
                };
                tree.insert(this, entry);
            }
            tree
        })
    }

    /// Does what a plan says, as a strict file system would: no step may surprise it.
    fn carry_out(plan: &Plan, source: &Listing, target: &Listing) -> Listing {
        let mut tree = target.clone();
        let remove = |tree: &mut Listing, path: &RelativePath| {
            assert!(tree.remove(path).is_some(), "{path} is not there");
            let orphan = tree.keys().find(|other| other.is_below(path));
            assert_eq!(orphan, None, "{path} is not empty");
        };
        for path in &plan.clear {
            remove(&mut tree, path);
        }
        for path in &plan.make {
            assert_eq!(tree.insert(path.clone(), Entry::Folder), None);
        }
        for path in plan.copy.iter().chain(&plan.compare) {
            assert!(!matches!(tree.get(path), Some(Entry::Folder)));
            tree.insert(path.clone(), source[path].clone());
        }
        for path in &plan.delete {
            remove(&mut tree, path);
        }
        for path in tree.keys() {
            if let Some(parent) = path.parent() {
                assert_eq!(
                    tree.get(&parent),
                    Some(&Entry::Folder),
                    "{path} has no folder"
                );
            }
        }
        tree
    }

    proptest! {
        #[test]
        fn with_deletion_the_target_becomes_the_source(source in trees(), target in trees()) {
            let plan = Plan::new(&source, &target, Surplus::Delete, Sameness::Time);
            prop_assert!(plan.blocked.is_empty());
            let after = carry_out(&plan, &source, &target);
            prop_assert_eq!(&after, &source);
            let again = Plan::new(&source, &after, Surplus::Delete, Sameness::Time);
            prop_assert_eq!(again, Plan { same: again_same(&source), ..Plan::default() });
        }

        #[test]
        fn without_it_nothing_is_lost(source in trees(), target in trees()) {
            let plan = Plan::new(&source, &target, Surplus::Keep, Sameness::Time);
            prop_assert!(plan.clear.is_empty() && plan.delete.is_empty());
            let after = carry_out(&plan, &source, &target);
            for path in target.keys() {
                prop_assert!(after.contains_key(path));
            }
            for (path, entry) in &source {
                let is_blocked = |blocked: &RelativePath| blocked == path || path.is_below(blocked);
                if !plan.blocked.iter().any(is_blocked) {
                    prop_assert_eq!(after.get(path), Some(entry));
                }
            }
        }
    }

    fn again_same(source: &Listing) -> u64 {
        let files = source
            .values()
            .filter(|entry| matches!(entry, Entry::File(_)));
        files.count() as u64
    }
}
