//! The contract suite of stores, which every kind of store passes.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use aws_lc_rs::digest;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::*;

/// Calls `$test` with a fresh store, for every kind of store.
macro_rules! on_every_store {
    ($($test:ident)*) => {
        mod folder {
            $(
                #[tokio::test]
                async fn $test() {
                    let folder = tempfile::tempdir().unwrap();
                    super::$test(super::FolderStore::open(folder.path()).unwrap()).await;
                    let left: Vec<_> =
                        std::fs::read_dir(folder.path().join(".hallway/uploads")).unwrap().collect();
                    assert!(left.is_empty(), "left behind: {left:?}");
                }
            )*
        }

        mod bucket {
            $(
                #[tokio::test]
                async fn $test() {
                    let objects = std::sync::Arc::new(object_store::memory::InMemory::new());
                    super::$test(super::BucketStore::over(objects.clone(), "team/data").unwrap()).await;
                    let left = super::below(&*objects, "team/data/.hallway").await;
                    assert!(left.is_empty(), "left behind: {left:?}");
                    let outside = super::below(&*objects, "").await;
                    assert!(outside.iter().all(|key| key.starts_with("team/data/")));
                }
            )*
        }
    };
}

async fn below(objects: &dyn object_store::ObjectStore, prefix: &str) -> Vec<String> {
    let found = objects.list(Some(&prefix.into()));
    found
        .map_ok(|object| object.location.to_string())
        .try_collect()
        .await
        .unwrap()
}

on_every_store! {
    what_is_put_is_listed_and_read
    a_time_before_1970_is_kept_or_left_out
    a_part_is_read
    lists_come_in_pages_in_the_order_of_bytes
    names_are_kept_byte_by_byte
    what_has_no_folder_to_be_in_is_refused
    conditions_decide
    a_wrong_length_or_checksum_leaves_nothing
    a_sender_that_breaks_off_leaves_nothing
    many_small_files_take_their_places_each_for_itself
    an_upload_goes_on_where_it_broke_off
    a_big_upload_in_odd_pieces_arrives_whole
    an_upload_that_is_not_what_was_planned_never_takes_its_place
    two_uploads_of_one_name_do_not_mix
    folders_are_made_and_removed_with_what_is_in_them
    renaming_moves_files_and_folders_whole
    what_is_replaced_goes_with_all_that_is_in_it
    copies_are_whole_and_of_the_depth_that_was_asked_for
    conditions_decide_on_what_goes_elsewhere
    properties_stay_with_what_they_are_about
    what_is_not_there_is_said_to_be_not_there
}

fn path(path: &str) -> FilePath {
    path.parse().unwrap()
}

fn body(chunks: impl IntoIterator<Item = impl Into<Bytes>>) -> ByteStream {
    let chunks: Vec<io::Result<Bytes>> = chunks.into_iter().map(|chunk| Ok(chunk.into())).collect();
    stream::iter(chunks).boxed()
}

/// Breaks off after `text`.
fn broken(text: &'static str) -> ByteStream {
    stream::iter([
        Ok(Bytes::from(text)),
        Err(io::ErrorKind::ConnectionReset.into()),
    ])
    .boxed()
}

fn sha256(bytes: &[u8]) -> Sha256 {
    digest::digest(&digest::SHA256, bytes)
        .as_ref()
        .try_into()
        .unwrap()
}

async fn put(store: &impl Store, name: &str, text: &'static str) -> Written {
    store
        .put(&path(name), Plan::default(), body([text]))
        .await
        .unwrap()
}

async fn get(store: &impl Store, name: &str) -> Vec<u8> {
    let file = store.open(&path(name)).await.unwrap();
    let all = 0..file.entry().bytes;
    let chunks: Vec<Bytes> = file.read(all).try_collect().await.unwrap();
    chunks.concat()
}

async fn names(store: &impl Store, folder: &str) -> Vec<String> {
    let page = store.list(&path(folder), None, 1000).await.unwrap();
    assert_eq!(page.next, None);
    page.entries.into_iter().map(|entry| entry.name).collect()
}

