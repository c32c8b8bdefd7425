//! What every [`Locks`] promises. This file is a test of this crate, for locks in memory, and of
//! the gateway, for those in its databases: the module that includes it provides the names below.

use super::{
    Depth, FilePath, Lock, LockHolder, LockToken, LockedStore, Locks, LocksError,
    MOST_LOCKS_OF_HOLDER, Owner, Scope, Taken,
};

/// Where locks are kept, empty at the beginning: as two gateways see it.
pub(super) struct Kept<'k> {
    pub(super) gateways: [&'k dyn Locks; 2],
    pub(super) store: LockedStore,
    /// Who may write into the store.
    pub(super) holders: [LockHolder; 2],
    pub(super) now_ms: u64,
}

/// How long the locks of this suite last.
const LASTS_MS: u64 = 600_000;

impl Kept<'_> {
    fn lock(&self, holder: usize, root: &str, depth: Depth, scope: Scope) -> Lock {
        Lock {
            token: LockToken::random().unwrap(),
            root: root.parse().unwrap(),
            depth,
            scope,
            owner: None,
            holder: self.holders[holder],
            ends_ms: self.now_ms + LASTS_MS,
        }
    }

    fn exclusive(&self, holder: usize, root: &str) -> Lock {
        self.lock(holder, root, Depth::Itself, Scope::Exclusive)
    }

    /// Takes a lock at the first gateway.
    async fn take(&self, lock: &Lock) -> Taken {
        let take = self.gateways[0].take(&self.store, lock, self.now_ms);
        take.await.unwrap()
    }

    /// The locks that the second gateway sees, sorted by their roots.
    async fn around(&self, paths: &[&str], now_ms: u64) -> Vec<Lock> {
        let paths: Vec<FilePath> = paths.iter().map(|path| path.parse().unwrap()).collect();
        let around = self.gateways[1].around(&self.store, &paths, now_ms);
        let mut locks = around.await.unwrap();
        locks.sort_by(|one, other| one.root.cmp(&other.root));
        locks
    }

    async fn empty(&self) {
        let all = self.around(&[""], 0).await;
        let tokens: Vec<LockToken> = all.iter().map(|lock| lock.token).collect();
        self.gateways[1].release(&tokens).await.unwrap();
        assert_eq!(self.around(&[""], 0).await, []);
    }
}

pub(super) async fn all(kept: &Kept<'_>) {
    what_is_taken_is_seen_as_it_is(kept).await;
    those_around_a_path_are_found_and_no_others(kept).await;
    of_those_that_exclude_one_another_one_is_taken(kept).await;
    a_lock_ends_by_itself_unless_it_is_refreshed(kept).await;
    another_store_has_its_own(kept).await;
    of_ten_at_once_one_is_taken(kept).await;
    a_holder_has_so_many_and_no_more(kept).await;
}

async fn what_is_taken_is_seen_as_it_is(kept: &Kept<'_>) {
    let owner: Owner = "<owner xmlns=\"DAV:\">Ada &amp; Bo</owner>"
        .parse()
        .unwrap();
    let lock = Lock {
        owner: Some(owner),
        ..kept.lock(1, "a/ü \"b\"", Depth::Everything, Scope::Shared)
    };
    assert_eq!(kept.take(&lock).await, Taken::Yes);
    assert_eq!(kept.around(&["a"], kept.now_ms).await, [lock]);
    kept.empty().await;
}

async fn those_around_a_path_are_found_and_no_others(kept: &Kept<'_>) {
    let roots = [
        "a",
        "a-b",
        "a/b",
        "a/b/c",
        "a/b0",
        "a/bc",
        "b",
        "Z",
        "\u{10ffff}",
    ];
    for root in roots {
        kept.take(&kept.exclusive(0, root)).await;
    }
    for (paths, expected) in [
        (&["a/b"][..], &["a", "a/b", "a/b/c"][..]),
        (&["a/b/c/d"], &["a", "a/b", "a/b/c"]),
        (&["a/b0"], &["a", "a/b0"]),
        (&["a"], &["a", "a/b", "a/b/c", "a/b0", "a/bc"]),
        (&["a/b", "b"], &["a", "a/b", "a/b/c", "b"]),
        (&["\u{10ffff}/x"], &["\u{10ffff}"]),
        (&["z", "_", "%"], &[]),
        (&[], &[]),
    ] {
        let found = kept.around(paths, kept.now_ms).await;
        let found: Vec<&str> = found.iter().map(|lock| lock.root.as_str()).collect();
        assert_eq!(found, expected, "{paths:?}");
    }
    assert_eq!(kept.around(&[""], kept.now_ms).await.len(), roots.len());
    let whole = kept.exclusive(0, "");
    assert_eq!(kept.take(&whole).await, Taken::Yes);
    assert_eq!(kept.around(&["q/r"], kept.now_ms).await, [whole]);
    kept.empty().await;
}

