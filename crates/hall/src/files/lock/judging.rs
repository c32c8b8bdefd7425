//! The changes that locks forbid to a client.
//!
//! A request changes places: the file itself, the folder where a name appears or disappears, and
//! what is in a folder that goes with it. Each place that locks cover needs the token of one of
//! them (RFC 4918, 7.5). An exclusive lock is the only one that covers a place; of shared ones any
//! will do.

use super::{Lock, Scope};
use crate::dav::path::FilePath;
use crate::files::store::Depth;

/// What a request does to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::files) enum Doing {
    /// Changes the properties of the file or folder there.
    Describes,
    /// Writes the file, which is a new name where nothing is.
    Writes,
    /// Takes the place of what is there, with all that is in it.
    Replaces,
    /// Takes away what is there, with all that is in it.
    Removes,
    /// Writes files somewhere in the folder.
    Fills,
}

/// Something that a request does to a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::files) struct Touch {
    pub(in crate::files) path: FilePath,
    pub(in crate::files) doing: Doing,
}

/// Whether locks allow a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::files) enum Verdict<'l> {
    /// They do: no lock forbids it.
    Free,
    /// This one forbids it.
    Locked(&'l Lock),
    /// This one forbids it if nothing is there yet: it is on the folder, whose names it protects
    /// (7.4).
    LockedIfNew(&'l Lock),
}

impl Touch {
    pub(in crate::files) fn new(path: &FilePath, doing: Doing) -> Self {
        Self {
            path: path.clone(),
            doing,
        }
    }
}

/// Whether a lock is on `path`.
pub(in crate::files) fn covers(lock: &Lock, path: &FilePath) -> bool {
    is_on(&lock.root, lock.depth, path)
}

/// Whether a lock that was taken on `root` is on `path`.
pub(super) fn is_on(root: &FilePath, depth: Depth, path: &FilePath) -> bool {
    root == path || (depth == Depth::Everything && path.is_within(root))
}

/// Whether `locks`, those around the path, allow `touch` to a client that may use the locks for
/// which `may` is true.
pub(in crate::files) fn judge<'l>(
    locks: &'l [Lock],
    touch: &Touch,
    may: impl Fn(&Lock) -> bool,
) -> Verdict<'l> {
    let in_the_way = |place: &FilePath| {
        let covering = || locks.iter().filter(|lock| covers(lock, place));
        if covering().any(&may) {
            return None;
        }
        covering().next()
    };
    if let Some(lock) = in_the_way(&touch.path) {
        return Verdict::Locked(lock);
    }
    if matches!(touch.doing, Doing::Replaces | Doing::Removes | Doing::Fills) {
        let within = locks
            .iter()
            .filter(|lock| lock.root.is_within(&touch.path))
            .find_map(|lock| in_the_way(&lock.root));
        if let Some(lock) = within {
            return Verdict::Locked(lock);
        }
    }
    let folder = match touch.doing {
        Doing::Describes | Doing::Fills => None,
        _ if touch.path.is_root() => None,
        _ => in_the_way(&touch.path.parent()),
    };
    match folder {
        None => Verdict::Free,
        Some(lock) if touch.doing == Doing::Removes => Verdict::Locked(lock),
        Some(lock) => Verdict::LockedIfNew(lock),
    }
}