async fn a_time_before_1970_is_kept_or_left_out(store: impl Store) {
    let time = -86_400_500;
    let plan = || Plan {
        modified_ms: Some(time),
        ..Plan::default()
    };
    let written = store.put(&path("a"), plan(), body(["a"])).await.unwrap();
    let packed = SmallFile {
        path: path("b"),
        plan: plan(),
        content: Bytes::from("b"),
    };
    store.put_all(vec![packed]).await.remove(0).unwrap();
    let page = store.list(&FilePath::root(), None, 10).await.unwrap();
    assert_eq!(page.entries.len(), 2);
    for entry in page.entries.into_iter().chain([written.entry]) {
        let shown = entry.modified_ms.unwrap();
        assert!(shown == time || shown > 1_600_000_000_000, "{shown}");
    }
}

async fn what_is_put_is_listed_and_read(store: impl Store) {
    let big: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let chunks: Vec<Vec<u8>> = big.chunks(70_001).map(<[u8]>::to_vec).collect();
    let written = store
        .put(&path("big"), Plan::default(), body(chunks))
        .await
        .unwrap();
    assert_eq!(written.sha256, sha256(&big));
    assert!(!written.replaced);
    assert_eq!(written.entry, store.entry(&path("big")).await.unwrap());
    assert_eq!(written.entry.bytes, 3_000_000);
    assert!(written.entry.modified_ms.unwrap() > 1_600_000_000_000);
    assert!(get(&store, "big").await == big);

    let first = put(&store, "a", "one").await.entry.etag.unwrap();
    let again = put(&store, "a", "two").await;
    assert!(again.replaced);
    assert_ne!(again.entry.etag.unwrap(), first);
    assert_eq!(get(&store, "a").await, b"two");
    put(&store, "empty", "").await;
    assert_eq!(get(&store, "empty").await, b"");
    assert_eq!(names(&store, "").await, ["a", "big", "empty"]);
}

async fn many_small_files_take_their_places_each_for_itself(store: impl Store) {
    store.make_folder(&path("folder")).await.unwrap();
    put(&store, "there", "old").await;
    // Few are made durable one by one, many together.
    for number in [3, 40] {
        let mut files: Vec<SmallFile> = (0..number)
            .map(|n| small(&format!("{number}-{n:02}"), "new"))
            .collect();
        files.push(small("there", "new"));
        files.push(small("folder", "no file can be here"));
        let mut wrong = small("wrong", "new");
        wrong.plan.sha256 = Some(sha256(b"other"));
        files.push(wrong);
        let mut kept = small("there", "newer");
        kept.plan.condition = Condition::absent();
        files.push(kept);
        let outcomes = store.put_all(files).await;
        assert_eq!(outcomes.len(), number + 4);
        assert!(
            outcomes[..=number].iter().all(Result::is_ok),
            "{outcomes:?}"
        );
        assert!(matches!(outcomes[number + 1], Err(StoreError::IsFolder)));
        assert!(matches!(outcomes[number + 2], Err(StoreError::Checksum)));
        assert!(matches!(
            outcomes[number + 3],
            Err(StoreError::Precondition)
        ));
        let last = format!("{number}-{:02}", number - 1);
        assert_eq!(get(&store, &last).await, b"new");
        assert_eq!(get(&store, "there").await, b"new");
        put(&store, "there", "old").await;
    }
    assert_eq!(names(&store, "").await.len(), 3 + 40 + 2);
    let long = vec![7; usize::try_from(LONGEST_PACKED_BYTES).unwrap() + 1];
    store
        .put(&path("long"), Plan::default(), body([long]))
        .await
        .unwrap();
    let wanted = ["40-07", "folder", "nothing", "long", "there"].map(path);
    let got = store.get_all(wanted.to_vec()).await;
    let [Ok(new), Err(_), Err(_), Err(_), Ok(old)] = &got[..] else {
        panic!("{got:?}")
    };
    assert_eq!((new.0.bytes, &new.1[..]), (3, &b"new"[..]));
    assert_eq!((old.0.name.as_str(), &old.1[..]), ("there", &b"old"[..]));
    assert!(store.put_all(Vec::new()).await.is_empty());
}

fn small(name: &str, text: &'static str) -> SmallFile {
    let plan = Plan {
        sha256: Some(sha256(text.as_bytes())),
        length: Some(text.len() as u64),
        ..Plan::default()
    };
    SmallFile {
        path: path(name),
        plan,
        content: text.into(),
    }
}

async fn a_part_is_read(store: impl Store) {
    put(&store, "a", "0123456789").await;
    for range in [0..10, 3..7, 9..10, 5..5] {
        let file = store.open(&path("a")).await.unwrap();
        let chunks: Vec<Bytes> = file.read(range.clone()).try_collect().await.unwrap();
        let (start, end) = (range.start as usize, range.end as usize);
        assert_eq!(chunks.concat(), &b"0123456789"[start..end]);
    }
}

