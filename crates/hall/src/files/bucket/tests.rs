use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use super::*;
use crate::files::store::Overwrite;
use crate::problem::Problem;
use hallway_client::SecureUrl;

const OUT_OF_ORDER: &str =
    "HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const FILE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\netag: \"tag\"\r\n\
    last-modified: Sat, 01 Jan 2022 00:00:00 GMT\r\nconnection: close\r\n\r\n";

/// An object store that answers 503 to its first `broken` requests.
async fn store(broken: usize) -> (BucketStore, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = settings(format!("http://{}", listener.local_addr().unwrap()));
    let asked = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let _ = tcp.read(&mut [0; 8192]).await.unwrap();
            let number = counting.fetch_add(1, Ordering::Relaxed);
            let answer = if number < broken { OUT_OF_ORDER } else { FILE };
            let _ = tcp.write_all(answer.as_bytes()).await;
        }
    });
    let pause = Duration::from_millis(1);
    (
        BucketStore::patient(&settings, pause, Duration::from_secs(10)).unwrap(),
        asked,
    )
}

#[tokio::test]
async fn a_store_that_answers_503_is_asked_again() {
    let (store, asked) = store(3).await;
    let entry = store.entry(&"a".parse().unwrap()).await.unwrap();
    assert_eq!((entry.bytes, entry.etag.as_deref()), (5, Some("tag")));
    assert_eq!(asked.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn a_store_that_stays_out_of_order_is_told_as_such() {
    let (store, asked) = store(usize::MAX).await;
    let error = store.entry(&"a".parse().unwrap()).await.unwrap_err();
    assert!(asked.load(Ordering::Relaxed) > 3);
    let problem = Problem::from(error);
    assert_eq!((problem.status, problem.code.as_str()), (503, "store-down"));
    assert!(!problem.detail.contains("127.0.0.1"));
}

#[tokio::test]
async fn a_store_that_knows_no_conditions_is_written_after_they_were_judged_here() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = settings(format!("http://{}", listener.local_addr().unwrap()));
    let refused = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&refused);
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 8192];
            let read = tcp.read(&mut head).await.unwrap();
            let head = String::from_utf8_lossy(&head[..read]).to_lowercase();
            let answer = if head.starts_with("put") && head.contains("\r\nif-match:") {
                counting.fetch_add(1, Ordering::Relaxed);
                "HTTP/1.1 501 Not Implemented\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            } else if head.starts_with("put") {
                "HTTP/1.1 200 OK\r\netag: \"tag\"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            } else {
                FILE
            };
            let _ = tcp.write_all(answer.as_bytes()).await;
        }
    });
    let pause = Duration::from_millis(1);
    let store = BucketStore::patient(&settings, pause, Duration::from_millis(50)).unwrap();
    let path = "a".parse().unwrap();
    let write = async |condition: Condition| {
        let plan = Plan {
            condition,
            ..Plan::default()
        };
        store.put(&path, plan, stream::empty().boxed()).await
    };
    write(Condition::is("tag")).await.unwrap();
    let before = refused.load(Ordering::Relaxed);
    assert!(before > 0);
    write(Condition::present()).await.unwrap();
    let stale = write(Condition::is("another")).await;
    assert!(matches!(stale, Err(StoreError::Precondition)));
    assert_eq!(
        refused.load(Ordering::Relaxed),
        before,
        "it is not asked again"
    );
}

#[tokio::test]
async fn only_uploads_that_nobody_goes_on_with_are_thrown_away() {
    let objects = object_store::memory::InMemory::new();
    let uploads = Path::from("data/.hallway/uploads");
    for key in [
        "data/file",
        "data/.hallway/uploads/one/0",
        "data/.hallway/uploads/two/0",
    ] {
        objects.put(&key.into(), PutPayload::new()).await.unwrap();
    }
    let young = pieces::older_than(&objects, &uploads, UPLOAD_LIFETIME)
        .await
        .unwrap();
    assert_eq!(young, []);
    tokio::time::sleep(Duration::from_millis(5)).await;
    let old = pieces::older_than(&objects, &uploads, Duration::from_millis(1)).await;
    assert_eq!(old.unwrap().len(), 2);
}

/// A store that answers every list with `keys` and `groups`, and has no other object.
async fn listing(keys: &[&str], groups: &[&str]) -> BucketStore {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = settings(format!("http://{}", listener.local_addr().unwrap()));
    let mut list = "<ListBucketResult>".to_owned();
    for key in keys {
        list.push_str(&format!(
            "<Contents><Key>{key}</Key><Size>0</Size><ETag>\"tag\"</ETag>\
             <LastModified>2022-01-01T00:00:00.000Z</LastModified></Contents>"
        ));
    }
    for group in groups {
        list.push_str(&format!(
            "<CommonPrefixes><Prefix>{group}</Prefix></CommonPrefixes>"
        ));
    }
    list.push_str("</ListBucketResult>");
    let list = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{list}",
        list.len()
    );
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 8192];
            let read = tcp.read(&mut head).await.unwrap();
            let nothing =
                "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let asks = head[..read].starts_with(b"GET /bucket?");
            let answer = if asks { &list } else { nothing };
            let _ = tcp.write_all(answer.as_bytes()).await;
        }
    });
    BucketStore::patient(
        &settings,
        Duration::from_millis(1),
        Duration::from_millis(50),
    )
    .unwrap()
}

