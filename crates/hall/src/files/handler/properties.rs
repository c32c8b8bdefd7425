//! `PROPFIND` (RFC 4918, 9.1): what WebDAV clients list folders with.

use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt, Limited, StreamBody};
use hyper::body::Frame;
use quick_xml::NsReader;
use quick_xml::escape::escape;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;

use super::headers;
use super::{Answer, malformed};
use crate::body::{self, Body};
use crate::files::path::{FilePath, encode};
use crate::files::store::{Entry, Kind, Page, Store};
use crate::foreign::MediaType;
use crate::problem::Problem;

/// The longest request that is read.
const LONGEST_REQUEST: usize = 64 * 1024;
/// The most properties that are asked for at once.
const MOST_PROPERTIES: usize = 64;
/// Entries that are looked up and written together.
const PAGE: usize = 1000;

const DAV: &[u8] = b"DAV:";

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
}

const ALL: [Property; 6] = [
    Property::ResourceType,
    Property::DisplayName,
    Property::ContentLength,
    Property::ContentType,
    Property::LastModified,
    Property::Etag,
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
        }
    }

    /// Its value, as XML.
    fn value(self, entry: &Entry) -> Option<String> {
        let is_file = entry.kind == Kind::File;
        match self {
            Self::ResourceType if is_file => Some(String::new()),
            Self::ResourceType => Some("<D:collection/>".to_owned()),
            Self::DisplayName => Some(escape(&entry.name).into_owned()),
            Self::ContentLength => is_file.then(|| entry.bytes.to_string()),
            Self::ContentType => {
                is_file.then(|| MediaType::of_name(&entry.name).as_str().to_owned())
            }
            Self::LastModified => headers::http_date(entry.modified_ms),
            Self::Etag => {
                let etag = entry.etag.as_ref()?;
                Some(escape(format!("\"{etag}\"")).into_owned())
            }
        }
    }
}

/// What is asked for (RFC 4918, 14.20).
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Names,
    /// Known ones, and the namespace and name of others.
    These(Vec<Property>, Vec<(String, String)>),
}

/// What files and folders there are.
#[async_trait]
pub(crate) trait Catalogue: Send + Sync + 'static {
    /// What `path` is.
    async fn entry(&self, path: &FilePath) -> Result<Entry, Problem>;

    /// As [`Store::list`].
    async fn list(
        &self,
        folder: &FilePath,
        after: Option<&str>,
        most: usize,
    ) -> Result<Page, Problem>;
}

#[async_trait]
impl Catalogue for Arc<dyn Store> {
    async fn entry(&self, path: &FilePath) -> Result<Entry, Problem> {
        Ok(self.as_ref().entry(path).await?)
    }

    async fn list(
        &self,
        folder: &FilePath,
        after: Option<&str>,
        most: usize,
    ) -> Result<Page, Problem> {
        Ok(self.as_ref().list(folder, after, most).await?)
    }
}