async fn lists_come_in_pages_in_the_order_of_bytes(store: impl Store) {
    let all = ["B", "a", "a-", "a.b", "aa", "b", "\u{e9}"];
    store.make_folder(&path("f")).await.unwrap();
    for name in all {
        put(&store, &format!("f/{name}"), "x").await;
    }
    store.make_folder(&path("f/a0")).await.unwrap();
    put(&store, "f/a0/inner", "x").await;
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.list(&path("f"), after.as_deref(), 3).await.unwrap();
        assert!(page.entries.len() <= 3);
        seen.extend(
            page.entries
                .into_iter()
                .map(|entry| (entry.name, entry.kind)),
        );
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let expected = ["B", "a", "a-", "a.b", "a0", "aa", "b", "\u{e9}"];
    let expected = expected.map(|name| {
        let kind = if name == "a0" {
            Kind::Folder
        } else {
            Kind::File
        };
        (name.to_owned(), kind)
    });
    assert_eq!(seen, expected);
}

async fn names_are_kept_byte_by_byte(store: impl Store) {
    let all = [
        "caf\u{e9}",
        "cafe\u{301}",
        " ",
        "a b",
        "100%",
        "a?b#c",
        "a\\b",
        "a*[b]{c}",
        "~a",
    ];
    for name in all {
        put(&store, name, name).await;
    }
    let expected: BTreeSet<String> = all.map(ToOwned::to_owned).into();
    assert_eq!(
        names(&store, "").await.into_iter().collect::<BTreeSet<_>>(),
        expected
    );
    for name in all {
        assert_eq!(get(&store, name).await, name.as_bytes());
        assert_eq!(store.entry(&path(name)).await.unwrap().name, name);
    }
}

async fn what_has_no_folder_to_be_in_is_refused(store: impl Store) {
    put(&store, "a", "x").await;
    for name in ["x/y", "a/y"] {
        let refused = store.put(&path(name), Plan::default(), body(["x"])).await;
        assert!(matches!(refused, Err(StoreError::NoParent)));
        let refused = store.make_folder(&path(name)).await;
        assert!(matches!(refused, Err(StoreError::NoParent)));
    }
    assert_eq!(names(&store, "").await, ["a"]);
}

async fn conditions_decide(store: impl Store) {
    let with = |condition| Plan {
        condition,
        ..Plan::default()
    };
    let etag = put(&store, "a", "one").await.entry.etag.unwrap();
    for (condition, holds) in [
        (Condition::absent(), false),
        (Condition::is("other"), false),
        (Condition::is(&etag), true),
        (Condition::present(), true),
    ] {
        let put = store
            .put(&path("a"), with(condition.clone()), body(["two"]))
            .await;
        match put {
            Ok(_) => assert!(holds, "{condition:?}"),
            Err(StoreError::Precondition) => assert!(!holds, "{condition:?}"),
            Err(error) => panic!("{condition:?}: {error}"),
        }
    }
    for (condition, holds) in [(Condition::present(), false), (Condition::absent(), true)] {
        let put = store.put(&path("b"), with(condition), body(["x"])).await;
        assert_eq!(put.is_ok(), holds);
    }
    let stale = Condition::is("other");
    let removed = store.remove(&path("a"), &stale).await;
    assert!(matches!(removed, Err(StoreError::Precondition)));
    assert_eq!(get(&store, "a").await, b"two");
}

async fn a_wrong_length_or_checksum_leaves_nothing(store: impl Store) {
    put(&store, "kept", "old").await;
    for name in ["kept", "new"] {
        let plan = Plan {
            length: Some(4),
            ..Plan::default()
        };
        let refused = store.put(&path(name), plan, body(["new"])).await;
        assert!(matches!(refused, Err(StoreError::Length)));
        let plan = Plan {
            sha256: Some(sha256(b"other")),
            ..Plan::default()
        };
        let refused = store.put(&path(name), plan, body(["new"])).await;
        assert!(matches!(refused, Err(StoreError::Checksum)));
    }
    assert_eq!(names(&store, "").await, ["kept"]);
    assert_eq!(get(&store, "kept").await, b"old");
    let plan = Plan {
        length: Some(3),
        sha256: Some(sha256(b"new")),
        ..Plan::default()
    };
    store
        .put(&path("new"), plan, body(["n", "ew"]))
        .await
        .unwrap();
}

