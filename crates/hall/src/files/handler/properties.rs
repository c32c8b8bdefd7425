//! `PROPFIND` and `PROPPATCH` (RFC 4918, 9.1 and 9.2).

use std::fmt::Write as _;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt, Limited, StreamBody};
use hyper::body::Frame;

use super::catalogue::{Catalogue, Described, DescribedPage, Describing, Discovery, condition};
use super::headers;
use super::{Answer, malformed};
use crate::body::{self, Body};
use crate::files::date::http_date;
use crate::files::lock::{self, SUPPORTED, ShownLock};
use crate::files::path::{FilePath, encode};
use crate::files::property::{DeadProperty, PropertyChange, PropertyName};
use crate::files::store::{Entry, Kind};
use crate::files::xml::{DAV, Element, Name, escape};
use crate::foreign::MediaType;
use crate::problem::Problem;

/// The longest request that is read.
const LONGEST_REQUEST: usize = 64 * 1024;
/// The most properties that a request is about.
const MOST_NAMED: usize = 64;
/// Entries that are looked up and written together.
const PAGE: usize = 1000;

const START: &str =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">\n";
const END: &str = "</D:multistatus>\n";

/// A property that files or folders have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Property {
    ResourceType,
    DisplayName,
    ContentLength,
    ContentType,
    LastModified,
    Etag,
    LockDiscovery,
    SupportedLock,
}

const ALL: [Property; 8] = [
    Property::ResourceType,
    Property::DisplayName,
    Property::ContentLength,
    Property::ContentType,
    Property::LastModified,
    Property::Etag,
    Property::LockDiscovery,
    Property::SupportedLock,
];

impl Property {
    fn name(self) -> &'static str {
        match self {
            Self::ResourceType => "resourcetype",
            Self::DisplayName => "displayname",
            Self::ContentLength => "getcontentlength",
            Self::ContentType => "getcontenttype",
            Self::LastModified => "getlastmodified",
            Self::Etag => "getetag",
            Self::LockDiscovery => "lockdiscovery",
            Self::SupportedLock => "supportedlock",
        }
    }

    /// Its value, as XML, for what is at a path where there are these locks.
    fn value(self, entry: &Entry, path: Option<&FilePath>, locked: &Locked) -> Option<String> {
        let is_file = entry.kind == Kind::File;
        match self {
            Self::ResourceType if is_file => Some(String::new()),
            Self::ResourceType => Some("<D:collection/>".to_owned()),
            Self::DisplayName => Some(escaped(&entry.name)),
            Self::ContentLength => is_file.then(|| entry.bytes.to_string()),
            Self::ContentType => {
                is_file.then(|| MediaType::of_name(&entry.name).as_str().to_owned())
            }
            Self::LastModified => entry.modified_ms.and_then(http_date),
            Self::Etag => {
                let etag = entry.etag.as_ref()?;
                Some(escaped(&format!("\"{etag}\"")))
            }
            Self::LockDiscovery => {
                let locks = locked.locks.as_ref()?;
                let is_here = |lock: &&ShownLock| path.is_some_and(|path| lock.covers(path));
                let here = locks.iter().filter(is_here);
                Some(lock::discovery(&locked.mount, here))
            }
            Self::SupportedLock => locked.locks.as_ref().map(|_| SUPPORTED.to_owned()),
        }
    }
}

/// How far a request for properties reaches (RFC 4918, 10.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Itself,
    /// What is in it, too.
    Members,
    /// The whole tree.
    Everything,
}

impl Reach {
    /// `Depth`; without it everything is meant (RFC 4918, 9.1).
    fn of(asked: &HeaderMap) -> Result<Self, Problem> {
        match headers::text(asked, "depth")? {
            Some("0") => Ok(Self::Itself),
            // Clients of Microsoft may leave the folder itself out, and do not mind it.
            Some(one) if one == "1" || one.eq_ignore_ascii_case("1,noroot") => Ok(Self::Members),
            None => Ok(Self::Everything),
            Some(all) if all.eq_ignore_ascii_case("infinity") => Ok(Self::Everything),
            Some(_) => Err(malformed("Depth is 0, 1 or infinity")),
        }
    }
}

