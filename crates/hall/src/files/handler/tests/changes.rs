//! Copies, moves and properties.

use super::*;

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
async fn a_copy_leaves_out_links_that_lead_nowhere() {
    use std::os::unix::fs::symlink;

    let site = Site::new();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    std::fs::create_dir(site.path().join("f")).unwrap();
    std::fs::write(site.path().join("f/a"), "a").unwrap();
    for (name, to) in [
        ("out", outside.path()),
        ("secret", &outside.path().join("secret")),
        ("itself", Path::new("itself")),
        ("dangling", Path::new("nothing")),
    ] {
        symlink(to, site.path().join("f").join(name)).unwrap();
        let asked = format!("/f/{name}");
        assert_eq!(site.send("GET", &asked, &[]).await.status, 404, "{name}");
    }
    // No file takes the place of a link that lists leave out.
    for name in ["out", "secret", "itself"] {
        let put = site.put(&format!("/f/{name}"), "x").await;
        assert_eq!((put.status, put.code().as_str()), (403, "store-denies"));
    }
    let to = [("destination", "/files/data/g")];
    assert_eq!(site.send("COPY", "/f", &to).await.status, 201);
    let copied = std::fs::read_dir(site.path().join("g")).unwrap();
    let copied: Vec<_> = copied.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(copied, ["a"]);
    // What is below such a link is nowhere, too.
    assert_eq!(site.send("GET", "/f/out/secret", &[]).await.status, 404);
    assert_eq!(site.put("/f/out/new", "x").await.code(), "no-such-folder");
    assert!(!outside.path().join("new").exists());
}

#[tokio::test]
async fn a_name_that_ends_with_a_slash_is_no_file() {
    let site = Site::new();
    site.put("/a", "a").await;
    let upload = "/b/?upload=0123456789abcdef";
    let whole = [("upload-offset", "0"), ("upload-complete", "?1")];
    let to = [("destination", "/files/data/b/")];
    for refused in [
        site.put("/b/", "b").await,
        site.ask("PATCH", upload, &whole, body::full("b")).await,
        site.send("MOVE", "/a", &to).await,
        site.send("COPY", "/a", &to).await,
    ] {
        let code = refused.code();
        assert_eq!((refused.status, code.as_str()), (409, "names-a-folder"));
    }
    assert!(!site.path().join("b").exists());
    assert_eq!(site.partial_files(), 0);
    assert_eq!(site.send("MKCOL", "/f/", &[]).await.status, 201);
    assert_eq!(site.send("MOVE", "/f/", &to).await.status, 201);
    assert_eq!(
        site.send("PROPFIND", "/a/", &[("depth", "0")]).await.status,
        207
    );
}

#[tokio::test]
async fn a_folder_is_made_by_every_form_of_an_empty_body() {
    let site = Site::new();
    let chunks = |texts: Vec<&'static str>| {
        let frames = texts
            .into_iter()
            .map(|text| Ok(Frame::data(Bytes::from(text))));
        StreamBody::new(stream::iter(frames)).boxed_unsync()
    };
    let chunked = [("transfer-encoding", "chunked")];
    for (name, texts) in [("/a", vec![]), ("/b", vec!["", ""])] {
        let made = site.ask("MKCOL", name, &chunked, chunks(texts)).await;
        assert_eq!(made.status, 201, "{name}");
    }
    let bytes = site
        .ask("MKCOL", "/c", &chunked, chunks(vec!["", "x"]))
        .await;
    assert_eq!((bytes.status, bytes.code().as_str()), (415, "no-body"));
    let announced = site.send("MKCOL", "/c", &[("content-length", "1")]).await;
    assert_eq!(announced.status, 415);
    assert!(!site.path().join("c").exists());
}