async fn a_sender_that_breaks_off_leaves_nothing(store: impl Store) {
    let refused = store.put(&path("a"), Plan::default(), broken("half")).await;
    assert!(matches!(refused, Err(StoreError::Body(_))));
    assert!(names(&store, "").await.is_empty());
}

fn upload(name: &str) -> UploadId {
    UploadId::new(&path(name), "0123456789abcdef").unwrap()
}

async fn an_upload_goes_on_where_it_broke_off(store: impl Store) {
    let plan = Plan {
        length: Some(9),
        sha256: Some(sha256(b"onetwosix")),
        ..Plan::default()
    };
    let id = upload("a");
    let broke = store.append(&id, 0, broken("one")).await;
    assert!(matches!(broke, Err(StoreError::Body(_))));
    assert_eq!(store.offset(&id).await.unwrap(), 3);
    assert!(names(&store, "").await.is_empty(), "half a file is in view");
    for wrong in [0, 2, 4] {
        let refused = store.append(&id, wrong, body(["x"])).await;
        assert!(matches!(refused, Err(StoreError::Offset(3))));
    }
    let early = store.finish(&id, &path("a"), plan.clone()).await;
    assert!(matches!(early, Err(StoreError::Length)));
    assert_eq!(store.append(&id, 3, body(["two"])).await.unwrap(), 6);
    assert_eq!(store.append(&id, 6, body(["six"])).await.unwrap(), 9);
    let written = store.finish(&id, &path("a"), plan).await.unwrap();
    assert_eq!(written.sha256, sha256(b"onetwosix"));
    assert_eq!(get(&store, "a").await, b"onetwosix");
    assert!(matches!(store.offset(&id).await, Err(StoreError::NotFound)));
}

async fn a_big_upload_in_odd_pieces_arrives_whole(store: impl Store) {
    let big: Vec<u8> = (0..20_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let id = upload("big");
    let mut offset = 0;
    for size in [1, 6_000_000, 3, 9_000_000, 100_000, 4_899_996] {
        let piece = &big[offset..offset + size];
        let chunks: Vec<Vec<u8>> = piece.chunks(300_000).map(<[u8]>::to_vec).collect();
        let reached = store
            .append(&id, offset as u64, body(chunks))
            .await
            .unwrap();
        offset += size;
        assert_eq!(reached, offset as u64);
    }
    let plan = Plan {
        sha256: Some(sha256(&big)),
        ..Plan::default()
    };
    store.finish(&id, &path("big"), plan).await.unwrap();
    assert!(get(&store, "big").await == big);
}

async fn an_upload_that_is_not_what_was_planned_never_takes_its_place(store: impl Store) {
    let plan = Plan {
        sha256: Some(sha256(b"other")),
        ..Plan::default()
    };
    let id = upload("a");
    store.append(&id, 0, body(["one"])).await.unwrap();
    let refused = store.finish(&id, &path("a"), plan).await;
    assert!(matches!(refused, Err(StoreError::Checksum)));
    assert!(matches!(store.offset(&id).await, Err(StoreError::NotFound)));

    let plan = Plan {
        condition: Condition::absent(),
        ..Plan::default()
    };
    store.append(&id, 0, body(["mine"])).await.unwrap();
    put(&store, "a", "theirs").await;
    let refused = store.finish(&id, &path("a"), plan).await;
    assert!(matches!(refused, Err(StoreError::Precondition)));
    assert_eq!(get(&store, "a").await, b"theirs");
    store.abandon(&id).await.unwrap();
    assert!(matches!(
        store.abandon(&id).await,
        Err(StoreError::NotFound)
    ));
}

async fn two_uploads_of_one_name_do_not_mix(store: impl Store) {
    let store = Arc::new(store);
    let writers = ["a".repeat(200_000), "b".repeat(200_000)].map(|text| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let chunks: Vec<Vec<u8>> = text.as_bytes().chunks(1000).map(<[u8]>::to_vec).collect();
            store
                .put(&path("x"), Plan::default(), body(chunks))
                .await
                .unwrap();
        })
    });
    for writer in writers {
        writer.await.unwrap();
    }
    let content = get(store.as_ref(), "x").await;
    assert_eq!(content.len(), 200_000);
    assert!(content.iter().all(|byte| *byte == content[0]));
}

