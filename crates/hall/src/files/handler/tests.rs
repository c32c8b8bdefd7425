use std::io;
use std::path::Path;

use bytes::Bytes;
use futures_util::stream;
use http::Method;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::*;
use crate::files::FolderStore;
use crate::files::pack::{self, MOST_PACKED, PACK, PackWanted, PackedHead};

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
    // No answer about files leads anywhere.
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
    assert_eq!(
        site.send("PROPFIND", "/none", &[("depth", "0")])
            .await
            .status,
        404
    );

    let to = |to: &'static str| ("destination", to);
    let copy = site
        .send("COPY", "/f", &[to("https://any:1/files/data/g")])
        .await;
    assert_eq!(copy.status, 201);
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

/// A date before anything in these tests was made, and one after it.
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const LATER: &str = "Fri, 06 Nov 2099 08:49:37 GMT";

#[tokio::test]
async fn no_method_passes_over_a_condition() {
    let site = Site::new();
    site.send("MKCOL", "/f", &[]).await;
    site.put("/f/x", "x").await;
    let etag = site.put("/a", "one").await.header("etag").to_owned();
    let (weak, listed) = (format!("W/{etag}"), format!("\"x\", {etag}"));
    let state = format!("([{etag}])");
    let upload = "/a?upload=0123456789abcdef";
    let part = [("upload-offset", "0"), ("upload-complete", "?0")];
    site.ask("PATCH", upload, &part, body::full("o")).await;
    let to = ("destination", "/files/data/to");
    let kind = ("content-type", PACK);
    let update =
        "<propertyupdate xmlns='DAV:'><set><prop><p xmlns='u'/></prop></set></propertyupdate>";
    let more = ("upload-offset", "1");
    type Ask<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], Body);
    let asks: [Ask<'_>; 21] = [
        ("GET", "/a", &[], body::empty()),
        ("HEAD", "/a", &[], body::empty()),
        ("GET", "/a?entry", &[], body::empty()),
        ("GET", "/f", &[], body::empty()),
        ("PROPFIND", "/a", &[("depth", "0")], body::empty()),
        ("PROPFIND", "/f", &[("depth", "1")], body::empty()),
        ("PROPPATCH", "/a", &[], body::full(update)),
        ("PATCH", "/a?properties", &[], body::full("[]")),
        ("PUT", "/a", &[], body::full("two")),
        (
            "PATCH",
            upload,
            &[more, ("upload-complete", "?0")],
            body::full("n"),
        ),
        (
            "PATCH",
            upload,
            &[more, ("upload-complete", "?1")],
            body::full("n"),
        ),
        ("HEAD", upload, &[], body::empty()),
        ("DELETE", upload, &[], body::empty()),
        ("POST", "/f", &[kind], packed(&[("y", "y")])),
        ("COPY", "/a", &[to], body::empty()),
        ("COPY", "/f", &[to], body::empty()),
        ("MOVE", "/a", &[to], body::empty()),
        ("MOVE", "/f", &[to], body::empty()),
        ("DELETE", "/a", &[], body::empty()),
        ("DELETE", "/f", &[], body::empty()),
        ("MKCOL", "/g", &[], body::empty()),
    ];
    for (method, uri, headers, body) in asks {
        let whole = body.collect().await.unwrap().to_bytes();
        let mut failing = vec![
            ("if-match", "\"x\""),
            ("if-match", weak.as_str()),
            ("if-match", "nonsense"),
            ("if", "(<urn:uuid:0>)"),
            ("if", "nonsense"),
            (
                "if",
                "</files/data/a> ([\"x\"]) </files/other/a> (<urn:uuid:0>)",
            ),
        ];
        // What is not there has no date, and nothing that could be named.
        if method != "MKCOL" {
            failing.push(("if-unmodified-since", BEFORE));
            if !matches!((method, uri), ("GET" | "HEAD", "/a" | "/f" | "/a?entry")) {
                failing.push(("if-none-match", "*"));
            }
        }
        for condition in failing {
            let headers: Vec<_> = headers.iter().copied().chain([condition]).collect();
            let reply = site
                .ask(method, uri, &headers, body::full(whole.clone()))
                .await;
            assert_eq!(reply.status, 412, "{method} {uri} {condition:?}");
        }
    }
    let read = |path: &str| std::fs::read_to_string(site.path().join(path)).unwrap();
    assert_eq!((read("a"), read("f/x")), ("one".to_owned(), "x".to_owned()));
    assert_eq!(
        site.send("HEAD", upload, &[]).await.header("upload-offset"),
        "1"
    );
    assert_eq!(std::fs::read_dir(site.path()).unwrap().count(), 3);
    assert_eq!(std::fs::read_dir(site.path().join("f")).unwrap().count(), 1);

    for condition in [
        ("if-match", "*"),
        ("if-match", &listed),
        ("if-unmodified-since", LATER),
        ("if-unmodified-since", "no date"),
        ("if-none-match", "\"x\""),
        ("if", &state),
        ("if", "(<urn:uuid:0>) (Not <urn:uuid:0>)"),
        ("if", "</files/data/f/x> (Not [\"x\"])"),
    ] {
        let copied = site.send("COPY", "/a", &[to, condition]).await;
        assert!(copied.status < 300, "{condition:?}");
    }
    let put = [("if-match", listed.as_str())];
    let put = site.ask("PUT", "/a", &put, body::full("two")).await;
    assert_eq!((put.status, read("a").as_str()), (204, "two"));
    // Where a request would be refused anyway, that is what is said (RFC 9110, 13.2.1).
    let conditions = [("if-match", "\"x\"")];
    assert_eq!(site.send("GET", "/none", &conditions).await.status, 404);
    assert_eq!(site.send("DELETE", "/none", &conditions).await.status, 404);
    assert_eq!(site.send("MKCOL", "/f", &conditions).await.status, 405);
    let since = [("if-modified-since", LATER)];
    assert_eq!(site.send("GET", "/a", &since).await.status, 304);
    assert_eq!(site.send("GET", "/f", &since).await.status, 200);
    assert_eq!(
        site.ask("PUT", "/a", &since, body::full("x")).await.status,
        204
    );
}

