//! `PROPFIND` and `PROPPATCH` (RFC 4918, 9.1 and 9.2).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited, StreamBody};
use hyper::body::Frame;
use tokio::task::yield_now;

use super::catalogue::{Catalogue, Described, DescribedPage, Describing, Discovery, condition};
use super::{Answer, headers, malformed};
use crate::body::{self, Body};
use crate::dav::date::http_date;
use crate::dav::path::{FilePath, encode};
use crate::files::lock::{self, SUPPORTED, ShownLock};
use crate::files::property::{
    ChangesError, DeadProperty, MOST_CHANGES, PropertyChange, PropertyChanges, PropertyError,
    PropertyName,
};
use crate::files::store::{Entry, Kind};
use crate::files::xml::{Element, LONGEST_DOCUMENT_BYTES, Name, escape};
use crate::foreign::MediaType;
use crate::problem::Problem;

/// The most properties that a request asks for.
const MOST_NAMED_PROPERTIES: usize = 64;
/// How long their names and namespaces may be in an answer, in bytes.
const LONGEST_NAMES_BYTES: usize = 16 * 1024;
/// Entries that are looked up together.
const PAGE_ENTRIES: usize = 1000;
/// Bytes of an answer after which a frame is sent. What is said of one entry is less than three
/// times as long: its properties, and those that it lacks, have at most 16 KiB each.
const FRAME_BYTES: usize = 16 * 1024;

const END: &str = "</D:multistatus>\n";

/// A property that the server makes.
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

    /// Its value as XML, for the entry at `path`; `None` if it has none.
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
            // Microsoft's clients ask with `noroot` to leave the folder itself out, but do not mind
            // it.
            Some(one) if one == "1" || one.eq_ignore_ascii_case("1,noroot") => Ok(Self::Members),
            None => Ok(Self::Everything),
            Some(all) if all.eq_ignore_ascii_case("infinity") => Ok(Self::Everything),
            Some(_) => Err(malformed("Depth must be 0, 1 or infinity")),
        }
    }
}

/// What is asked for (RFC 4918, 14.20).
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Names,
    /// Those that the server makes, and others.
    These(Vec<Property>, Others),
}

/// Properties that are asked for and that the server does not make: each once.
#[derive(Debug, Default, PartialEq, Eq)]
struct Others {
    /// Each with the element that says that an entry lacks it.
    names: BTreeMap<Name, String>,
    /// The prefix of each namespace in those elements.
    prefixes: BTreeMap<Arc<str>, String>,
}

impl Others {
    fn add(&mut self, name: Name) {
        let namespace = &name.namespace;
        let prefix = if namespace.is_empty() {
            String::new()
        } else if name.is_of_dav() {
            "D:".to_owned()
        } else {
            let number = self.prefixes.len();
            let known = self.prefixes.entry(Arc::clone(namespace));
            known.or_insert_with(|| format!("n{number}:")).clone()
        };
        let element = format!("<{prefix}{}/>", name.local);
        self.names.insert(name, element);
    }

    /// The declarations of their namespaces, which stand once in an answer.
    fn declarations(&self) -> String {
        let mut declarations = String::new();
        for (namespace, prefix) in &self.prefixes {
            let prefix = prefix.trim_end_matches(':');
            let _ = write!(declarations, " xmlns:{prefix}=\"{}\"", escaped(namespace));
        }
        declarations
    }

    /// How long they are in an answer, in bytes.
    fn length(&self) -> usize {
        let elements: usize = self.names.values().map(String::len).sum();
        elements + self.declarations().len()
    }
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

    /// Whether it is about dead properties, too.
    fn describing(&self) -> Describing {
        match self {
            Self::These(_, others) if others.names.is_empty() => Describing::Briefly,
            _ => Describing::Fully,
        }
    }

    /// How the answer begins.
    fn start(&self) -> String {
        match self {
            Self::All | Self::Names => start(""),
            Self::These(_, others) => start(&others.declarations()),
        }
    }
}

/// Where files are reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mounts<'m> {
    /// Where they are for the client.
    pub(crate) here: &'m str,
    /// Where they are in the conditions of a request.
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