/// Answers a request for the properties of `path`, and of what is in it, which is reached below
/// `mount`. Every element of the answer is written here, wherever the files are.
pub(crate) async fn properties(
    catalogue: impl Catalogue,
    mount: &str,
    path: FilePath,
    asked: &HeaderMap,
    body: Body,
) -> Answer {
    let deep = match headers::text(asked, "depth")? {
        Some("0") => false,
        Some("1") => true,
        // RFC 4918, 9.1: a server may refuse to list a whole tree.
        _ => return Ok(finite_depth()),
    };
    let request = Limited::new(body, LONGEST_REQUEST).collect().await;
    let request = request
        .map_err(|error| malformed(format!("the request cannot be read: {error}")))?
        .to_bytes();
    let wanted = parse(&request)?;
    let entry = catalogue.entry(&path).await?;

    let place = format!("{mount}/{}", path.to_uri());
    let place = place.trim_end_matches('/').to_owned();
    let mut first = START.to_owned();
    response(&mut first, &place, &entry, &wanted);
    let pages = if deep && entry.kind == Kind::Folder {
        // Looked up before the answer begins, so that what fails at once is told as an error.
        let page = catalogue.list(&path, None, PAGE).await?;
        let listing = Listing {
            catalogue,
            path,
            place,
            wanted,
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
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    *response.status_mut() = StatusCode::MULTI_STATUS;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/xml; charset=utf-8"),
    );
    Ok(response)
}

struct Listing<C> {
    catalogue: C,
    path: FilePath,
    place: String,
    wanted: Wanted,
}

impl<C: Catalogue> Listing<C> {
    /// Page after page, so that a big folder takes no more memory than a small one.
    fn pages(
        self,
        first: Page,
    ) -> impl futures_util::Stream<Item = Result<String, Problem>> + Send {
        stream::try_unfold(Some((self, first)), |state| async move {
            let Some((listing, page)) = state else {
                return Ok(None);
            };
            let mut text = String::new();
            for entry in &page.entries {
                let place = format!("{}/{}", listing.place, encode(&entry.name));
                response(&mut text, &place, entry, &listing.wanted);
            }
            let next = match page.next {
                Some(after) => {
                    let page = listing
                        .catalogue
                        .list(&listing.path, Some(&after), PAGE)
                        .await?;
                    Some((listing, page))
                }
                None => None,
            };
            Ok(Some((text, next)))
        })
    }
}

/// One `response` element (RFC 4918, 14.24).
fn response(out: &mut String, place: &str, entry: &Entry, wanted: &Wanted) {
    let slash = if entry.kind == Kind::Folder { "/" } else { "" };
    let (mut found, mut missing) = (String::new(), String::new());
    let (known, others): (&[Property], &[(String, String)]) = match wanted {
        Wanted::All | Wanted::Names => (&ALL, &[]),
        Wanted::These(known, others) => (known, others),
    };
    for property in known {
        let name = property.name();
        // Writing to a String can't fail.
        let _ = match (property.value(entry), wanted) {
            (Some(_), Wanted::Names) => write!(found, "<D:{name}/>"),
            (Some(value), _) => write!(found, "<D:{name}>{value}</D:{name}>"),
            (None, Wanted::These(..)) => write!(missing, "<D:{name}/>"),
            (None, _) => Ok(()),
        };
    }
    for (namespace, name) in others {
        let namespace = escape(namespace);
        let _ = write!(missing, "<{name} xmlns=\"{namespace}\"/>");
    }
    let _ = write!(out, "<D:response><D:href>{}{slash}</D:href>", escape(place));
    for (properties, status) in [(found, "200 OK"), (missing, "404 Not Found")] {
        if !properties.is_empty() {
            let _ = write!(
                out,
                "<D:propstat><D:prop>{properties}</D:prop>\
                 <D:status>HTTP/1.1 {status}</D:status></D:propstat>"
            );
        }
    }
    out.push_str("</D:response>\n");
}

/// Reads a `propfind` element. No body asks for all (RFC 4918, 9.1).
fn parse(request: &[u8]) -> Result<Wanted, Problem> {
    if request.is_empty() {
        return Ok(Wanted::All);
    }
    let wrong = |error: quick_xml::Error| malformed(format!("the request is not XML: {error}"));
    let mut reader = NsReader::from_reader(request);
    let mut buffer = Vec::new();
    let (mut depth, mut wanted) = (0_usize, None);
    let (mut known, mut others) = (Vec::new(), Vec::new());
    loop {
        let (namespace, event) = reader
            .read_resolved_event_into(&mut buffer)
            .map_err(wrong)?;
        let (element, opens) = match &event {
            Event::Start(element) => (element, true),
            Event::Empty(element) => (element, false),
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                buffer.clear();
                continue;
            }
            // Entities that a document defines for itself are of no use here but to do harm.
            Event::DocType(_) => return Err(malformed("the request has a document type")),
            Event::Eof if depth > 0 => return Err(malformed("the request ends in the middle")),
            Event::Eof => break,
            _ => {
                buffer.clear();
                continue;
            }
        };
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => namespace.0.to_vec(),
            ResolveResult::Unbound => Vec::new(),
            ResolveResult::Unknown(_) => return Err(malformed("a prefix is not declared")),
        };
        let name = String::from_utf8(element.local_name().as_ref().to_vec())
            .map_err(|_| malformed("a name is not UTF-8"))?;
        match (depth, namespace == DAV, name.as_str()) {
            (0, true, "propfind") => {}
            (0, ..) => return Err(malformed("the request is not a propfind element")),
            (1, true, "allprop") => wanted = Some(Wanted::All),
            (1, true, "propname") => wanted = Some(Wanted::Names),
            (1, true, "prop") => wanted = Some(Wanted::These(Vec::new(), Vec::new())),
            (2, true, name) if let Some(property) = ALL.iter().find(|p| p.name() == name) => {
                known.push(*property);
            }
            (2, ..) => {
                let namespace = String::from_utf8(namespace)
                    .map_err(|_| malformed("a namespace is not UTF-8"))?;
                others.push((namespace, name));
            }
            _ => {}
        }
        if known.len() + others.len() > MOST_PROPERTIES {
            return Err(malformed("that is too many properties at once"));
        }
        if opens {
            depth += 1;
        }
        buffer.clear();
    }
    match wanted {
        Some(Wanted::These(..)) => Ok(Wanted::These(known, others)),
        Some(wanted) => Ok(wanted),
        None => Err(malformed("propfind asks for allprop, propname or prop")),
    }
}