/// What is asked for (RFC 4918, 14.20).
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Names,
    /// Those that the server makes, and others.
    These(Vec<Property>, Vec<Name>),
}

impl Wanted {
    /// Whether it asks what is locked, or can be.
    fn is_about_locks(&self) -> bool {
        let is_one = |property: &Property| {
            matches!(property, Property::LockDiscovery | Property::SupportedLock)
        };
        match self {
            Self::All | Self::Names => true,
            Self::These(live, _) => live.iter().any(is_one),
        }
    }

    /// Whether it is about what others say of a file.
    fn describing(&self) -> Describing {
        match self {
            Self::These(_, others) if others.is_empty() => Describing::Briefly,
            _ => Describing::Fully,
        }
    }
}

/// Where files are reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mounts<'m> {
    /// Where they are for whoever asked.
    pub(crate) here: &'m str,
    /// Below what conditions name them.
    pub(crate) named: &'m str,
}

impl<'m> Mounts<'m> {
    /// Both are the same.
    pub(crate) const fn same(mount: &'m str) -> Self {
        Self {
            here: mount,
            named: mount,
        }
    }
}

/// The locks that there are, if any are kept.
struct Locked {
    mount: String,
    locks: Option<Vec<ShownLock>>,
}

/// Answers a request for the properties of `path`, and of what is in it. Every element of the answer is
/// written here, wherever the files are.
pub(crate) async fn find(
    catalogue: impl Catalogue,
    discovery: &dyn Discovery,
    Mounts { here: mount, named }: Mounts<'_>,
    path: FilePath,
    asked: &HeaderMap,
    body: Body,
) -> Answer {
    let reach = Reach::of(asked)?;
    let wanted = wanted(&collect(body).await?)?;
    let how = wanted.describing();
    let described = catalogue.described(&path, how).await?;
    let is_folder = described.entry.kind == Kind::Folder;
    // RFC 4918, 9.1: a server may refuse to list a whole tree. A file has nothing in it.
    if is_folder && reach == Reach::Everything {
        return Ok(finite_depth());
    }
    let condition = condition(&catalogue, named, &path, asked).await?;
    condition.check(Some(&described.entry))?;

    let locks = if wanted.is_about_locks() {
        discovery.locks(&path).await?
    } else {
        None
    };
    let locked = Locked {
        mount: mount.to_owned(),
        locks,
    };
    let place = place(mount, &path);
    let mut first = START.to_owned();
    response(
        &mut first,
        (&place, Some(&path)),
        &described,
        (&wanted, &locked),
    );
    let pages = if is_folder && reach == Reach::Members {
        // Looked up before the answer begins, so that what fails at once is told as an error.
        let page = catalogue.described_in(&path, None, PAGE, how).await?;
        let listing = Listing {
            catalogue,
            path,
            place,
            wanted,
            locked,
        };
        listing.pages(page).boxed()
    } else {
        stream::empty().boxed()
    };
    let texts = stream::once(async move { Ok(first) })
        .chain(pages)
        .chain(stream::once(async { Ok(END.to_owned()) }));
    let frames = texts
        .map_ok(|text| Frame::data(Bytes::from(text)))
        .map_err(std::io::Error::other);
    Ok(multistatus(StreamBody::new(frames).boxed_unsync()))
}