#[tokio::test]
async fn times_before_1970_and_its_beginning_are_kept_and_shown() {
    let site = Site::new();
    for (time, date) in [
        ("-86400.5", "Tue, 30 Dec 1969 23:59:59 GMT"),
        ("-1", "Wed, 31 Dec 1969 23:59:59 GMT"),
        ("0", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ] {
        let dated = [("x-oc-mtime", time)];
        let put = site.ask("PUT", "/a", &dated, body::full("a")).await;
        assert_eq!(put.header("x-oc-mtime"), "accepted", "{time}");
        assert_eq!(put.header("last-modified"), date);
        let shown = site.send("PROPFIND", "/a", &[("depth", "0")]).await;
        let text = String::from_utf8(shown.body.to_vec()).unwrap();
        assert!(
            text.contains(&format!("<D:getlastmodified>{date}<")),
            "{text}"
        );
        for (method, condition, status) in [
            ("GET", "if-modified-since", 304),
            ("GET", "if-unmodified-since", 200),
            ("PUT", "if-unmodified-since", 204),
        ] {
            let asked = [(condition, date), ("x-oc-mtime", time)];
            let reply = site.send(method, "/a", &asked).await;
            assert_eq!(reply.status, status, "{method} {condition}: {date}");
        }
    }
    // The eve of 1970 is before its beginning.
    let eve = [("if-unmodified-since", "Wed, 31 Dec 1969 23:59:59 GMT")];
    assert_eq!(site.send("DELETE", "/a", &eve).await.status, 412);
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

fn update(what: &str) -> Body {
    body::full(format!(
        "<D:propertyupdate xmlns:D='DAV:' xml:lang='de'>{what}</D:propertyupdate>"
    ))
}

#[tokio::test]
async fn properties_that_could_not_be_read_again_are_not_kept() {
    let site = Site::new();
    site.put("/a", "x").await;
    let attributes: String = (0..32).map(|number| format!(" a{number}=''")).collect();
    let set = format!("<D:set><D:prop><x{attributes}/></D:prop></D:set>");
    let refused = site.ask("PROPPATCH", "/a", &[], update(&set)).await;
    assert_eq!((refused.status, refused.code()), (400, "malformed".into()));
    for (method, uri) in [
        ("PROPFIND", "/a"),
        ("PROPFIND", "/"),
        ("GET", "/?properties"),
    ] {
        let listed = site.send(method, uri, &[("depth", "1")]).await;
        assert!(listed.status < 300, "{method} {uri}");
    }
}

#[tokio::test]
async fn kept_properties_that_cannot_be_read_count_as_none_and_can_be_removed() {
    let site = Site::new();
    site.send("MKCOL", "/f", &[]).await;
    site.put("/f/a", "x").await;
    let kept = site.path().join(".hallway/properties/f/a");
    std::fs::create_dir_all(&kept).unwrap();
    let kept = kept.join(".hallway");
    let attributes: String = (0..33).map(|number| format!(" a{number}=''")).collect();
    std::fs::write(&kept, format!("[\"<x{attributes}/>\", \"<y/>\"]")).unwrap();
    let depth = [("depth", "1")];
    for uri in ["/f/a", "/f"] {
        let listed = site.send("PROPFIND", uri, &depth).await;
        let text = String::from_utf8(listed.body.to_vec()).unwrap();
        assert!(
            listed.status == 207 && text.contains("<y xmlns=\"\"/>"),
            "{text}"
        );
    }
    assert_eq!(site.send("GET", "/f?properties", &[]).await.status, 200);
    let to = [("destination", "/files/data/g")];
    assert_eq!(site.send("COPY", "/f", &to).await.status, 201);
    let removal = update("<D:remove><D:prop><x/><y/></D:prop></D:remove>");
    let removed = site.ask("PROPPATCH", "/f/a", &[], removal).await;
    assert_eq!((removed.status, kept.exists()), (207, false));
}

#[tokio::test]
async fn a_copy_that_cannot_be_made_whole_replaces_nothing() {
    let site = Site::new();
    site.put("/a", "new").await;
    site.put("/b", "old").await;
    let set = || update("<D:set><D:prop><x/></D:prop></D:set>");
    site.ask("PROPPATCH", "/b", &[], set()).await;
    // Properties that are there and cannot be read.
    let kept = site.path().join(".hallway/properties/a/.hallway");
    std::fs::create_dir_all(kept).unwrap();
    let to = [("destination", "/files/data/b")];
    let copied = site.send("COPY", "/a", &to).await;
    assert!(copied.status >= 400, "{}", copied.status);
    assert_eq!(site.send("GET", "/b", &[]).await.body.as_ref(), b"old");
    let said = site.send("PROPFIND", "/b", &[("depth", "0")]).await;
    let said = String::from_utf8(said.body.to_vec()).unwrap();
    assert!(said.contains("<x xmlns=\"\""), "{said}");
    assert_eq!(site.partial_files(), 0);
}

#[tokio::test]
async fn every_name_but_the_reserved_one_can_be_a_files() {
    let site = Site::new();
    site.send("MKCOL", "/f", &[]).await;
    let set = || update("<D:set><D:prop><x/></D:prop></D:set>");
    for name in ["/f/.hallway-new", "/f/.hallway.part", "/f"] {
        if name != "/f" {
            site.put(name, "x").await;
        }
        let done = site.ask("PROPPATCH", name, &[], set()).await;
        let text = String::from_utf8(done.body.to_vec()).unwrap();
        assert!(text.contains("200 OK"), "{name}: {text}");
    }
    assert_eq!(site.partial_files(), 0);
}

#[tokio::test]
async fn changes_in_json_have_the_bounds_of_changes_in_xml() {
    let site = Site::new();
    site.put("/a", "x").await;
    let many = vec![serde_json::json!({"set": "<a/>"}); 65];
    for (json, status, code) in [
        (
            serde_json::json!([{"set": "<getetag xmlns='DAV:'>\"x\"</getetag>"}]),
            403,
            "protected-property",
        ),
        (many.into(), 400, "malformed"),
        (serde_json::json!([{"set": "<a"}]), 400, "malformed"),
        (serde_json::json!({"set": "<a/>"}), 400, "malformed"),
        (
            serde_json::json!([{"set": format!("<a>{}</a>", "x".repeat(20_000))}]),
            507,
            "too-many-properties",
        ),
    ] {
        let changed = body::full(json.to_string());
        let refused = site.ask("PATCH", "/a?properties", &[], changed).await;
        assert_eq!((refused.status, refused.code()), (status, code.to_owned()));
    }
    let shown = site.send("GET", "/a?entry&properties", &[]).await;
    let shown: serde_json::Value = serde_json::from_slice(&shown.body).unwrap();
    assert_eq!(shown["properties"], serde_json::Value::Null);
}

#[tokio::test]
async fn headers_are_read_as_their_grammar_says() {
    let site = Site::new();
    site.put("/a", "x").await;
    let to = ("destination", "/files/d%61ta/%62");
    assert_eq!(site.send("COPY", "/a", &[to]).await.status, 201);
    let never = [to, ("overwrite", "f")];
    assert_eq!(site.send("COPY", "/a", &never).await.status, 412);
    let over = [to, ("overwrite", "t")];
    assert_eq!(site.send("COPY", "/a", &over).await.status, 204);
    let wrong = [to, ("overwrite", "x")];
    assert_eq!(site.send("COPY", "/a", &wrong).await.status, 400);
}