/// Answers a request for the properties of `path`, and of what is in it. Every element of the
/// answer is written here, wherever the files are.
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
    let mut first = wanted.start();
    response(
        &mut first,
        (&place, Some(&path)),
        &described,
        (&wanted, &locked),
    );
    let pages = if is_folder && reach == Reach::Members {
        // Looked up before the answer begins, so that a failure at once becomes an error answer.
        let page = catalogue
            .described_in(&path, None, PAGE_ENTRIES, how)
            .await?;
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

/// Changes the properties of `path`, all that are named or none, and reports on each.
pub(crate) async fn patch(
    catalogue: impl Catalogue,
    Mounts { here: mount, named }: Mounts<'_>,
    path: FilePath,
    asked: &HeaderMap,
    body: Body,
) -> Answer {
    let steps = steps(&collect(body).await?)?;
    let entry = catalogue.described(&path, Describing::Briefly).await?.entry;
    let (names, changes): (Vec<Name>, Vec<_>) = steps.into_iter().unzip();
    let changes: Result<Vec<PropertyChange>, PropertyError> = changes.into_iter().collect();
    let changes = changes.map_err(ChangesError::from);
    // Only the server sets properties of WebDAV itself (RFC 4918, 15).
    let protected = Name::is_of_dav;
    let full = "507 Insufficient Storage";
    let (whole, rest) = match changes.and_then(PropertyChanges::try_from) {
        Ok(changes) => match catalogue.set_properties(named, &path, asked, changes).await {
            Ok(()) => ("200 OK", "200 OK"),
            Err(problem) if problem.status == StatusCode::INSUFFICIENT_STORAGE.as_u16() => {
                (full, full)
            }
            Err(problem) => return Err(problem),
        },
        Err(refused) => {
            let condition = condition(&catalogue, named, &path, asked).await?;
            condition.check(Some(&entry))?;
            match refused {
                ChangesError::Protected => ("403 Forbidden", "424 Failed Dependency"),
                ChangesError::Long | ChangesError::Property(PropertyError::Long) => (full, full),
                refused => return Err(refused.into()),
            }
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
    let mut text = start("");
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

/// The content of a request in XML.
pub(crate) async fn collect(body: Body) -> Result<Bytes, Problem> {
    let whole = Limited::new(body, LONGEST_DOCUMENT_BYTES).collect().await;
    let whole = whole.map_err(|error| {
        if error.is::<LengthLimitError>() {
            malformed(format!(
                "the request has more than {LONGEST_DOCUMENT_BYTES} bytes"
            ))
        } else {
            malformed("the request broke off")
        }
    })?;
    Ok(whole.to_bytes())
}

/// How an answer begins that declares further namespaces.
fn start(declarations: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
         <D:multistatus xmlns:D=\"DAV:\"{declarations}>\n"
    )
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
    /// Frame after frame, so that a big folder takes no more memory than a small one, and nobody
    /// else waits while it is written.
    fn pages(
        self,
        first: DescribedPage,
    ) -> impl futures_util::Stream<Item = Result<String, Problem>> + Send {
        let first = (first.entries.into_iter(), first.next);
        stream::try_unfold((self, first), |(listing, first)| async move {
            let (mut entries, mut next) = first;
            loop {
                yield_now().await;
                let mut text = String::new();
                for described in entries.by_ref() {
                    let name = &described.entry.name;
                    let place = format!("{}/{}", listing.place, encode(name));
                    let path = listing.path.join(name).ok();
                    let asked = (&listing.wanted, &listing.locked);
                    response(&mut text, (&place, path.as_ref()), &described, asked);
                    if text.len() >= FRAME_BYTES {
                        break;
                    }
                }
                if !text.is_empty() {
                    return Ok(Some((text, (listing, (entries, next)))));
                }
                let Some(after) = next else {
                    return Ok(None);
                };
                let (path, how) = (&listing.path, listing.wanted.describing());
                let page = listing
                    .catalogue
                    .described_in(path, Some(&after), PAGE_ENTRIES, how);
                let page = page.await?;
                (entries, next) = (page.entries.into_iter(), page.next);
            }
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
        Wanted::All => properties
            .iter()
            .for_each(|dead| found.push_str(dead.as_xml())),
        Wanted::Names => properties
            .iter()
            .for_each(|dead| dead.name().write_empty(&mut found)),
        Wanted::These(_, others) => {
            for (name, lacking) in &others.names {
                match properties.of(name) {
                    Some(dead) => found.push_str(dead.as_xml()),
                    None => missing.push_str(lacking),
                }
            }
        }
    }
    begin(out, place, entry);
    // A request for no properties gets one empty `propstat`, because there has to be one (14.24).
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
            // Unknown elements are ignored (RFC 4918, 17).
            continue;
        };
        if wanted.replace(one).is_some() {
            return Err(malformed("propfind must ask for one thing only"));
        }
    }
    wanted.ok_or_else(|| malformed("propfind must ask for allprop, propname or prop"))
}

fn these(prop: &Element) -> Result<Wanted, Problem> {
    let (mut live, mut others) = (Vec::new(), Others::default());
    for (number, child) in prop.children().enumerate() {
        if number == MOST_NAMED_PROPERTIES {
            let many = format!("a request asks for at most {MOST_NAMED_PROPERTIES} properties");
            return Err(malformed(many));
        }
        let known = ALL
            .iter()
            .find(|property| child.name.is_dav(property.name()));
        match known {
            Some(property) if live.contains(property) => {}
            Some(property) => live.push(*property),
            None => others.add(child.name.clone()),
        }
    }
    if others.length() > LONGEST_NAMES_BYTES {
        let long = "the names of the properties that are asked for are too long: ask for fewer";
        return Err(malformed(long));
    }
    Ok(Wanted::These(live, others))
}

/// A change of a property, or why it cannot be made.
type Step = (Name, Result<PropertyChange, PropertyError>);

/// Reads a `propertyupdate` element (RFC 4918, 14.19): the changes in their order.
fn steps(request: &[u8]) -> Result<Vec<Step>, Problem> {
    let request = document(request, "propertyupdate")?;
    let mut steps = Vec::new();
    for step in request.children() {
        let sets = step.name.is_dav("set");
        if !sets && !step.name.is_dav("remove") {
            continue;
        }
        for prop in step.children().filter(|prop| prop.name.is_dav("prop")) {
            let around = [prop, step, &request];
            let language = around.into_iter().find_map(Element::language);
            for property in prop.children() {
                // Checked before any property is written.
                if steps.len() == MOST_CHANGES {
                    return Err(ChangesError::Many.into());
                }
                let change = if sets {
                    let property = property.clone().within_language(language);
                    DeadProperty::new(&property).map(PropertyChange::Set)
                } else {
                    let name = PropertyName(property.name.clone());
                    Ok(PropertyChange::Remove(name))
                };
                steps.push((property.name.clone(), change));
            }
        }
    }
    if steps.is_empty() {
        return Err(ChangesError::Nothing.into());
    }
    Ok(steps)
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
mod tests;
