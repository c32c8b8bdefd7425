use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::*;
use crate::files::lock::memory::InMemory;
use crate::files::pack::{self, PackedHead};
use crate::files::{FolderStore, LocksError};
use crate::foreign::PACK;

const ADA: u8 = 1;
const BO: u8 = 2;
const NOW_MS: u64 = 1_000_000;

const ALL: StoreAccess = StoreAccess {
    read: true,
    write: true,
    delete: true,
};

const EXCLUSIVE: &str = "<D:lockinfo xmlns:D='DAV:'><D:lockscope><D:exclusive/></D:lockscope>\
    <D:locktype><D:write/></D:locktype><D:owner>Ada</D:owner></D:lockinfo>";
const SHARED: &str = "<D:lockinfo xmlns:D='DAV:'><D:lockscope><D:shared/></D:lockscope>\
    <D:locktype><D:write/></D:locktype></D:lockinfo>";

struct Site {
    folder: tempfile::TempDir,
    store: Arc<dyn Store>,
    locks: Arc<dyn Locks>,
    access: StoreAccess,
    now_ms: u64,
}

struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn token(&self) -> String {
        self.headers["lock-token"].to_str().unwrap().to_owned()
    }
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(FolderStore::open(folder.path()).unwrap());
        Self {
            folder,
            store,
            locks: Arc::new(InMemory::default()),
            access: ALL,
            now_ms: NOW_MS,
        }
    }

    /// With a file `a/b` and a folder `c`.
    fn furnished() -> Self {
        let site = Self::new();
        std::fs::create_dir_all(site.folder.path().join("a")).unwrap();
        std::fs::create_dir_all(site.folder.path().join("c")).unwrap();
        std::fs::write(site.folder.path().join("a/b"), "b").unwrap();
        site
    }

    async fn ask(
        &self,
        who: u8,
        request: &str,
        headers: &[(&str, &str)],
        content: impl Into<Bytes>,
    ) -> Reply {
        self.send_body(who, request, headers, body::full(content))
            .await
    }

    async fn send_body(
        &self,
        who: u8,
        request: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Reply {
        let (method, uri) = request.split_once(' ').unwrap();
        let mut built = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(format!("/files/data{uri}"));
        for (name, value) in headers {
            built = built.header(*name, *value);
        }
        let built = built.body(body).unwrap();
        let locking = Locking {
            locks: Arc::clone(&self.locks),
            store: LockedStore {
                hall: "vault".parse().unwrap(),
                store: "data".parse().unwrap(),
            },
            holder: LockHolder([who; 16]),
            holder_ends_ms: NOW_MS + 1_800_000,
            now_ms: self.now_ms,
        };
        let pass = Pass::default();
        let here = Here {
            access: self.access,
            mount: "/files/data",
            pass: &pass,
        };
        let response = locking.own(Arc::clone(&self.store), here, built).await;
        let (head, body) = response.into_parts();
        Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    async fn send(&self, who: u8, request: &str, headers: &[(&str, &str)]) -> Reply {
        self.ask(who, request, headers, "").await
    }

    /// Locks a path; returns a list for `If` with the token.
    async fn lock(&self, who: u8, path: &str, depth: &str) -> String {
        let request = format!("LOCK {path}");
        let reply = self
            .ask(who, &request, &[("depth", depth)], EXCLUSIVE)
            .await;
        assert!(matches!(reply.status, 200 | 201), "{}", reply.text());
        format!("({})", reply.token())
    }
}

/// A request: its method, and where it goes; its headers; its content.
type Change = (&'static str, Vec<(&'static str, &'static str)>, Bytes);

/// Every request that changes something where `a/b` and `c` are.
fn changes() -> Vec<Change> {
    let mut packed = Vec::new();
    let head = PackedHead {
        path: "b".to_owned(),
        bytes: 1,
        modified_ms: None,
        sha256: hex::encode(crate::files::store::sha256(b"x")),
        if_match: None,
        if_none_match: None,
    };
    pack::add(&mut packed, &head, b"x").unwrap();
    let update = "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><x xmlns='u'/></D:prop></D:set>\
        </D:propertyupdate>";
    let upload = vec![
        ("upload-offset", "0"),
        ("upload-complete", "?1"),
        ("upload-length", "1"),
    ];
    vec![
        ("PUT /a/b", vec![], "x".into()),
        ("PATCH /a/b?upload=0123456789abcdef", upload, "x".into()),
        ("PROPPATCH /a/b", vec![], update.into()),
        (
            "PATCH /a/b?properties",
            vec![],
            r#"[{"remove":"<x xmlns='u'/>"}]"#.into(),
        ),
        ("POST /a/", vec![("content-type", PACK)], packed.into()),
        (
            "COPY /c",
            vec![("destination", "/files/data/a/b")],
            "".into(),
        ),
        (
            "MOVE /c",
            vec![("destination", "/files/data/a/b")],
            "".into(),
        ),
        (
            "MOVE /a/b",
            vec![("destination", "/files/data/d")],
            "".into(),
        ),
        ("DELETE /a/b", vec![], "".into()),
        ("DELETE /a", vec![], "".into()),
        ("MOVE /a", vec![("destination", "/files/data/d")], "".into()),
    ]
}

#[tokio::test]
async fn a_client_without_the_lock_changes_nothing_by_any_method() {
    for (path, depth) in [("/a/b", "0"), ("/a", "infinity"), ("/", "infinity")] {
        for (request, headers, content) in changes() {
            let site = Site::furnished();
            let condition = site.lock(ADA, path, depth).await;
            let stolen = format!("{condition} (Not <DAV:no-lock>)");
            for (who, condition) in [(ADA, ""), (BO, ""), (BO, stolen.as_str())] {
                let mut headers = headers.clone();
                if !condition.is_empty() {
                    headers.push(("if", condition));
                }
                let refused = site.ask(who, request, &headers, content.clone()).await;
                let said = (path, request, refused.text());
                assert_eq!(refused.status, 423, "{said:?}");
                assert!(
                    refused
                        .text()
                        .contains("<D:lock-token-submitted><D:href>/files/data")
                );
                let file = site.folder.path().join("a/b");
                assert_eq!(std::fs::read(file).unwrap(), b"b", "{said:?}");
                assert!(site.folder.path().join("c").exists(), "{said:?}");
            }
            // Tagged, because the lock may be on another path than that of the request.
            let condition = format!("</files/data{path}> {condition}");
            let mut headers = headers.clone();
            headers.push(("if", &condition));
            let done = site.ask(ADA, request, &headers, content).await;
            assert!(done.status < 300, "{path} {request}: {}", done.text());
        }
    }
}

#[tokio::test]
async fn a_lock_on_a_folder_alone_keeps_its_names_and_not_their_content() {
    let site = Site::furnished();
    let condition = site.lock(ADA, "/a", "0").await;
    assert_eq!(site.ask(BO, "PUT /a/b", &[], "x").await.status, 204);
    for request in ["PUT /a/new", "MKCOL /a/new", "DELETE /a/b", "LOCK /a/new"] {
        let content = if request.starts_with("LOCK") {
            EXCLUSIVE
        } else {
            ""
        };
        assert_eq!(
            site.ask(BO, request, &[], content).await.status,
            423,
            "{request}"
        );
        assert!(!site.folder.path().join("a/new").exists());
    }
    let to_new = [("destination", "/files/data/a/new")];
    assert_eq!(site.send(BO, "COPY /c", &to_new).await.status, 423);
    let tagged = format!("</files/data/a> {condition}");
    let done = site.ask(ADA, "PUT /a/new", &[("if", &tagged)], "x").await;
    assert_eq!(done.status, 201);
}

#[tokio::test]
async fn a_lock_where_nothing_is_makes_an_empty_file() {
    let site = Site::new();
    let made = site
        .ask(ADA, "LOCK /new", &[("depth", "0")], EXCLUSIVE)
        .await;
    assert_eq!(made.status, 201);
    assert!(made.text().contains("<owner xmlns=\"DAV:\">Ada</owner>"));
    assert!(made.text().contains("Second-600"));
    assert_eq!(std::fs::read(site.folder.path().join("new")).unwrap(), b"");
    assert_eq!(site.ask(BO, "PUT /new", &[], "x").await.status, 423);
    let condition = format!("({})", made.token());
    let put = site.ask(ADA, "PUT /new", &[("if", &condition)], "x").await;
    assert_eq!(put.status, 204);
    // Where no file can be, no lock stays.
    let lost = site.ask(ADA, "LOCK /no/folder", &[], EXCLUSIVE).await;
    assert_eq!(lost.status, 409);
    let all = site.send(ADA, "POST /?locks", &[]).await;
    assert_eq!(all.text().matches("\"token\"").count(), 1, "{}", all.text());
}

#[tokio::test]
async fn locks_that_exclude_one_another_are_refused_and_named() {
    let site = Site::furnished();
    site.lock(ADA, "/a/b", "0").await;
    for who in [ADA, BO] {
        let refused = site.ask(who, "LOCK /a/b", &[], EXCLUSIVE).await;
        assert_eq!(refused.status, 423);
        let named = "<D:no-conflicting-lock><D:href>/files/data/a/b</D:href>";
        assert!(refused.text().contains(named), "{}", refused.text());
        assert_eq!(site.ask(who, "LOCK /a/b", &[], SHARED).await.status, 423);
    }
    let above = site.ask(BO, "LOCK /a", &[], SHARED).await;
    assert_eq!(above.status, 207);
    assert!(
        above.text().contains("424 Failed Dependency"),
        "{}",
        above.text()
    );
    assert_eq!(
        site.ask(BO, "LOCK /a", &[("depth", "0")], EXCLUSIVE)
            .await
            .status,
        200
    );
    let one = site.ask(ADA, "LOCK /c", &[], SHARED).await;
    let other = site.ask(BO, "LOCK /c", &[], SHARED).await;
    assert_eq!((one.status, other.status), (200, 200));
    for (who, mine) in [(ADA, &one), (BO, &other)] {
        assert_eq!(site.ask(who, "PUT /c/x", &[], "x").await.status, 423);
        let condition = format!("</files/data/c> ({})", mine.token());
        let put = site.ask(who, "PUT /c/x", &[("if", &condition)], "x").await;
        assert!(put.status < 300);
    }
}

#[tokio::test]
async fn a_lock_is_refreshed_and_ended_by_the_client_that_took_it() {
    let mut site = Site::furnished();
    let condition = site.lock(ADA, "/a", "infinity").await;
    let token = condition.trim_matches(['(', ')']).to_owned();
    let long = [("if", condition.as_str()), ("timeout", "Infinite")];
    assert_eq!(site.send(BO, "LOCK /a", &long).await.status, 403);
    let refreshed = site.send(ADA, "LOCK /a/b", &long).await;
    assert_eq!(refreshed.status, 200);
    assert!(!refreshed.headers.contains_key("lock-token"));
    // Not longer than the grant, half an hour.
    assert!(
        refreshed.text().contains("Second-1800"),
        "{}",
        refreshed.text()
    );
    assert_eq!(site.send(ADA, "LOCK /a", &[]).await.status, 412);
    let of_other = site.send(ADA, "LOCK /c", &[("if", &condition)]).await;
    assert_eq!(of_other.status, 412);

    let named = [("lock-token", token.as_str())];
    assert_eq!(site.send(BO, "UNLOCK /a", &named).await.status, 403);
    let elsewhere = site.send(ADA, "UNLOCK /c", &named).await;
    assert_eq!(elsewhere.status, 409);
    assert!(elsewhere.text().contains("lock-token-matches-request-uri"));
    assert_eq!(site.send(ADA, "UNLOCK /a", &[]).await.status, 400);
    let bogus = [("lock-token", "<opaquelocktoken:x>")];
    assert_eq!(site.send(ADA, "UNLOCK /a", &bogus).await.status, 409);
    assert_eq!(site.send(ADA, "UNLOCK /a/b", &named).await.status, 204);
    assert_eq!(site.send(ADA, "UNLOCK /a", &named).await.status, 409);
    assert_eq!(site.ask(BO, "PUT /a/b", &[], "x").await.status, 204);

    site.lock(ADA, "/a", "infinity").await;
    assert_eq!(site.ask(BO, "PUT /a/b", &[], "x").await.status, 423);
    site.now_ms += 600_000;
    assert_eq!(site.ask(BO, "PUT /a/b", &[], "x").await.status, 204);
}

#[tokio::test]
async fn locks_end_with_their_files() {
    let site = Site::furnished();
    let condition = site.lock(ADA, "/a/b", "0").await;
    let lists = format!("</files/data/a/b> {condition}");
    let moved = [("if", lists.as_str()), ("destination", "/files/data/a/d")];
    assert_eq!(site.send(ADA, "MOVE /a/b", &moved).await.status, 201);
    assert_eq!(site.ask(BO, "PUT /a/b", &[], "x").await.status, 201);
    assert_eq!(site.ask(BO, "PUT /a/d", &[], "x").await.status, 204);
    let condition = site.lock(ADA, "/a/d", "0").await;
    let lists = format!("</files/data/a/d> {condition}");
    assert_eq!(
        site.send(ADA, "DELETE /a", &[("if", &lists)]).await.status,
        204
    );
    assert_eq!(site.send(BO, "MKCOL /a", &[]).await.status, 201);
    assert_eq!(site.ask(BO, "PUT /a/d", &[], "x").await.status, 201);
    // What takes the place of what is locked is locked in its turn.
    let condition = site.lock(ADA, "/a/d", "0").await;
    let lists = format!("</files/data/a/d> {condition}");
    let copied = [("if", lists.as_str()), ("destination", "/files/data/a/d")];
    assert_eq!(site.send(ADA, "COPY /c", &copied).await.status, 204);
    assert_eq!(site.send(BO, "DELETE /a/d", &[]).await.status, 423);
}

#[tokio::test]
async fn tokens_of_locks_in_if_are_judged() {
    let site = Site::furnished();
    let condition = site.lock(ADA, "/a/b", "0").await;
    let token = condition.trim_matches(['(', ')']);
    for (list, status) in [
        ("(T [E])", 204),
        ("(T [\"x\"])", 412),
        ("(T) (Not <DAV:no-lock>)", 204),
        ("(<DAV:no-lock>)", 412),
        ("(<opaquelocktoken:x>) (Not <DAV:no-lock>)", 423),
        ("(Not T)", 412),
        ("</files/data/c> (T)", 412),
        ("</files/data/c> (Not T)", 204),
        ("</files/other/b> (T)", 412),
    ] {
        let etag = site.send(ADA, "HEAD /a/b", &[]).await.headers["etag"].clone();
        let list = list
            .replace('T', token)
            .replace('E', etag.to_str().unwrap());
        let put = site.ask(ADA, "PUT /a/b", &[("if", &list)], "b").await;
        assert_eq!(put.status, status, "{list}");
    }
    let of_read = [("if", "(<opaquelocktoken:x>)")];
    assert_eq!(site.send(BO, "GET /a/b", &of_read).await.status, 412);
    assert_eq!(
        site.send(BO, "GET /a/b", &[("if", &condition)])
            .await
            .status,
        200
    );
    assert_eq!(site.send(BO, "GET /a/b", &[]).await.status, 200);
}

#[tokio::test]
async fn properties_tell_the_locks() {
    let site = Site::furnished();
    let token = site.lock(ADA, "/a", "infinity").await;
    let token = token.trim_matches(['(', ')', '<', '>']);
    let all = site.send(BO, "PROPFIND /", &[("depth", "1")]).await;
    assert_eq!(
        all.text().matches("<D:activelock>").count(),
        1,
        "{}",
        all.text()
    );
    let within = site.send(BO, "PROPFIND /a", &[("depth", "1")]).await;
    assert_eq!(within.text().matches(token).count(), 2, "{}", within.text());
    let root = "<D:lockroot><D:href>/files/data/a</D:href></D:lockroot>";
    assert_eq!(within.text().matches(root).count(), 2);
    assert_eq!(
        within
            .text()
            .matches("<D:supportedlock><D:lockentry>")
            .count(),
        2
    );
    let options = site.send(BO, "OPTIONS /", &[]).await;
    assert_eq!(options.headers["dav"], "1, 2");
    assert!(
        options.headers["allow"]
            .to_str()
            .unwrap()
            .ends_with("LOCK, UNLOCK")
    );
}

#[tokio::test]
async fn a_client_that_may_not_write_takes_no_lock() {
    let mut site = Site::furnished();
    site.access = StoreAccess {
        read: true,
        ..StoreAccess::default()
    };
    for request in ["LOCK /a/b", "LOCK /new", "POST /a/b?lock"] {
        let refused = site.ask(ADA, request, &[], EXCLUSIVE).await;
        assert_eq!(refused.status, 403, "{request}");
    }
    assert!(!site.folder.path().join("new").exists());
    site.access = StoreAccess {
        write: true,
        ..StoreAccess::default()
    };
    assert_eq!(site.send(ADA, "POST /?locks", &[]).await.status, 403);
    assert_eq!(site.ask(ADA, "LOCK /a/b", &[], EXCLUSIVE).await.status, 200);
}

#[tokio::test]
async fn a_refusal_in_json_is_for_clients_that_accept_json() {
    let site = Site::furnished();
    site.lock(ADA, "/a/b", "0").await;
    let json = [("accept", "application/json")];
    let refused = site.ask(BO, "PUT /a/b", &json, "x").await;
    assert_eq!(refused.status, 423);
    let problem: Problem = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!(problem.code, "locked");
    assert_eq!(
        problem.detail,
        "“a/b” is locked: try again when it is unlocked"
    );
    assert_eq!(refused.headers["dav-unmet"], "lock-token-submitted /a/b");
    let json = r#"{"scope":"shared"}"#;
    let lock = site.ask(BO, "POST /c?lock", &[], json).await;
    assert_eq!(lock.status, 200);
    let lock: ShownLock = serde_json::from_slice(&lock.body).unwrap();
    assert_eq!((lock.path.as_str(), lock.seconds), ("c", 600));
}

#[tokio::test]
async fn content_that_takes_its_time_does_not_overtake_a_lock() {
    for (waits, status, content) in [(1_100, 423, "b"), (0, 204, "xy")] {
        let site = Arc::new(Site::furnished());
        let there = Arc::clone(&site);
        let frames = stream::unfold(0, move |number| {
            let site = Arc::clone(&there);
            async move {
                let bytes = match number {
                    0 => "x",
                    1 => {
                        if waits > 0 {
                            site.lock(BO, "/a/b", "0").await;
                        }
                        tokio::time::sleep(Duration::from_millis(waits)).await;
                        "y"
                    }
                    _ => return None,
                };
                let frame = Frame::data(Bytes::from(bytes));
                Some((Ok::<_, io::Error>(frame), number + 1))
            }
        });
        let body = StreamBody::new(frames).boxed_unsync();
        let put = site.send_body(ADA, "PUT /a/b", &[], body).await;
        assert_eq!(put.status, status, "{}", put.text());
        let file = std::fs::read_to_string(site.folder.path().join("a/b"));
        assert_eq!(file.unwrap(), content);
    }
}

/// Locks that can't be reached.
struct Unreachable;

#[async_trait]
impl Locks for Unreachable {
    async fn around(
        &self,
        _: &LockedStore,
        _: &[FilePath],
        _: u64,
    ) -> Result<Vec<Lock>, LocksError> {
        Err(LocksError::Unavailable(io::ErrorKind::TimedOut.to_string()))
    }

    async fn take(
        &self,
        _: &LockedStore,
        _: &Lock,
        _: u64,
    ) -> Result<crate::files::Taken, LocksError> {
        Err(LocksError::Unavailable(String::new()))
    }

    async fn refresh(
        &self,
        _: &crate::files::LockToken,
        _: u64,
        _: u64,
    ) -> Result<bool, LocksError> {
        Err(LocksError::Unavailable(String::new()))
    }

    async fn release(&self, _: &[crate::files::LockToken]) -> Result<(), LocksError> {
        Err(LocksError::Unavailable(String::new()))
    }
}

#[tokio::test]
async fn while_locks_cannot_be_reached_files_are_read_and_not_changed() {
    let mut site = Site::furnished();
    site.locks = Arc::new(Unreachable);
    for (request, headers, content) in changes() {
        let refused = site.ask(ADA, request, &headers, content).await;
        assert_eq!(refused.status, 503, "{request}");
    }
    assert_eq!(site.send(ADA, "GET /a/b", &[]).await.text(), "b");
    let named = [("depth", "1")];
    let body = "<propfind xmlns='DAV:'><prop><getetag/></prop></propfind>";
    assert_eq!(site.ask(ADA, "PROPFIND /a", &named, body).await.status, 207);
}