/// Changes the properties of `path`, all that are named or none, and says so of each.
pub(crate) async fn patch(
    catalogue: impl Catalogue,
    Mounts { here: mount, named }: Mounts<'_>,
    path: FilePath,
    asked: &HeaderMap,
    body: Body,
) -> Answer {
    let changes = changes(&collect(body).await?)?;
    let entry = catalogue.described(&path, Describing::Briefly).await?.entry;
    let names: Vec<Name> = changes.iter().map(changed).cloned().collect();
    // What is of WebDAV itself is the server's to say (RFC 4918, 15).
    let protected = |name: &Name| name.namespace == DAV;
    let (whole, rest) = if names.iter().any(protected) {
        let condition = condition(&catalogue, named, &path, asked).await?;
        condition.check(Some(&entry))?;
        ("403 Forbidden", "424 Failed Dependency")
    } else {
        match catalogue.set_properties(named, &path, asked, changes).await {
            Ok(()) => ("200 OK", "200 OK"),
            Err(problem) if problem.status == StatusCode::INSUFFICIENT_STORAGE.as_u16() => {
                let full = "507 Insufficient Storage";
                (full, full)
            }
            Err(problem) => return Err(problem),
        }
    };
    let (mut decided, mut others) = (String::new(), String::new());
    for name in &names {
        let out = if rest != whole && !protected(name) {
            &mut others
        } else {
            &mut decided
        };
        name.write_empty(out);
    }
    let mut text = START.to_owned();
    begin(&mut text, &place(mount, &path), &entry);
    let error = "<D:error><D:cannot-modify-protected-property/></D:error>";
    let error = if rest == whole { "" } else { error };
    status_of(&mut text, &decided, whole, error);
    if !others.is_empty() {
        status_of(&mut text, &others, rest, "");
    }
    text.push_str("</D:response>\n");
    text.push_str(END);
    Ok(multistatus(body::full(text)))
}

fn place(mount: &str, path: &FilePath) -> String {
    let place = format!("{mount}/{}", path.to_uri());
    place.trim_end_matches('/').to_owned()
}

/// What a request in XML says.
pub(crate) async fn collect(body: Body) -> Result<Bytes, Problem> {
    let whole = Limited::new(body, LONGEST_REQUEST).collect().await;
    let whole = whole.map_err(|error| malformed(format!("the request cannot be read: {error}")))?;
    Ok(whole.to_bytes())
}