#[tokio::test]
async fn keys_that_no_file_can_have_hide_no_others() {
    let keys = [
        "f/",
        "f/a",
        "f//b",
        "f/./c",
        "f/tab&#9;",
        "f/nul&#1;x",
        "/f/lead",
        "../f",
    ];
    let store = listing(&keys, &["f/sub/", "f//", "f/./"]).await;
    let folder: FilePath = "f".parse().unwrap();
    let page = store.list(&folder, None, 100).await.unwrap();
    let found: Vec<_> = page
        .entries
        .iter()
        .map(|entry| (entry.name.as_str(), entry.kind))
        .collect();
    assert_eq!(found, [("a", Kind::File), ("sub", Kind::Folder)]);
    // Otherwise, objects that no request can name would be left behind unseen.
    let to: FilePath = "g".parse().unwrap();
    let how = Transfer::default();
    for refused in [
        store.remove(&folder, &Condition::default()).await.err(),
        store.rename(&folder, &to, &how).await.err(),
    ] {
        let problem = Problem::from(refused.unwrap());
        assert_eq!(
            (problem.status, problem.code.as_str()),
            (409, "store-cannot")
        );
        assert!(problem.detail.contains("a//b"), "{}", problem.detail);
    }
}

#[tokio::test]
async fn the_object_of_a_folder_is_no_file_in_it() {
    let store = listing(&["f/"], &[]).await;
    let folder: FilePath = "f".parse().unwrap();
    let entry = store.entry(&folder).await.unwrap();
    assert_eq!((entry.kind, entry.modified_ms), (Kind::Folder, None));
    let page = store.list(&folder, None, 100).await.unwrap();
    assert_eq!(page.entries, []);
    let below = store.below(&folder).await.unwrap().whole().unwrap();
    let keys: Vec<_> = below.iter().map(Path::as_ref).collect();
    assert_eq!(keys, ["f/"]);
}

#[tokio::test]
async fn an_object_that_has_the_name_of_a_folder_is_listed_once() {
    let objects = Arc::new(object_store::memory::InMemory::new());
    for key in ["data/a", "data/a/b", "data/c"] {
        objects.put(&key.into(), PutPayload::new()).await.unwrap();
    }
    let store = BucketStore::over(objects, "data").unwrap();
    let page = store.list(&FilePath::root(), None, 1).await.unwrap();
    let found: Vec<_> = (page.entries.iter())
        .map(|entry| (entry.name.as_str(), entry.kind))
        .collect();
    assert_eq!(found, [("a", Kind::File)]);
    assert_eq!(page.next.as_deref(), Some("a"));
    let entry = store.entry(&"a".parse().unwrap()).await.unwrap();
    assert_eq!(entry.kind, Kind::File);
}

fn settings(endpoint: String) -> BucketSettings {
    BucketSettings {
        endpoint: Some(endpoint.parse().unwrap()),
        region: "here".to_owned(),
        bucket: "bucket".to_owned(),
        prefix: None,
        access_key: "key".to_owned(),
        secret_key: Zeroizing::new("secret".to_owned()),
    }
}

#[test]
fn plain_http_is_spoken_with_this_machine_only() {
    for endpoint in [
        "http://bucket.example",
        "HTTP://192.0.2.1:3900",
        "http://localhost.evil.example",
        "http://localhost@evil.example",
        "http://[::ffff:127.0.0.1]",
    ] {
        assert!(endpoint.parse::<SecureUrl>().is_err(), "{endpoint}");
    }
    for endpoint in [
        "http://127.0.0.1:3900",
        "http://localhost:3900",
        "https://bucket.example",
    ] {
        assert!(
            BucketStore::new(&settings(endpoint.to_owned())).is_ok(),
            "{endpoint}"
        );
    }
}

#[tokio::test]
async fn no_redirection_is_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = here.local_addr().unwrap().port();
    let to = elsewhere.local_addr().unwrap();
    let asked = tokio::spawn(async move {
        let (mut tcp, _) = here.accept().await.unwrap();
        let _ = tcp.read(&mut [0; 8192]).await.unwrap();
        let answer = format!(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{to}/bucket/a\r\n\
             content-length: 0\r\nconnection: close\r\n\r\n"
        );
        tcp.write_all(answer.as_bytes()).await.unwrap();
    });
    let store = BucketStore::patient(
        &settings(format!("http://store.localhost:{port}")),
        Duration::from_millis(1),
        Duration::from_millis(1),
    )
    .unwrap();
    let path = "a".parse().unwrap();
    tokio::select! {
        found = store.entry(&path) => assert!(found.is_err()),
        _ = elsewhere.accept() => panic!("it went where it was sent"),
    }
    asked.await.unwrap();
}

#[tokio::test]
async fn kept_properties_that_cannot_be_read_count_as_none() {
    let objects: Arc<dyn ObjectStore> = Arc::new(object_store::memory::InMemory::new());
    let store = BucketStore::over(Arc::clone(&objects), "").unwrap();
    let path = |path: &str| path.parse::<FilePath>().unwrap();
    store.make_folder(&path("f")).await.unwrap();
    let kept = Path::from(".hallway/properties/f/.hallway");
    for wrong in ["{", "[\"<x\"]", &format!("[{}1]", " ".repeat(200_000))] {
        let wrong = PutPayload::from(wrong.to_owned());
        objects.put(&kept, wrong).await.unwrap();
        assert!(store.properties(&path("f")).await.unwrap().is_empty());
        let alone = Transfer {
            depth: Depth::Itself,
            overwrite: Overwrite::Anything,
            ..Transfer::default()
        };
        store.copy(&path("f"), &path("g"), &alone).await.unwrap();
        assert!(store.properties(&path("g")).await.unwrap().is_empty());
    }
}