async fn folders_are_made_and_removed_with_what_is_in_them(store: impl Store) {
    store.make_folder(&path("f")).await.unwrap();
    assert_eq!(store.entry(&path("f")).await.unwrap().kind, Kind::Folder);
    assert!(names(&store, "f").await.is_empty());
    assert!(matches!(
        store.make_folder(&path("f")).await,
        Err(StoreError::Exists)
    ));
    store.make_folder(&path("f/g")).await.unwrap();
    put(&store, "f/g/a", "x").await;
    assert_eq!(names(&store, "f").await, ["g"]);
    assert!(matches!(
        store.open(&path("f")).await.err(),
        Some(StoreError::IsFolder)
    ));
    let over = store.put(&path("f"), Plan::default(), body(["x"])).await;
    assert!(matches!(over, Err(StoreError::IsFolder)));
    store
        .remove(&path("f"), &Condition::default())
        .await
        .unwrap();
    assert!(matches!(
        store.entry(&path("f/g/a")).await,
        Err(StoreError::NotFound)
    ));
    assert!(names(&store, "").await.is_empty());
    let root = store.remove(&FilePath::root(), &Condition::default()).await;
    assert!(root.is_err());
    // An emptied folder is still there.
    store.make_folder(&path("e")).await.unwrap();
    put(&store, "e/a", "x").await;
    store
        .remove(&path("e/a"), &Condition::default())
        .await
        .unwrap();
    assert_eq!(names(&store, "").await, ["e"]);
}

/// A transfer that replaces whatever is there.
fn over() -> Transfer {
    Transfer {
        overwrite: Overwrite::Anything,
        ..Transfer::default()
    }
}

async fn renaming_moves_files_and_folders_whole(store: impl Store) {
    put(&store, "a", "a").await;
    put(&store, "b", "b").await;
    let never = Transfer::default();
    let kept = store.rename(&path("a"), &path("b"), &never).await;
    assert!(matches!(kept, Err(StoreError::Precondition)));
    let placed = store.rename(&path("a"), &path("b"), &over()).await.unwrap();
    assert!(placed.replaced && placed.entry.name == "b");
    assert_eq!(get(&store, "b").await, b"a");
    assert_eq!(names(&store, "").await, ["b"]);

    store.make_folder(&path("f")).await.unwrap();
    put(&store, "f/c", "c").await;
    let placed = store.rename(&path("f"), &path("g"), &never).await.unwrap();
    assert!(!placed.replaced && placed.entry.kind == Kind::Folder);
    assert_eq!(get(&store, "g/c").await, b"c");
    assert_eq!(names(&store, "").await, ["b", "g"]);
    for (from, to) in [
        ("g", "g/h"),
        ("g", "g"),
        ("", "h"),
        ("g/c", "g"),
        ("b", "x/y"),
        ("b", "b/y"),
    ] {
        for how in [&never, &over()] {
            let (from, to) = (&path(from), &path(to));
            assert!(store.rename(from, to, how).await.is_err(), "{from} {to}");
            assert!(store.copy(from, to, how).await.is_err(), "{from} {to}");
        }
    }
    let missing = store.rename(&path("x"), &path("y"), &over()).await;
    assert!(matches!(missing, Err(StoreError::NotFound)));
    assert_eq!(get(&store, "g/c").await, b"c");
    // The folder that something was moved out of is still there.
    store
        .rename(&path("g/c"), &path("c"), &never)
        .await
        .unwrap();
    assert_eq!(names(&store, "").await, ["b", "c", "g"]);
}

