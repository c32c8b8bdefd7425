//! Conditions, for every method.

use super::*;

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
    let other_server = format!("<https://other.example/files/data/a> ([{etag}])");
    let upload = "/a?upload=0123456789abcdef";
    let part = [("upload-offset", "0"), ("upload-complete", "?0")];
    site.ask("PATCH", upload, &part, body::full("o")).await;
    let to = ("destination", "/files/data/to");
    let kind = ("content-type", PACK);
    let update =
        "<propertyupdate xmlns='DAV:'><set><prop><p xmlns='u'/></prop></set></propertyupdate>";
    let removal = "[{\"remove\":\"<p xmlns='u'/>\"}]";
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
        ("PATCH", "/a?properties", &[], body::full(removal)),
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
            ("if", other_server.as_str()),
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
    // A request that would be refused anyway gets that refusal (RFC 9110, 13.2.1).
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
async fn of_two_clients_that_saw_the_same_version_one_writes() {
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