fn multistatus(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::MULTI_STATUS;
    let xml = HeaderValue::from_static("application/xml; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, xml);
    response
}

struct Listing<C> {
    catalogue: C,
    path: FilePath,
    place: String,
    wanted: Wanted,
    locked: Locked,
}

impl<C: Catalogue> Listing<C> {
    /// Page after page, so that a big folder takes no more memory than a small one.
    fn pages(
        self,
        first: DescribedPage,
    ) -> impl futures_util::Stream<Item = Result<String, Problem>> + Send {
        stream::try_unfold(Some((self, first)), |state| async move {
            let Some((listing, page)) = state else {
                return Ok(None);
            };
            let mut text = String::new();
            for described in &page.entries {
                let name = &described.entry.name;
                let place = format!("{}/{}", listing.place, encode(name));
                let path = listing.path.join(name).ok();
                let asked = (&listing.wanted, &listing.locked);
                response(&mut text, (&place, path.as_ref()), described, asked);
            }
            let next = match page.next {
                Some(after) => {
                    let (path, how) = (&listing.path, listing.wanted.describing());
                    let page = listing
                        .catalogue
                        .described_in(path, Some(&after), PAGE, how);
                    let page = page.await?;
                    Some((listing, page))
                }
                None => None,
            };
            Ok(Some((text, next)))
        })
    }
}

/// The beginning of a `response` element (RFC 4918, 14.24).
fn begin(out: &mut String, place: &str, entry: &Entry) {
    let slash = if entry.kind == Kind::Folder { "/" } else { "" };
    out.push_str("<D:response><D:href>");
    escape(place, out);
    out.push_str(slash);
    out.push_str("</D:href>");
}

/// One `propstat` element (RFC 4918, 14.22).
fn status_of(out: &mut String, properties: &str, status: &str, error: &str) {
    // Writing to a String can't fail.
    let _ = write!(
        out,
        "<D:propstat><D:prop>{properties}</D:prop>\
         <D:status>HTTP/1.1 {status}</D:status>{error}</D:propstat>"
    );
}

fn response(
    out: &mut String,
    (place, path): (&str, Option<&FilePath>),
    described: &Described,
    (wanted, locked): (&Wanted, &Locked),
) {
    let Described { entry, properties } = described;
    let (mut found, mut missing) = (String::new(), String::new());
    let live: &[Property] = match wanted {
        Wanted::All | Wanted::Names => &ALL,
        Wanted::These(live, _) => live,
    };
    for property in live {
        let name = property.name();
        let _ = match (property.value(entry, path, locked), wanted) {
            (Some(_), Wanted::Names) => write!(found, "<D:{name}/>"),
            (Some(value), _) => write!(found, "<D:{name}>{value}</D:{name}>"),
            (None, Wanted::These(..)) => write!(missing, "<D:{name}/>"),
            (None, _) => Ok(()),
        };
    }
    match wanted {
        Wanted::All => properties.iter().for_each(|dead| dead.0.write(&mut found)),
        Wanted::Names => properties
            .iter()
            .for_each(|dead| dead.name().write_empty(&mut found)),
        Wanted::These(_, names) => {
            for name in names {
                match properties.iter().find(|dead| dead.name() == name) {
                    Some(dead) => dead.0.write(&mut found),
                    None => name.write_empty(&mut missing),
                }
            }
        }
    }
    begin(out, place, entry);
    // Whoever asks for nothing gets nothing, in the one `propstat` that there has to be (14.24).
    if !found.is_empty() || missing.is_empty() {
        status_of(out, &found, "200 OK", "");
    }
    if !missing.is_empty() {
        status_of(out, &missing, "404 Not Found", "");
    }
    out.push_str("</D:response>\n");
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    escape(text, &mut escaped);
    escaped
}

fn document(request: &[u8], root: &str) -> Result<Element, Problem> {
    let document = Element::parse(request);
    let document = document.map_err(|error| malformed(format!("the request: {error}")))?;
    if !document.name.is_dav(root) {
        return Err(malformed(format!("the request is not a {root} element")));
    }
    Ok(document)
}

/// Reads a `propfind` element. No body, or a blank one, asks for all (RFC 4918, 9.1).
fn wanted(request: &[u8]) -> Result<Wanted, Problem> {
    if request.trim_ascii().is_empty() {
        return Ok(Wanted::All);
    }
    let request = document(request, "propfind")?;
    let mut wanted = None;
    for child in request.children() {
        let one = if child.name.is_dav("allprop") {
            Wanted::All
        } else if child.name.is_dav("propname") {
            Wanted::Names
        } else if child.name.is_dav("prop") {
            these(child)?
        } else {
            // What is not known does not count (RFC 4918, 17).
            continue;
        };
        if wanted.replace(one).is_some() {
            return Err(malformed("propfind asks for one thing"));
        }
    }
    wanted.ok_or_else(|| malformed("propfind asks for allprop, propname or prop"))
}

fn these(prop: &Element) -> Result<Wanted, Problem> {
    let (mut live, mut others) = (Vec::new(), Vec::new());
    for child in prop.children() {
        let known = ALL
            .iter()
            .find(|property| child.name.is_dav(property.name()));
        match known {
            Some(property) => live.push(*property),
            None => others.push(child.name.clone()),
        }
    }
    if live.len() + others.len() > MOST_NAMED {
        return Err(malformed("that is too many properties at once"));
    }
    Ok(Wanted::These(live, others))
}

/// Reads a `propertyupdate` element (RFC 4918, 14.19): the changes in their order.
fn changes(request: &[u8]) -> Result<Vec<PropertyChange>, Problem> {
    let request = document(request, "propertyupdate")?;
    let mut changes = Vec::new();
    for step in request.children() {
        let sets = step.name.is_dav("set");
        if !sets && !step.name.is_dav("remove") {
            continue;
        }
        for prop in step.children().filter(|prop| prop.name.is_dav("prop")) {
            let around = [prop, step, &request];
            let language = around.into_iter().find_map(Element::language);
            changes.extend(prop.children().map(|property| {
                if sets {
                    let property = property.clone().within_language(language);
                    PropertyChange::Set(DeadProperty(property))
                } else {
                    PropertyChange::Remove(PropertyName(property.name.clone()))
                }
            }));
        }
    }
    match changes.len() {
        0 => Err(malformed("propertyupdate sets or removes properties")),
        1..=MOST_NAMED => Ok(changes),
        _ => Err(malformed("that is too many properties at once")),
    }
}

fn changed(change: &PropertyChange) -> &Name {
    match change {
        PropertyChange::Set(property) => property.name(),
        PropertyChange::Remove(PropertyName(name)) => name,
    }
}

/// 403 with the precondition code of RFC 4918, 9.1.
fn finite_depth() -> Response<Body> {
    let mut response = multistatus(body::full(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
         <D:error xmlns:D=\"DAV:\"><D:propfind-finite-depth/></D:error>\n",
    ));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Properties;

    fn other(namespace: &str, local: &str) -> Name {
        Name {
            namespace: namespace.to_owned(),
            local: local.to_owned(),
        }
    }

    #[test]
    fn what_clients_ask_for_is_understood() {
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
                vec![other("http://owncloud.org/ns", "checksums")]
            )
        );
    }

    #[test]
    fn changes_come_in_their_order_and_with_their_language() {
        let update = b"<propertyupdate xmlns='DAV:' xml:lang='de'>\
            <remove><prop><a xmlns='u'/></prop></remove><other xmlns='v'><prop><x/></prop></other>\
            <set><prop><a xmlns='u'>1</a><b xmlns='u' xml:lang='en'/></prop></set></propertyupdate>";
        let changes = serde_json::to_value(changes(update).unwrap()).unwrap();
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
    fn what_is_no_request_is_refused() {
        let many = "<x/>".repeat(MOST_NAMED + 1);
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
            assert!(changes(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_depth_is_read_as_clients_write_it() {
        let reach = |depth: Option<&'static str>| {
            let value =
                depth.map(|depth| ("depth".parse().unwrap(), HeaderValue::from_static(depth)));
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
    fn who_asks_for_nothing_gets_nothing_with_a_status() {
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
            let locked = Locked {
                mount: "/files/data".to_owned(),
                locks: None,
            };
            let place = ("/files/data/a", None);
            response(&mut out, place, &described, (wanted, &locked));
            out
        };
        let nothing = wanted(b"<propfind xmlns='DAV:'><prop/></propfind>").unwrap();
        assert!(text(&nothing).contains(
            "<D:propstat><D:prop></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
        ));
        // What is missing alone stands in no empty `propstat` of 200.
        let missing = text(&Wanted::These(vec![], vec![other("u", "y")]));
        assert!(
            !missing.contains("200 OK") && missing.contains("404 Not Found"),
            "{missing}"
        );
        let undated = text(&Wanted::These(vec![Property::LastModified], vec![]));
        assert!(
            undated.contains("<D:getlastmodified/>") && undated.contains("404"),
            "{undated}"
        );
    }

    #[test]
    fn names_and_namespaces_are_escaped() {
        let entry = Entry {
            name: "a<&>\"b".to_owned(),
            kind: Kind::File,
            bytes: 3,
            modified_ms: None,
            etag: Some("t".to_owned()),
        };
        let described = Described {
            entry,
            properties: Properties::default(),
        };
        let wanted = Wanted::These(
            vec![Property::DisplayName, Property::Etag],
            vec![other("u\"><x", "y")],
        );
        let mut out = String::new();
        let locked = Locked {
            mount: "/files/data".to_owned(),
            locks: None,
        };
        let place = ("/files/data/a%3C%26", None);
        response(&mut out, place, &described, (&wanted, &locked));
        assert!(out.contains("<D:displayname>a&lt;&amp;&gt;&quot;b</D:displayname>"));
        assert!(out.contains("<D:getetag>&quot;t&quot;</D:getetag>"));
        assert!(out.contains("<y xmlns=\"u&quot;&gt;&lt;x\"/>"));
    }
}
