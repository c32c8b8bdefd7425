use super::super::NoLocks;
use super::*;
use crate::files::Properties;
use crate::files::xml::DAV;

fn other(namespace: &str, local: &str) -> Name {
    Name {
        namespace: Arc::from(namespace),
        local: local.to_owned(),
    }
}

fn others(names: impl IntoIterator<Item = Name>) -> Others {
    let mut others = Others::default();
    names.into_iter().for_each(|name| others.add(name));
    others
}

fn described(name: &str) -> Described {
    Described {
        entry: Entry {
            name: name.to_owned(),
            kind: Kind::File,
            bytes: 3,
            modified_ms: None,
            etag: Some("t".to_owned()),
        },
        properties: Properties::default(),
    }
}

#[test]
fn requests_of_common_clients_are_understood() {
    assert_eq!(wanted(b"").unwrap(), Wanted::All);
    assert_eq!(wanted(b" \r\n\t").unwrap(), Wanted::All);
    let all = b"<?xml version='1.0'?><d:propfind xmlns:d='DAV:'><d:allprop/></d:propfind>";
    assert_eq!(wanted(all).unwrap(), Wanted::All);
    let names = b"<propfind xmlns='DAV:'><propname/><x xmlns='y'/></propfind>";
    assert_eq!(wanted(names).unwrap(), Wanted::Names);
    let these = b"<a:propfind xmlns:a='DAV:' xmlns:o='http://owncloud.org/ns'><a:prop>\
        <a:getetag/><o:checksums/><a:getcontentlength></a:getcontentlength></a:prop></a:propfind>";
    assert_eq!(
        wanted(these).unwrap(),
        Wanted::These(
            vec![Property::Etag, Property::ContentLength],
            others([other("http://owncloud.org/ns", "checksums")])
        )
    );
}

#[test]
fn changes_come_in_their_order_and_with_their_language() {
    let update = b"<propertyupdate xmlns='DAV:' xml:lang='de'>\
        <remove><prop><a xmlns='u'/></prop></remove><other xmlns='v'><prop><x/></prop></other>\
        <set><prop><a xmlns='u'>1</a><b xmlns='u' xml:lang='en'/></prop></set></propertyupdate>";
    let steps = steps(update).unwrap().into_iter();
    let changes: Result<Vec<_>, _> = steps.map(|(_, change)| change).collect();
    let changes = serde_json::to_value(changes.unwrap()).unwrap();
    assert_eq!(
        changes,
        serde_json::json!([
            {"remove": "<a xmlns=\"u\"/>"},
            {"set": "<a xmlns=\"u\" xml:lang=\"de\">1</a>"},
            {"set": "<b xmlns=\"u\" xml:lang=\"en\"/>"},
        ])
    );
}

