use std::io;
use std::path::Path;

use bytes::Bytes;
use futures_util::stream;
use http::Method;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::*;
use crate::files::FolderStore;
use crate::files::pack::{self, MOST_PACKED_FILES, PackWanted, PackedHead};
use crate::foreign::PACK;

mod changes;
mod conditions;

const ALL: StoreAccess = StoreAccess {
    read: true,
    write: true,
    delete: true,
};

struct Site {
    folder: tempfile::TempDir,
    store: Arc<dyn Store>,
    access: StoreAccess,
    pass: Pass,
}

struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn code(&self) -> String {
        let problem: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        problem["code"].as_str().unwrap().to_owned()
    }
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(FolderStore::open(folder.path()).unwrap());
        Self {
            folder,
            store,
            access: ALL,
            pass: Pass::default(),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    async fn ask(&self, method: &str, uri: &str, headers: &[(&str, &str)], body: Body) -> Reply {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(format!("/files/data{uri}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).unwrap();
        let store = Arc::clone(&self.store);
        let response = serve(store, self.access, "/files/data", &self.pass, request).await;
        let (head, body) = response.into_parts();
        Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    async fn send(&self, method: &str, uri: &str, headers: &[(&str, &str)]) -> Reply {
        self.ask(method, uri, headers, body::empty()).await
    }

    async fn put(&self, uri: &str, text: &'static str) -> Reply {
        self.ask("PUT", uri, &[], body::full(text)).await
    }

    fn partial_files(&self) -> usize {
        std::fs::read_dir(self.path().join(".hallway/uploads"))
            .unwrap()
            .count()
    }
}

/// Breaks off after `text`.
fn broken(text: &'static str, kind: io::ErrorKind) -> Body {
    let frames = [Ok(Frame::data(Bytes::from(text))), Err(kind.into())];
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}

#[tokio::test]
async fn a_file_is_put_read_and_deleted() {
    let site = Site::new();
    let put = site.put("/a.txt", "hello").await;
    assert_eq!(put.status, 201);
    let digest = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";
    assert_eq!(put.header("repr-digest"), digest);
    let got = site
        .send("GET", "/a.txt", &[("want-repr-digest", "sha-256=1")])
        .await;
    assert_eq!((got.status, got.body.as_ref()), (200, b"hello".as_slice()));
    assert_eq!(got.header("etag"), put.header("etag"));
    assert_eq!(got.header("repr-digest"), digest);
    assert_eq!(got.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(
        got.header("content-security-policy"),
        "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let head = site.send("HEAD", "/a.txt", &[]).await;
    assert_eq!((head.header("content-length"), head.body.len()), ("5", 0));
    // A range is for GET.
    for range in ["bytes=1-2", "bytes=9-"] {
        let head = site.send("HEAD", "/a.txt", &[("range", range)]).await;
        assert_eq!((head.status, head.header("content-length")), (200, "5"));
    }
    site.put("/empty", "").await;
    let empty = site.send("GET", "/empty", &[("range", "bytes=0-99")]).await;
    assert_eq!((empty.status, empty.header("content-length")), (200, "0"));
    assert_eq!(site.put("/a.txt", "again").await.status, 204);
    assert_eq!(site.send("DELETE", "/a.txt", &[]).await.status, 204);
    assert_eq!(site.send("GET", "/a.txt", &[]).await.status, 404);
    assert_eq!(
        (site.pass.flow.received(), site.pass.flow.sent() > 5),
        (10, true)
    );
}

#[tokio::test]
async fn a_download_goes_on_only_with_the_same_file() {
    let site = Site::new();
    let etag = site.put("/a", "0123456789").await.header("etag").to_owned();
    let rest = [("range", "bytes=4-"), ("if-match", &etag)];
    let part = site.send("GET", "/a", &rest).await;
    assert_eq!(
        (part.status, part.body.as_ref()),
        (206, b"456789".as_slice())
    );
    assert_eq!(part.header("content-range"), "bytes 4-9/10");
    let beyond = site.send("GET", "/a", &[("range", "bytes=10-")]).await;
    assert_eq!(
        (beyond.status, beyond.header("content-range")),
        (416, "bytes */10")
    );
    let same = site.send("GET", "/a", &[("if-none-match", &etag)]).await;
    assert_eq!(same.status, 304);
    site.put("/a", "9876543210").await;
    assert_eq!(site.send("GET", "/a", &rest).await.status, 412);
}

#[tokio::test]
async fn an_upload_is_resumed_where_it_broke_off_also_by_another_process() {
    let mut site = Site::new();
    let upload = "/big?upload=0123456789abcdef";
    let first = [("upload-offset", "0"), ("upload-complete", "?1")];
    let body = broken("hel", io::ErrorKind::ConnectionReset);
    let broke = site.ask("PATCH", upload, &first, body).await;
    assert_eq!((broke.status, broke.code().as_str()), (400, "broken-off"));
    assert_eq!(site.send("GET", "/big", &[]).await.status, 404);
    // The program was killed and started again.
    site.store = Arc::new(FolderStore::open(site.path()).unwrap());
    let state = site.send("HEAD", upload, &[]).await;
    assert_eq!((state.status, state.header("upload-offset")), (204, "3"));
    let wrong = site.ask("PATCH", upload, &first, body::full("hello")).await;
    assert_eq!((wrong.status, wrong.header("upload-offset")), (409, "3"));
    assert_eq!(wrong.code(), "mismatching-upload-offset");
    let rest = [
        ("upload-offset", "3"),
        ("upload-complete", "?1"),
        ("upload-length", "5"),
        ("x-oc-mtime", "1700000000.5"),
        (
            "repr-digest",
            "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:",
        ),
    ];
    let done = site.ask("PATCH", upload, &rest, body::full("lo")).await;
    assert_eq!((done.status, done.header("x-oc-mtime")), (201, "accepted"));
    // No answer about files redirects.
    assert!(!done.headers.contains_key("location"));
    let list = site.send("GET", "/", &[]).await;
    let list: serde_json::Value = serde_json::from_slice(&list.body).unwrap();
    assert_eq!(list["entries"][0]["name"], "big");
    assert_eq!(list["entries"][0]["kind"], "file");
    assert_eq!(list["entries"][0]["modified_ms"], 1_700_000_000_500_u64);
    assert_eq!(
        (
            site.send("HEAD", upload, &[]).await.status,
            site.partial_files()
        ),
        (404, 0)
    );
}

#[tokio::test]
async fn a_wrong_checksum_is_refused_and_nothing_is_seen() {
    let site = Site::new();
    let other = [(
        "repr-digest",
        "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:",
    )];
    let put = site.ask("PUT", "/a", &other, body::full("hello")).await;
    assert_eq!((put.status, put.code().as_str()), (400, "digest-mismatch"));
    let patch = [other[0], ("upload-offset", "0"), ("upload-complete", "?1")];
    let upload = "/a?upload=0123456789abcdef";
    let patched = site.ask("PATCH", upload, &patch, body::full("hello")).await;
    assert_eq!(
        (patched.status, patched.code().as_str()),
        (400, "digest-mismatch")
    );
    assert_eq!(
        (
            site.send("GET", "/a", &[]).await.status,
            site.partial_files()
        ),
        (404, 0)
    );
}

#[tokio::test]
async fn a_body_that_lies_about_its_length_leaves_nothing() {
    let site = Site::new();
    for length in ["4", "6"] {
        let put = site
            .ask(
                "PUT",
                "/a",
                &[("content-length", length)],
                body::full("hello"),
            )
            .await;
        assert_eq!((put.status, put.code().as_str()), (400, "wrong-length"));
    }
    assert_eq!(
        (
            site.send("GET", "/a", &[]).await.status,
            site.partial_files()
        ),
        (404, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_sender_of_one_byte_a_minute_is_refused_and_leaves_nothing() {
    let site = Site::new();
    let frames = stream::unfold((), |()| async {
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        Some((Ok(Frame::data(Bytes::from("x"))), ()))
    });
    let body = StreamBody::new(frames).boxed_unsync();
    let put = site.ask("PUT", "/a", &[], body).await;
    assert_eq!((put.status, put.code().as_str()), (408, "too-slow"));
    assert_eq!(site.partial_files(), 0);
}

#[tokio::test]
async fn an_ended_grant_breaks_off_what_is_under_way() {
    let site = Site::new();
    site.put("/a", "hello").await;
    let ask = |method: &str, name: &str, body| {
        let uri = format!("/files/data/{name}");
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .body(body)
            .unwrap();
        serve(
            Arc::clone(&site.store),
            ALL,
            "/files/data",
            &site.pass,
            request,
        )
    };
    // The answer has begun when the grant ends.
    let download = ask("GET", "a", body::empty()).await;
    site.pass.cut.cancel();
    assert!(download.into_body().collect().await.is_err());
    let upload = ask("PUT", "b", body::full("hello")).await;
    assert_eq!(upload.status(), 400);
    assert!(!site.path().join("b").exists());
    assert_eq!(site.partial_files(), 0);
}

#[tokio::test]
async fn a_connection_that_is_dropped_leaves_no_partial_file() {
    let site = Site::new();
    let forever = StreamBody::new(
        stream::iter([Ok(Frame::data(Bytes::from(vec![0; 600_000])))]).chain(stream::pending()),
    );
    {
        let put = site.ask("PUT", "/a", &[], forever.boxed_unsync());
        tokio::pin!(put);
        while site.partial_files() == 0 {
            tokio::select! {
                _ = &mut put => unreachable!(),
                () = tokio::time::sleep(std::time::Duration::from_millis(1)) => {}
            }
        }
    }
    while site.partial_files() > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn each_method_needs_its_right() {
    let mut site = Site::new();
    site.put("/a", "x").await;
    type Ask = (
        &'static str,
        &'static str,
        &'static [(&'static str, &'static str)],
        [bool; 3],
    );
    const TO: (&str, &str) = ("destination", "/files/data/b");
    const PATCH: &[(&str, &str)] = &[("upload-offset", "0"), ("upload-complete", "?1")];
    const UPLOAD: &str = "/c?upload=0123456789abcdef";
    const PROPERTIES: &str = "/a?properties";
    let asks: [Ask; 12] = [
        ("GET", "/a", &[], [true, false, false]),
        ("HEAD", "/a", &[], [true, false, false]),
        ("PROPFIND", "/", &[("depth", "1")], [true, false, false]),
        ("PROPPATCH", "/a", &[], [false, true, false]),
        ("PATCH", PROPERTIES, &[], [false, true, false]),
        ("PUT", "/p", &[], [false, true, false]),
        ("PATCH", UPLOAD, PATCH, [false, true, false]),
        ("HEAD", UPLOAD, &[], [false, true, false]),
        ("MKCOL", "/f", &[], [false, true, false]),
        ("COPY", "/a", &[TO], [true, true, false]),
        ("MOVE", "/a", &[TO], [false, true, true]),
        ("DELETE", "/a", &[], [false, false, true]),
    ];
    for (method, uri, headers, needed) in asks {
        for missing in (0..3).filter(|right| needed[*right]) {
            site.access = StoreAccess {
                read: missing != 0,
                write: missing != 1,
                delete: missing != 2,
            };
            let reply = site.send(method, uri, headers).await;
            assert_eq!(reply.status, 403, "{method} {uri} without right {missing}");
            if method != "HEAD" {
                assert_eq!(reply.code(), "not-granted");
            }
        }
    }
    for (method, uri, headers, needed) in asks {
        site.access = StoreAccess {
            read: needed[0],
            write: needed[1],
            delete: needed[2],
        };
        let reply = site.send(method, uri, headers).await;
        assert!(reply.status != 403, "{method} {uri} with its rights");
    }
}

#[tokio::test]
async fn tricks_with_paths_are_refused_and_links_lead_nowhere() {
    let site = Site::new();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    let link = |to: &Path, name: &str| {
        std::os::unix::fs::symlink(to, site.path().join(name)).unwrap();
    };
    link(outside.path(), "out");
    link(&outside.path().join("secret"), "file");
    link(Path::new("../"), "up");
    link(Path::new("loop"), "loop");
    let long = format!("/{}", "n".repeat(4096));
    for uri in [
        "/..%2f..%2fetc/passwd",
        "/%2e%2e/x",
        "/a%00b",
        "/.hallway/uploads/x",
        "/a%0d",
        &long,
    ] {
        for method in ["GET", "PUT", "DELETE", "MKCOL", "PROPFIND"] {
            let reply = site.send(method, uri, &[("depth", "1")]).await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (400, "malformed"),
                "{method} {uri}"
            );
        }
    }
    for uri in ["/out/secret", "/file", "/up/x", "/out/new", "/loop"] {
        for method in ["GET", "PUT", "PROPFIND", "MKCOL"] {
            let reply = site.send(method, uri, &[("depth", "1")]).await;
            assert!(reply.status >= 400, "{method} {uri}: {}", reply.status);
        }
    }
    let to = [("destination", "/files/data/out/moved")];
    site.put("/a", "x").await;
    for method in ["MOVE", "COPY"] {
        assert!(site.send(method, "/a", &to).await.status >= 400);
    }
    let list = site.send("GET", "/", &[]).await;
    let list: serde_json::Value = serde_json::from_slice(&list.body).unwrap();
    assert_eq!(list["entries"].as_array().unwrap().len(), 1, "{list}");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    let secret = std::fs::read(outside.path().join("secret")).unwrap();
    assert_eq!(secret, b"secret");
}

#[tokio::test]
async fn other_stores_are_not_reached() {
    let site = Site::new();
    site.put("/a", "x").await;
    for to in [
        "/files/other/a",
        "/files/database",
        "/files/data",
        "https://x/files/other/a",
    ] {
        let moved = site.send("MOVE", "/a", &[("destination", to)]).await;
        assert!(moved.status >= 400, "{to}");
    }
    let request = Request::builder()
        .uri("/files/database/a")
        .body(body::empty())
        .unwrap();
    let store = Arc::clone(&site.store);
    let other = serve(store, ALL, "/files/data", &site.pass, request).await;
    assert_eq!(other.status(), 404);
}

#[tokio::test]
async fn webdav_makes_lists_copies_and_moves() {
    let site = Site::new();
    assert_eq!(site.send("OPTIONS", "/", &[]).await.header("dav"), "1");
    assert_eq!(site.send("MKCOL", "/f", &[]).await.status, 201);
    assert_eq!(site.send("MKCOL", "/f", &[]).await.status, 405);
    assert_eq!(site.send("MKCOL", "/x/y", &[]).await.status, 409);
    assert_eq!(site.put("/x/y", "x").await.code(), "no-such-folder");
    assert_eq!(site.put("/f", "x").await.code(), "is-a-folder");
    site.put("/f/a%20b.txt", "hello").await;

    let list = site.send("PROPFIND", "/", &[("depth", "1")]).await;
    assert_eq!(list.status, 207);
    let text = String::from_utf8(list.body.to_vec()).unwrap();
    assert!(text.contains("<D:href>/files/data/</D:href>"), "{text}");
    assert!(text.contains("<D:href>/files/data/f/</D:href>"), "{text}");
    assert!(
        text.contains("<D:resourcetype><D:collection/></D:resourcetype>"),
        "{text}"
    );
    let file = site
        .send("PROPFIND", "/f/a%20b.txt", &[("depth", "0")])
        .await;
    let text = String::from_utf8(file.body.to_vec()).unwrap();
    assert!(
        text.contains("<D:href>/files/data/f/a%20b.txt</D:href>"),
        "{text}"
    );
    assert!(
        text.contains("<D:getcontentlength>5</D:getcontentlength>"),
        "{text}"
    );
    assert_eq!(site.send("PROPFIND", "/", &[]).await.status, 403);
    let all = [("depth", "infinity")];
    assert_eq!(site.send("PROPFIND", "/f/", &all).await.status, 403);
    for headers in [&all[..], &[], &[("depth", "1")], &[("depth", "1,noroot")]] {
        let file = site.send("PROPFIND", "/f/a%20b.txt", headers).await;
        let text = String::from_utf8(file.body.to_vec()).unwrap();
        assert_eq!((file.status, text.matches("<D:href>").count()), (207, 1));
    }
    let without_root = site.send("PROPFIND", "/f/", &[("depth", "1,noroot")]).await;
    let text = String::from_utf8(without_root.body.to_vec()).unwrap();
    assert_eq!(text.matches("<D:href>").count(), 2, "{text}");
    assert_eq!(
        site.send("PROPFIND", "/none", &[("depth", "0")])
            .await
            .status,
        404
    );

    let to = |to: &'static str| ("destination", to);
    let address = to("https://any:1/files/data/g");
    for (host, copied) in [("other:1", 502), ("any:1", 201)] {
        let asked = [address, ("host", host)];
        assert_eq!(site.send("COPY", "/f", &asked).await.status, copied);
    }
    assert_eq!(
        site.send("GET", "/g/a%20b.txt", &[]).await.body.as_ref(),
        b"hello"
    );
    let over = [to("/files/data/f/a%20b.txt"), ("overwrite", "F")];
    let kept = site.send("MOVE", "/g/a%20b.txt", &over).await;
    assert_eq!(kept.status, 412);
    let moved = site.send("MOVE", "/g", &[to("/files/data/h")]).await;
    assert_eq!(moved.status, 201);
    assert_eq!(site.send("GET", "/g/a%20b.txt", &[]).await.status, 404);
    assert_eq!(site.send("DELETE", "/h", &[]).await.status, 204);
    assert_eq!(site.send("DELETE", "/", &[]).await.status, 409);
    assert_eq!(site.send("LOCK", "/f", &[]).await.status, 405);
}

fn packed(files: &[(&str, &str)]) -> Body {
    let mut pack = Vec::new();
    for (path, text) in files {
        let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        let head = PackedHead {
            path: (*path).to_owned(),
            bytes: text.len() as u64,
            modified_ms: Some(1_700_000_000_123),
            sha256: hex::encode(sum),
            if_match: None,
            if_none_match: None,
        };
        pack::add(&mut pack, &head, text.as_bytes()).unwrap();
    }
    body::full(pack)
}

#[tokio::test]
async fn a_pack_puts_many_files_and_answers_for_each() {
    let site = Site::new();
    std::fs::create_dir_all(site.path().join("to/sub")).unwrap();
    let kind = [("content-type", PACK)];
    let files = packed(&[
        ("a", "one"),
        ("sub/b", "two"),
        ("../c", "out of the folder"),
        (".hallway/uploads/d", "reserved"),
        ("nowhere/e", "no such folder"),
        ("f", ""),
    ]);
    let reply = site.ask("POST", "/to/", &kind, files).await;
    assert_eq!(reply.status, 200);
    let verdicts: Vec<Option<Problem>> = serde_json::from_slice(&reply.body).unwrap();
    let codes: Vec<_> = verdicts
        .iter()
        .map(|verdict| verdict.as_ref().map(|problem| problem.code.as_str()))
        .collect();
    let (wrong, lost) = (Some("malformed"), Some("no-such-folder"));
    assert_eq!(codes, [None, None, wrong, wrong, lost, None]);
    let there = |path: &str| std::fs::read_to_string(site.path().join(path)).unwrap();
    assert_eq!(
        (there("to/a"), there("to/sub/b")),
        ("one".to_owned(), "two".to_owned())
    );
    let modified = std::fs::metadata(site.path().join("to/f")).unwrap();
    let modified = modified.modified().unwrap();
    let modified = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(modified.as_millis(), 1_700_000_000_123);
    assert!(!site.path().join("c").exists());
    assert_eq!(site.partial_files(), 0);
}

#[tokio::test]
async fn files_that_are_asked_for_together_come_in_one_pack() {
    let mut site = Site::new();
    std::fs::create_dir_all(site.path().join("from/sub")).unwrap();
    for number in 0..20 {
        site.put(&format!("/from/sub/{number:02}"), "hello").await;
    }
    let mut paths: Vec<_> = (0..20).map(|number| format!("sub/{number:02}")).collect();
    paths.extend(["sub", "nothing", "../from/sub/00"].map(str::to_owned));
    let list = serde_json::to_vec(&PackWanted { paths }).unwrap();
    let kind = [("content-type", "application/json")];
    let reply = site
        .ask("POST", "/from/", &kind, body::full(list.clone()))
        .await;
    assert_eq!((reply.status, reply.header("content-type")), (200, PACK));
    let body = stream::iter([Ok(reply.body)]).boxed();
    let mut files = pack::Unpacking::new(body);
    for number in 0..20 {
        let (head, content) = files.next().await.unwrap().unwrap();
        assert_eq!(head.path, format!("sub/{number:02}"));
        assert_eq!(&content[..], b"hello");
        let sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!((head.bytes, head.sha256.as_str()), (5, sum));
    }
    assert_eq!(
        files.next().await.unwrap(),
        None,
        "what can't be is left out"
    );
    let no_list = site.ask("POST", "/from/", &kind, body::full("[")).await;
    assert_eq!(
        (no_list.status, no_list.code().as_str()),
        (400, "malformed")
    );
    site.access.read = false;
    let refused = site.ask("POST", "/from/", &kind, body::full(list)).await;
    assert_eq!(refused.code(), "not-granted");
}

#[tokio::test]
async fn a_malformed_or_forbidden_pack_is_refused() {
    let mut site = Site::new();
    let kind = [("content-type", PACK)];
    let pack = || packed(&[("a", "one")]);
    assert_eq!(site.ask("POST", "/", &[], pack()).await.status, 415);
    let short = body::full(&b"\0\0\0\x10{"[..]);
    let short = site.ask("POST", "/", &kind, short).await;
    assert_eq!((short.status, short.code().as_str()), (400, "malformed"));
    let cut = broken("\0\0", io::ErrorKind::ConnectionReset);
    let cut = site.ask("POST", "/", &kind, cut).await;
    assert_eq!((cut.status, cut.code().as_str()), (400, "broken-off"));
    let many: Vec<_> = (0..=MOST_PACKED_FILES).map(|n| n.to_string()).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), "")).collect();
    assert_eq!(
        site.ask("POST", "/", &kind, packed(&many)).await.status,
        400
    );
    site.access.write = false;
    let refused = site.ask("POST", "/", &kind, pack()).await;
    assert_eq!(refused.code(), "not-granted");
    assert!(!site.path().join("a").exists());
}