#[tokio::test]
async fn a_folder_has_changed_when_anything_in_it_has() {
    let site = Site::new();
    std::fs::create_dir_all(site.path().join("f/g")).unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(900_000_000);
    let date = httpdate::fmt_http_date(old + std::time::Duration::from_secs(60));
    let since = [
        ("if-unmodified-since", date.as_str()),
        ("destination", "/files/data/h"),
    ];
    for aged in ["f/g", "f"] {
        let folder = std::fs::File::open(site.path().join(aged)).unwrap();
        folder.set_modified(old).unwrap();
    }
    assert_eq!(site.send("COPY", "/f", &since).await.status, 201);
    std::fs::write(site.path().join("f/g/new"), "x").unwrap();
    for aged in ["f/g", "f"] {
        let folder = std::fs::File::open(site.path().join(aged)).unwrap();
        folder.set_modified(old).unwrap();
    }
    for method in ["COPY", "MOVE", "DELETE"] {
        assert_eq!(
            site.send(method, "/f", &since).await.status,
            412,
            "{method}"
        );
    }
}

#[tokio::test]
async fn of_two_that_saw_the_same_only_one_writes() {
    let site = Site::new();
    let etag = site.put("/a", "seen").await.header("etag").to_owned();
    let saw = [("if-match", etag.as_str())];
    let puts =
        ["one", "two", "three", "four"].map(|text| site.ask("PUT", "/a", &saw, body::full(text)));
    let mut statuses: Vec<u16> = futures_util::future::join_all(puts)
        .await
        .iter()
        .map(|reply| reply.status)
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 412, 412, 412]);
}

#[tokio::test]
async fn copies_and_moves_replace_what_the_grant_lets_them() {
    let mut site = Site::new();
    for folder in ["f", "g"] {
        std::fs::create_dir(site.path().join(folder)).unwrap();
        std::fs::write(site.path().join(folder).join(folder), folder).unwrap();
    }
    let to = [("destination", "/files/data/g"), ("overwrite", "T")];
    let never = [to[0], ("overwrite", "F")];
    assert_eq!(site.send("COPY", "/f", &never).await.status, 412);
    site.access.delete = false;
    let kept = site.send("COPY", "/f", &to).await;
    assert_eq!((kept.status, kept.code().as_str()), (403, "not-granted"));
    assert!(site.path().join("g/g").exists());
    site.access.delete = true;
    assert_eq!(site.send("COPY", "/f", &to).await.status, 204);
    assert!(site.path().join("g/f").exists() && !site.path().join("g/g").exists());
    let itself = [("destination", "/files/data/f")];
    assert_eq!(site.send("COPY", "/f", &itself).await.status, 403);
    assert_eq!(site.send("MOVE", "/f", &to).await.status, 204);
    assert!(!site.path().join("f").exists());
    let shallow = [("depth", "0"), ("destination", "/files/data/h")];
    for (method, status) in [("MOVE", 400), ("DELETE", 400), ("COPY", 201)] {
        assert_eq!(
            site.send(method, "/g", &shallow).await.status,
            status,
            "{method}"
        );
    }
    assert_eq!(std::fs::read_dir(site.path().join("h")).unwrap().count(), 0);
    let time = [
        ("destination", "/files/data/t"),
        ("x-oc-mtime", "1700000000"),
    ];
    for method in ["COPY", "MOVE"] {
        let sent = site.send(method, "/g/f", &time).await;
        assert_eq!(sent.header("x-oc-mtime"), "accepted");
        let seen = site.send("HEAD", "/t", &[]).await;
        assert_eq!(
            seen.header("last-modified"),
            "Tue, 14 Nov 2023 22:13:20 GMT"
        );
    }
    let again = [("destination", "/files/data/u")];
    site.send("COPY", "/t", &again).await;
    let seen = site.send("HEAD", "/u", &[]).await;
    assert_eq!(
        seen.header("last-modified"),
        "Tue, 14 Nov 2023 22:13:20 GMT"
    );
    assert_eq!(site.partial_files(), 0);
}