async fn of_those_that_exclude_one_another_one_is_taken(kept: &Kept<'_>) {
    let first = kept.exclusive(0, "f/a");
    assert_eq!(kept.take(&first).await, Taken::Yes);
    for other in [
        kept.exclusive(0, "f/a"),
        kept.exclusive(1, "f/a"),
        kept.lock(1, "f/a", Depth::Itself, Scope::Shared),
        kept.lock(1, "f", Depth::Everything, Scope::Shared),
    ] {
        assert_eq!(kept.take(&other).await, Taken::No(first.clone()));
    }
    for other in [kept.exclusive(1, "f"), kept.exclusive(1, "f/b")] {
        assert_eq!(kept.take(&other).await, Taken::Yes);
    }
    for holder in [0, 1] {
        let shared = kept.lock(holder, "g", Depth::Everything, Scope::Shared);
        assert_eq!(kept.take(&shared).await, Taken::Yes);
    }
    let exclusive = kept.exclusive(0, "g/h");
    assert!(matches!(kept.take(&exclusive).await, Taken::No(_)));
    kept.gateways[0].release(&[first.token]).await.unwrap();
    assert_eq!(kept.take(&kept.exclusive(1, "f/a")).await, Taken::Yes);
    kept.empty().await;
}

async fn a_lock_ends_by_itself_unless_it_is_refreshed(kept: &Kept<'_>) {
    let lock = kept.exclusive(0, "a");
    kept.take(&lock).await;
    let later = kept.now_ms + LASTS_MS - 1;
    let [one, two] = kept.gateways;
    let refreshed = two.refresh(&lock.token, later + LASTS_MS, later).await;
    assert!(refreshed.unwrap());
    let now_ms = later + LASTS_MS - 1;
    assert_eq!(kept.around(&["a"], now_ms).await.len(), 1);
    let over = later + LASTS_MS;
    assert_eq!(kept.around(&["a"], over).await, []);
    let refreshed = one.refresh(&lock.token, over + LASTS_MS, over).await;
    assert!(!refreshed.unwrap());
    let next = Lock {
        ends_ms: over + LASTS_MS,
        ..kept.exclusive(1, "a")
    };
    let taken = one.take(&kept.store, &next, over).await.unwrap();
    assert_eq!(taken, Taken::Yes);
    one.release(&[next.token, lock.token]).await.unwrap();
    let refreshed = two.refresh(&next.token, over + LASTS_MS, over).await;
    assert!(!refreshed.unwrap());
    kept.empty().await;
}

async fn another_store_has_its_own(kept: &Kept<'_>) {
    let lock = kept.exclusive(0, "a");
    kept.take(&lock).await;
    for other in [
        LockedStore {
            hall: "other".parse().unwrap(),
            ..kept.store.clone()
        },
        LockedStore {
            store: "other".parse().unwrap(),
            ..kept.store.clone()
        },
    ] {
        let paths = ["a".parse().unwrap()];
        let around = kept.gateways[1].around(&other, &paths, kept.now_ms).await;
        assert_eq!(around.unwrap(), []);
    }
    kept.empty().await;
}

async fn of_ten_at_once_one_is_taken(kept: &Kept<'_>) {
    let wanted: Vec<Lock> = (0..10)
        .map(|n| kept.exclusive(n % 2, "folder/file"))
        .collect();
    let taking = wanted.iter().enumerate().map(|(n, lock)| {
        let gateway = kept.gateways[n % 2];
        async move { gateway.take(&kept.store, lock, kept.now_ms).await.unwrap() }
    });
    let taken = futures_util::future::join_all(taking).await;
    assert_eq!(
        taken.iter().filter(|taken| **taken == Taken::Yes).count(),
        1
    );
    assert_eq!(kept.around(&["folder"], kept.now_ms).await.len(), 1);
    kept.empty().await;
}

async fn a_holder_has_so_many_and_no_more(kept: &Kept<'_>) {
    for number in 0..MOST_LOCKS_OF_HOLDER {
        let lock = kept.exclusive(0, &format!("many/{number}"));
        assert_eq!(kept.take(&lock).await, Taken::Yes);
    }
    let one_more = kept.exclusive(0, "many/more");
    let refused = kept.gateways[0].take(&kept.store, &one_more, kept.now_ms);
    assert!(matches!(refused.await, Err(LocksError::TooManyOfHolder)));
    assert_eq!(kept.take(&kept.exclusive(1, "many/more")).await, Taken::Yes);
    kept.empty().await;
}