/// 403 with the precondition code of RFC 4918, 9.1.
fn finite_depth() -> Response<Body> {
    let mut response = Response::new(body::full(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
         <D:error xmlns:D=\"DAV:\"><D:propfind-finite-depth/></D:error>\n",
    ));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/xml; charset=utf-8"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_ask_for_is_understood() {
        assert_eq!(parse(b"").unwrap(), Wanted::All);
        let all = b"<?xml version='1.0'?><d:propfind xmlns:d='DAV:'><d:allprop/></d:propfind>";
        assert_eq!(parse(all).unwrap(), Wanted::All);
        let names = b"<propfind xmlns='DAV:'><propname/></propfind>";
        assert_eq!(parse(names).unwrap(), Wanted::Names);
        let these = b"<a:propfind xmlns:a='DAV:' xmlns:o='http://owncloud.org/ns'><a:prop>\
            <a:getetag/><o:checksums/><a:getcontentlength></a:getcontentlength></a:prop></a:propfind>";
        assert_eq!(
            parse(these).unwrap(),
            Wanted::These(
                vec![Property::Etag, Property::ContentLength],
                vec![("http://owncloud.org/ns".to_owned(), "checksums".to_owned())]
            )
        );
    }

    #[test]
    fn what_is_no_propfind_is_refused() {
        let many = format!(
            "<propfind xmlns='DAV:'><prop>{}</prop></propfind>",
            "<x/>".repeat(MOST_PROPERTIES + 1)
        );
        for wrong in [
            "x",
            "<propfind/>",
            "<propfind xmlns='DAV:'/>",
            "<propfind xmlns='DAV:'><prop>",
            "<a:propfind/>",
            "<!DOCTYPE x [<!ENTITY e 'e'>]><propfind xmlns='DAV:'><allprop/></propfind>",
            many.as_str(),
        ] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_and_namespaces_are_escaped() {
        let entry = Entry {
            name: "a<&>\"b".to_owned(),
            kind: Kind::File,
            bytes: 3,
            modified_ms: 0,
            etag: Some("t".to_owned()),
        };
        let wanted = Wanted::These(
            vec![Property::DisplayName, Property::Etag],
            vec![("u\"><x".to_owned(), "y".to_owned())],
        );
        let mut out = String::new();
        response(&mut out, "/files/data/a%3C%26", &entry, &wanted);
        assert!(out.contains("<D:displayname>a&lt;&amp;&gt;&quot;b</D:displayname>"));
        assert!(out.contains("<D:getetag>&quot;t&quot;</D:getetag>"));
        assert!(out.contains("<y xmlns=\"u&quot;&gt;&lt;x\"/>"));
    }
}