#[tokio::test]
async fn a_copy_follows_no_link_in_a_circle() {
    let site = Site::new();
    std::fs::create_dir(site.path().join("f")).unwrap();
    std::os::unix::fs::symlink("../f", site.path().join("f/loop")).unwrap();
    let to = [("destination", "/files/data/g")];
    assert_eq!(site.send("COPY", "/f", &to).await.code(), "store-cannot");
    assert!(!site.path().join("g").exists());
    assert_eq!(site.partial_files(), 0);
}

#[tokio::test]
async fn properties_are_kept_whole_and_shown() {
    let site = Site::new();
    site.put("/a", "x").await;
    let update = |text: &str| {
        format!("<D:propertyupdate xmlns:D='DAV:' xmlns:u='urn:u'>{text}</D:propertyupdate>")
    };
    let set = update("<D:set><D:prop><u:who><u:b c='1'>&lt;Ada&gt;</u:b></u:who></D:prop></D:set>");
    let done = site.ask("PROPPATCH", "/a", &[], body::full(set)).await;
    let text = String::from_utf8(done.body.to_vec()).unwrap();
    assert_eq!(done.status, 207);
    assert!(
        text.contains("<who xmlns=\"urn:u\"/></D:prop><D:status>HTTP/1.1 200 OK"),
        "{text}"
    );
    let shown = site.send("PROPFIND", "/", &[("depth", "1")]).await;
    let text = String::from_utf8(shown.body.to_vec()).unwrap();
    let who = "<who xmlns=\"urn:u\"><b c=\"1\">&lt;Ada&gt;</b></who>";
    assert!(text.contains(who), "{text}");
    let json = site.send("GET", "/a?entry&properties", &[]).await;
    let json: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(
        (&json["name"], &json["properties"][0]),
        (&"a".into(), &who.into())
    );

    let mixed = update(
        "<D:remove><D:prop><u:who/></D:prop></D:remove>\
         <D:set><D:prop><D:getetag>x</D:getetag></D:prop></D:set>",
    );
    let refused = site.ask("PROPPATCH", "/a", &[], body::full(mixed)).await;
    let text = String::from_utf8(refused.body.to_vec()).unwrap();
    let says = |part: &str| assert!(text.contains(part), "{text}");
    says("<getetag xmlns=\"DAV:\"/></D:prop><D:status>HTTP/1.1 403 Forbidden");
    says("<D:cannot-modify-protected-property/>");
    says("<who xmlns=\"urn:u\"/></D:prop><D:status>HTTP/1.1 424 Failed Dependency");
    let long = update(&format!(
        "<D:set><D:prop><u:long>{}</u:long></D:prop></D:set>",
        "x".repeat(20_000)
    ));
    let full = site.ask("PROPPATCH", "/a", &[], body::full(long)).await;
    let text = String::from_utf8(full.body.to_vec()).unwrap();
    assert!(text.contains("507 Insufficient Storage"), "{text}");
    let kept = site.send("GET", "/a?entry&properties", &[]).await;
    let kept: serde_json::Value = serde_json::from_slice(&kept.body).unwrap();
    assert_eq!(kept, json);
    let missing = site
        .ask("PROPPATCH", "/b", &[], body::full(update("<D:set/>")))
        .await;
    assert_eq!(missing.status, 400);
}

#[tokio::test]
async fn each_file_of_a_pack_has_its_own_condition() {
    let site = Site::new();
    let etag = site.put("/a", "one").await.header("etag").to_owned();
    site.put("/b", "one").await;
    let mut pack = Vec::new();
    for (path, if_match, if_none_match) in [
        ("a", Some(etag.as_str()), None),
        ("b", Some(etag.as_str()), None),
        ("b", None, Some("*")),
        ("c", None, Some("*")),
        ("d", Some("*"), None),
        ("d", Some("nonsense"), None),
    ] {
        let head = PackedHead {
            path: path.to_owned(),
            bytes: 3,
            modified_ms: None,
            sha256: hex::encode(crate::files::store::sha256(b"two")),
            if_match: if_match.map(str::to_owned),
            if_none_match: if_none_match.map(str::to_owned),
        };
        pack::add(&mut pack, &head, b"two").unwrap();
    }
    let kind = [("content-type", PACK)];
    let reply = site.ask("POST", "/", &kind, body::full(pack)).await;
    let verdicts: Vec<Option<Problem>> = serde_json::from_slice(&reply.body).unwrap();
    let statuses: Vec<_> = verdicts
        .iter()
        .map(|verdict| verdict.as_ref().map(|problem| problem.status))
        .collect();
    let failed = Some(412);
    assert_eq!(statuses, [None, failed, failed, None, failed, failed]);
    let read = |path: &str| std::fs::read_to_string(site.path().join(path)).unwrap();
    assert_eq!(
        (read("a"), read("b"), read("c")),
        ("two".into(), "one".into(), "two".into())
    );
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
async fn what_is_no_pack_or_not_granted_is_refused() {
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
    let many: Vec<_> = (0..=MOST_PACKED).map(|n| n.to_string()).collect();
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