#[test]
fn malformed_requests_are_refused() {
    let many = "<x/>".repeat(MOST_NAMED_PROPERTIES + 1);
    let many_wanted = format!("<propfind xmlns='DAV:'><prop>{many}</prop></propfind>");
    for wrong in [
        "x",
        "<propfind/>",
        "<propfind xmlns='DAV:'/>",
        "<propfind xmlns='DAV:'><prop>",
        "<propfind xmlns='DAV:'><prop/><allprop/></propfind>",
        "<a:propfind/>",
        "<!DOCTYPE x [<!ENTITY e 'e'>]><propfind xmlns='DAV:'><allprop/></propfind>",
        many_wanted.as_str(),
    ] {
        assert!(wanted(wrong.as_bytes()).is_err(), "{wrong}");
    }
    let many =
        format!("<propertyupdate xmlns='DAV:'><set><prop>{many}</prop></set></propertyupdate>");
    for wrong in [
        "",
        "<propertyupdate/>",
        "<propertyupdate xmlns='DAV:'><set/></propertyupdate>",
        "<propfind xmlns='DAV:'><allprop/></propfind>",
        many.as_str(),
    ] {
        assert!(steps(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

fn unlocked() -> Locked {
    Locked {
        mount: "/files/data".to_owned(),
        locks: None,
    }
}

#[test]
fn a_depth_is_read_as_clients_write_it() {
    let reach = |depth: Option<&'static str>| {
        let value = depth.map(|depth| ("depth".parse().unwrap(), HeaderValue::from_static(depth)));
        Reach::of(&value.into_iter().collect()).map_err(|problem| problem.status)
    };
    assert_eq!(reach(Some("0")), Ok(Reach::Itself));
    for members in ["1", "1,noroot", "1,NoRoot"] {
        assert_eq!(reach(Some(members)), Ok(Reach::Members), "{members}");
    }
    for everything in [None, Some("infinity"), Some("Infinity")] {
        assert_eq!(reach(everything), Ok(Reach::Everything), "{everything:?}");
    }
    for wrong in ["", "2", "noroot", "0,1"] {
        assert_eq!(reach(Some(wrong)), Err(400), "{wrong}");
    }
}

#[test]
fn a_request_for_no_properties_gets_an_empty_propstat() {
    let described = Described {
        entry: Entry {
            name: "a".to_owned(),
            kind: Kind::File,
            bytes: 3,
            modified_ms: None,
            etag: None,
        },
        properties: Properties::default(),
    };
    let text = |wanted: &Wanted| {
        let mut out = String::new();
        let place = ("/files/data/a", None);
        response(&mut out, place, &described, (wanted, &unlocked()));
        out
    };
    let nothing = wanted(b"<propfind xmlns='DAV:'><prop/></propfind>").unwrap();
    assert!(text(&nothing).contains(
        "<D:propstat><D:prop></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
    ));
    // Missing properties alone bring no empty `propstat` of 200.
    let missing = text(&Wanted::These(vec![], others([other("u", "y")])));
    assert!(
        !missing.contains("200 OK") && missing.contains("404 Not Found"),
        "{missing}"
    );
    let undated = text(&Wanted::These(vec![Property::LastModified], others([])));
    assert!(
        undated.contains("<D:getlastmodified/>") && undated.contains("404"),
        "{undated}"
    );
}

#[test]
fn names_and_namespaces_are_escaped() {
    let described = described("a<&>\"b");
    let wanted = Wanted::These(
        vec![Property::DisplayName, Property::Etag],
        others([other("u\"><x", "y"), other("", "z"), other(DAV, "w")]),
    );
    let mut out = wanted.start();
    let place = ("/files/data/a%3C%26", None);
    response(&mut out, place, &described, (&wanted, &unlocked()));
    assert!(out.contains("<D:displayname>a&lt;&amp;&gt;&quot;b</D:displayname>"));
    assert!(out.contains("<D:getetag>&quot;t&quot;</D:getetag>"));
    assert!(out.contains(" xmlns:n0=\"u&quot;&gt;&lt;x\">"));
    assert!(out.contains("<n0:y/>") && out.contains("<z/>") && out.contains("<D:w/>"));
}

#[test]
fn requested_names_are_short_and_count_once() {
    let ask = |namespace: &str, names: &str| {
        let asked = format!(
            "<propfind xmlns='DAV:' xmlns:p=\"{namespace}\"><prop>{names}</prop></propfind>"
        );
        wanted(asked.as_bytes())
    };
    let many: String = (0..60).map(|number| format!("<p:a{number}/>")).collect();
    // A namespace that no one uses is escaped to six times its length.
    assert!(ask(&"'".repeat(10_000), &many).is_err());
    assert!(ask(&"'".repeat(256), &many).is_ok());
    let long: String = (0..64)
        .map(|number| format!("<p:{}{number}/>", "a".repeat(250)))
        .collect();
    assert!(ask("u", &long).is_err());
    let twice = "<p:a/><getetag/>".repeat(30);
    let once = Wanted::These(vec![Property::Etag], others([other("u", "a")]));
    assert_eq!(ask("u", &twice).unwrap(), once);
    assert_eq!(once.start().matches("xmlns:n").count(), 1);
}

/// A folder with this many files.
struct Full(usize);

#[async_trait::async_trait]
impl Catalogue for Full {
    async fn described(&self, _: &FilePath, _: Describing) -> Result<Described, Problem> {
        let mut folder = described("");
        folder.entry.kind = Kind::Folder;
        Ok(folder)
    }

    async fn described_in(
        &self,
        _: &FilePath,
        after: Option<&str>,
        most: usize,
        _: Describing,
    ) -> Result<DescribedPage, Problem> {
        let first = after.map_or(0, |after| after.parse::<usize>().unwrap() + 1);
        let end = self.0.min(first + most);
        let names = (first..end).map(|number| format!("{number:0200}"));
        let entries: Vec<_> = names.map(|name| described(&name)).collect();
        let last = entries.last().map(|last| last.entry.name.clone());
        let next = last.filter(|_| end < self.0);
        Ok(DescribedPage { entries, next })
    }

    async fn set_properties(
        &self,
        _: &str,
        _: &FilePath,
        _: &HeaderMap,
        _: PropertyChanges,
    ) -> Result<(), Problem> {
        unreachable!()
    }
}

#[tokio::test]
async fn a_long_list_comes_in_short_frames() {
    let many: String = (0..60).map(|number| format!("<p:a{number}/>")).collect();
    let asked =
        format!("<propfind xmlns='DAV:' xmlns:p='u'><prop><getetag/>{many}</prop></propfind>");
    let headers = HeaderMap::from_iter([(
        http::HeaderName::from_static("depth"),
        HeaderValue::from_static("1"),
    )]);
    let files = 2 * PAGE_ENTRIES + 1;
    let mounts = Mounts::same("/files/data");
    let (root, body) = (FilePath::root(), body::full(asked));
    let answer = find(Full(files), &NoLocks, mounts, root, &headers, body).await;
    let mut body = answer.unwrap().into_body();
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let data = frame.unwrap().into_data().unwrap();
        assert!(data.len() <= 64 * 1024, "{}", data.len());
        whole.extend_from_slice(&data);
    }
    let whole = String::from_utf8(whole).unwrap();
    assert_eq!(whole.matches("<D:response>").count(), files + 1);
    assert_eq!(whole.matches("xmlns:n0=\"u\"").count(), 1);
    assert!(whole.ends_with(END));
}