async fn what_is_replaced_goes_with_all_that_is_in_it(store: impl Store) {
    for moves in [false, true] {
        for (from, to) in [("file", "folder"), ("folder", "file"), ("folder", "other")] {
            put(&store, "file", "file").await;
            for (folder, name) in [("folder", "new"), ("other", "old")] {
                store.make_folder(&path(folder)).await.unwrap();
                store
                    .make_folder(&path(&format!("{folder}/sub")))
                    .await
                    .unwrap();
                put(&store, &format!("{folder}/{name}"), name).await;
            }
            let files = Transfer {
                overwrite: Overwrite::Files,
                ..Transfer::default()
            };
            for how in [&files, &over()] {
                let (from, to) = (&path(from), &path(to));
                let placed = if moves {
                    store.rename(from, to, how).await
                } else {
                    store.copy(from, to, how).await
                };
                match placed {
                    Ok(placed) => assert!(placed.replaced && how == &over()),
                    Err(StoreError::WouldRemove) => assert_eq!(how, &files),
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(store.entry(&path(from)).await.is_err(), moves);
            match from {
                "file" => assert_eq!(get(&store, to).await, b"file"),
                _ => assert_eq!(names(&store, to).await, ["new", "sub"]),
            }
            for name in ["file", "folder", "other"] {
                let _ = store.remove(&path(name), &Condition::default()).await;
            }
            assert!(names(&store, "").await.is_empty());
        }
    }
}

async fn copies_are_whole_and_of_the_depth_that_was_asked_for(store: impl Store) {
    store.make_folder(&path("f")).await.unwrap();
    store.make_folder(&path("f/g")).await.unwrap();
    put(&store, "f/g/a", "a").await;
    let placed = store.copy(&path("f"), &path("h"), &over()).await.unwrap();
    assert!(!placed.replaced);
    assert_eq!(get(&store, "h/g/a").await, b"a");
    let alone = Transfer {
        depth: Depth::Itself,
        ..over()
    };
    store.copy(&path("f"), &path("h"), &alone).await.unwrap();
    assert!(names(&store, "h").await.is_empty());
    store
        .copy(&path("f/g/a"), &path("b"), &over())
        .await
        .unwrap();
    assert_eq!(get(&store, "b").await, b"a");
    assert_eq!(get(&store, "f/g/a").await, b"a");
}

async fn conditions_decide_on_what_goes_elsewhere(store: impl Store) {
    let etag = put(&store, "a", "one").await.entry.etag.unwrap();
    store.make_folder(&path("f")).await.unwrap();
    put(&store, "f/x", "x").await;
    let long_ago = conditions(&[("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT")]);
    let now = conditions(&[("if-unmodified-since", "Fri, 06 Nov 2099 08:49:37 GMT")]);
    let how = |condition: &Condition| Transfer {
        condition: condition.clone(),
        ..over()
    };
    for (name, condition) in [
        ("a", Condition::is("other")),
        ("a", Condition::absent()),
        ("a", long_ago.clone()),
        ("f", Condition::is("other")),
        ("f", Condition::absent()),
        ("f", long_ago.clone()),
    ] {
        let (from, to) = (&path(name), &path("to"));
        let moved = store.rename(from, to, &how(&condition)).await;
        assert!(
            matches!(moved, Err(StoreError::Precondition)),
            "{name} {condition:?}"
        );
        let copied = store.copy(from, to, &how(&condition)).await;
        assert!(
            matches!(copied, Err(StoreError::Precondition)),
            "{name} {condition:?}"
        );
        let removed = store.remove(from, &condition).await;
        assert!(
            matches!(removed, Err(StoreError::Precondition)),
            "{name} {condition:?}"
        );
    }
    let plan = Plan {
        condition: long_ago,
        ..Plan::default()
    };
    let put = store.put(&path("a"), plan.clone(), body(["two"])).await;
    assert!(matches!(put, Err(StoreError::Precondition)));
    assert_eq!(names(&store, "").await, ["a", "f"]);
    assert_eq!(get(&store, "a").await, b"one");
    for condition in [Condition::is(&etag), Condition::present(), now.clone()] {
        store
            .copy(&path("a"), &path("b"), &how(&condition))
            .await
            .unwrap();
    }
    for condition in [Condition::present(), now] {
        store
            .copy(&path("f"), &path("g"), &how(&condition))
            .await
            .unwrap();
    }
    store
        .rename(&path("a"), &path("c"), &how(&Condition::is(&etag)))
        .await
        .unwrap();
    assert_eq!(names(&store, "").await, ["b", "c", "f", "g"]);
}

fn conditions(pairs: &[(&'static str, &'static str)]) -> Condition {
    let headers = pairs.iter().map(|(name, value)| {
        let name = http::HeaderName::from_static(name);
        (name, http::HeaderValue::from_static(value))
    });
    Condition::of(&headers.collect()).unwrap()
}

fn say(xml: &str) -> PropertyChanges {
    changes(&[serde_json::json!({"set": xml})])
}

fn changes(changes: &[serde_json::Value]) -> PropertyChanges {
    PropertyChanges::from_json(&serde_json::to_vec(changes).unwrap()).unwrap()
}

async fn said(store: &impl Store, name: &str) -> String {
    let properties = store.properties(&path(name)).await.unwrap();
    serde_json::to_string(&properties).unwrap()
}

async fn properties_stay_with_what_they_are_about(store: impl Store) {
    let any = Condition::default();
    for folder in ["f", "f/g"] {
        store.make_folder(&path(folder)).await.unwrap();
    }
    put(&store, "f/g/a", "one").await;
    put(&store, "f/g/b", "two").await;
    for name in ["f", "f/g/a"] {
        let change = say(&format!("<n xmlns=\"u\">{name}</n>"));
        store
            .set_properties(&path(name), &any, change)
            .await
            .unwrap();
    }
    let (of_f, of_a) = (
        r#"["<n xmlns=\"u\">f</n>"]"#,
        r#"["<n xmlns=\"u\">f/g/a</n>"]"#,
    );
    let (change, other) = (say("<m/>"), Condition::is("x"));
    let stale = store
        .set_properties(&path("f/g/a"), &other, change.clone())
        .await;
    assert!(matches!(stale, Err(StoreError::Precondition)));
    let nothing = store.set_properties(&path("f/x"), &any, change).await;
    assert!(matches!(nothing, Err(StoreError::NotFound)));
    let many = (0..64).map(|n| serde_json::json!({"set": format!("<m{n}/>")}));
    let many = changes(&many.collect::<Vec<_>>());
    let many = store.set_properties(&path("f/g/a"), &any, many).await;
    assert!(matches!(many, Err(StoreError::Properties)));
    put(&store, "f/g/a", "three").await;
    assert_eq!(
        said(&store, "f/g/a").await,
        of_a,
        "a new version is the same file"
    );
    let with = store.with_properties(&path("f/g")).await.unwrap();
    assert!(with.contains("a") && !with.contains("b"));

    store.copy(&path("f"), &path("h"), &over()).await.unwrap();
    store.rename(&path("f"), &path("i"), &over()).await.unwrap();
    for name in ["h", "i"] {
        assert_eq!(said(&store, name).await, of_f);
        assert_eq!(said(&store, &format!("{name}/g/a")).await, of_a);
    }
    let alone = Transfer {
        depth: Depth::Itself,
        ..over()
    };
    store.copy(&path("i"), &path("h"), &alone).await.unwrap();
    assert_eq!(said(&store, "h").await, of_f);
    store
        .rename(&path("i/g/a"), &path("i/g/b"), &over())
        .await
        .unwrap();
    assert_eq!(said(&store, "i/g/b").await, of_a);
    store.remove(&path("i"), &any).await.unwrap();
    store.make_folder(&path("i")).await.unwrap();
    store.make_folder(&path("i/g")).await.unwrap();
    put(&store, "i/g/b", "another").await;
    assert_eq!(said(&store, "i").await, "[]");
    assert_eq!(said(&store, "i/g/b").await, "[]", "what is new has none");
    let remove = changes(&[serde_json::json!({"remove": "<n xmlns=\"u\"/>"})]);
    store
        .set_properties(&path("h"), &any, remove)
        .await
        .unwrap();
    assert_eq!(said(&store, "h").await, "[]");
}

async fn what_is_not_there_is_said_to_be_not_there(store: impl Store) {
    put(&store, "a", "x").await;
    for missing in ["b", "b/c", "a/b"] {
        let missing = path(missing);
        assert!(matches!(
            store.entry(&missing).await,
            Err(StoreError::NotFound)
        ));
        assert!(matches!(
            store.open(&missing).await.err(),
            Some(StoreError::NotFound)
        ));
        let removed = store.remove(&missing, &Condition::default()).await;
        assert!(matches!(removed, Err(StoreError::NotFound)));
    }
    assert!(matches!(
        store.list(&path("b"), None, 10).await,
        Err(StoreError::NotFound)
    ));
    assert!(matches!(
        store.list(&path("a"), None, 10).await,
        Err(StoreError::IsFile)
    ));
    let id = upload("b");
    assert!(matches!(store.offset(&id).await, Err(StoreError::NotFound)));
    assert!(matches!(
        store.append(&id, 1, body(["x"])).await,
        Err(StoreError::NotFound)
    ));
    let finished = store.finish(&id, &path("b"), Plan::default()).await;
    assert!(matches!(finished, Err(StoreError::NotFound)));
    assert_eq!(
        store.entry(&FilePath::root()).await.unwrap().kind,
        Kind::Folder
    );
}
