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