/// Which of `locks`, those around its root, is in the way of a new lock: one on the same, unless
/// both are shared (RFC 4918, 6.2). Whose they are does not matter.
#[must_use]
pub fn conflicting<'l>(locks: &'l [Lock], new: &Lock) -> Option<&'l Lock> {
    locks.iter().find(|lock| {
        let same = covers(lock, &new.root) || covers(new, &lock.root);
        same && (lock.scope == Scope::Exclusive || new.scope == Scope::Exclusive)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{LockHolder, LockToken};
    use super::*;

    const MINE: LockHolder = LockHolder([1; 16]);
    const THEIRS: LockHolder = LockHolder([2; 16]);

    fn path(text: &str) -> FilePath {
        if text.is_empty() {
            FilePath::root()
        } else {
            text.parse().unwrap()
        }
    }

    fn lock(root: &str, depth: Depth, scope: Scope, holder: LockHolder) -> Lock {
        Lock {
            token: LockToken::random().unwrap(),
            root: path(root),
            depth,
            scope,
            owner: None,
            holder,
            ends_ms: 1,
        }
    }

    fn verdict(locks: &[Lock], at: &str, doing: Doing) -> &'static str {
        match judge(locks, &Touch::new(&path(at), doing), |lock| {
            lock.holder == MINE
        }) {
            Verdict::Free => "free",
            Verdict::Locked(_) => "locked",
            Verdict::LockedIfNew(_) => "if new",
        }
    }

    use Depth::{Everything, Itself};
    use Doing::{Describes, Fills, Removes, Replaces, Writes};
    use Scope::{Exclusive, Shared};

    #[test]
    fn a_lock_on_a_file_keeps_it_and_its_folders() {
        let locks = [lock("a/b", Itself, Exclusive, THEIRS)];
        for doing in [Describes, Writes, Replaces, Removes, Fills] {
            assert_eq!(verdict(&locks, "a/b", doing), "locked", "{doing:?}");
            assert_eq!(verdict(&locks, "a/bc", doing), "free", "{doing:?}");
        }
        for (doing, expected) in [
            (Describes, "free"),
            (Writes, "free"),
            (Replaces, "locked"),
            (Removes, "locked"),
            (Fills, "locked"),
        ] {
            assert_eq!(verdict(&locks, "a", doing), expected, "{doing:?}");
            assert_eq!(verdict(&locks, "", doing), expected, "{doing:?}");
        }
    }

    #[test]
    fn a_lock_on_a_folder_alone_keeps_its_names() {
        let locks = [lock("a", Itself, Exclusive, THEIRS)];
        for (at, doing, expected) in [
            ("a/b", Describes, "free"),
            ("a/b", Writes, "if new"),
            ("a/b", Replaces, "if new"),
            ("a/b", Removes, "locked"),
            ("a", Fills, "locked"),
            ("a/b/c", Writes, "free"),
            ("a/b/c", Removes, "free"),
            ("a/b", Fills, "free"),
        ] {
            assert_eq!(verdict(&locks, at, doing), expected, "{at} {doing:?}");
        }
        let top = [lock("", Itself, Exclusive, THEIRS)];
        assert_eq!(verdict(&top, "x", Writes), "if new");
        assert_eq!(verdict(&top, "", Describes), "locked");
    }

    #[test]
    fn a_lock_on_all_of_a_folder_keeps_all_of_it() {
        let locks = [lock("a", Everything, Exclusive, THEIRS)];
        for doing in [Describes, Writes, Replaces, Removes, Fills] {
            for at in ["a", "a/b", "a/b/c"] {
                assert_eq!(verdict(&locks, at, doing), "locked", "{at} {doing:?}");
            }
        }
        assert_eq!(verdict(&locks, "ab", Removes), "free");
    }

    #[test]
    fn each_place_wants_one_of_its_own() {
        let shared = [
            lock("a", Everything, Shared, THEIRS),
            lock("a", Everything, Shared, MINE),
        ];
        assert_eq!(verdict(&shared, "a/b", Removes), "free");
        assert_eq!(verdict(&shared[..1], "a/b", Removes), "locked");
        let two = [
            lock("a/b", Itself, Exclusive, MINE),
            lock("a/c", Itself, Exclusive, THEIRS),
        ];
        assert_eq!(verdict(&two, "a/b", Removes), "free");
        assert_eq!(verdict(&two, "a", Removes), "locked");
        assert_eq!(verdict(&two[..1], "a", Removes), "free");
        // The file is mine, its name is theirs.
        let name = [
            lock("a/b", Itself, Exclusive, MINE),
            lock("a", Itself, Exclusive, THEIRS),
        ];
        assert_eq!(verdict(&name, "a/b", Describes), "free");
        assert_eq!(verdict(&name, "a/b", Removes), "locked");
    }

    #[test]
    fn locks_that_are_not_both_shared_exclude_one_another() {
        let of = |root, depth, scope| lock(root, depth, scope, MINE);
        for (there, new, expected) in [
            (of("a", Itself, Shared), of("a", Itself, Shared), false),
            (of("a", Itself, Shared), of("a", Itself, Exclusive), true),
            (of("a", Itself, Exclusive), of("a", Itself, Shared), true),
            (
                of("a", Itself, Exclusive),
                of("a/b", Itself, Exclusive),
                false,
            ),
            (
                of("a", Everything, Exclusive),
                of("a/b", Itself, Shared),
                true,
            ),
            (
                of("a/b", Itself, Exclusive),
                of("a", Everything, Shared),
                true,
            ),
            (
                of("a/b", Itself, Exclusive),
                of("a", Itself, Exclusive),
                false,
            ),
            (of("a/b", Itself, Shared), of("", Everything, Shared), false),
        ] {
            let there = [there];
            assert_eq!(
                conflicting(&there, &new).is_some(),
                expected,
                "{there:?} {new:?}"
            );
        }
    }
}
