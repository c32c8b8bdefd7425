//! Lists of objects as the object store sends them, before the library reads them.
//!
//! One key that [`Path`] cannot have, such as `a//b`, makes the library refuse the whole list, and
//! it drops the slash of a key that ends with one, as the consoles of object stores make them for
//! folders. So such keys are replaced in the list by others that no file can have.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt, Limited};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::path::{Path, PathPart};
use quick_xml::Reader;
use quick_xml::escape::{escape, resolve_predefined_entity};
use quick_xml::events::{BytesRef, Event};

use crate::dav::path::RESERVED;

/// The longest list, in bytes: a thousand keys of a kilobyte, each byte of which may be six in XML,
/// with their other members.
const LONGEST_LIST_BYTES: usize = 16 * 1024 * 1024;
/// Replaces the slash at the end of a folder's key: `a/` becomes `a/.hallway/marker`.
const MARKER: &str = "marker";
/// Replaces the rest of a key after the last folder that [`Path`] can have: `a//b` becomes
/// `a/.hallway/unnameable`.
const UNNAMEABLE: &str = "unnameable";

/// An object of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// The object of this key.
    Object(Path),
    /// An object whose key no request can name.
    Unnameable,
}

/// Which object a list means by `location`.
pub(super) fn meant(location: Path) -> Meant {
    let mut parts = location.as_ref().rsplitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(UNNAMEABLE), Some(RESERVED), _) => Meant::Unnameable,
        (Some(MARKER), Some(RESERVED), Some(folder)) => match Path::parse(folder) {
            Ok(folder) => Meant::Object(marker_of(folder)),
            Err(_) => Meant::Unnameable,
        },
        _ => Meant::Object(location),
    }
}

/// The key of a folder: that of a file with a slash at its end.
pub(super) fn marker_of(folder: Path) -> Path {
    folder.join(PathPart::from(""))
}

/// Makes connections on which lists come with keys that [`Path`] can have.
#[derive(Debug)]
pub(super) struct Readable<C>(pub(super) C);

impl<C: HttpConnector> HttpConnector for Readable<C> {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Lists {
            client: self.0.connect(options)?,
            told: AtomicBool::new(false),
        }))
    }
}

#[derive(Debug)]
struct Lists {
    client: HttpClient,
    /// Whether the log already names a key that cannot be read.
    told: AtomicBool,
}

#[async_trait]
impl HttpService for Lists {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let query = request.uri().query().unwrap_or_default();
        let is_list =
            request.method() == Method::GET && query.split('&').any(|pair| pair == "list-type=2");
        let response = self.client.execute(request).await?;
        if !is_list || !response.status().is_success() {
            return Ok(response);
        }
        let (mut head, body) = response.into_parts();
        let list = whole(body).await?;
        // The library refuses an answer that is no list.
        let list = match readable(&list) {
            Some((readable, unnameable)) => {
                if let Some(key) = unnameable
                    && !self.told.swap(true, Ordering::Relaxed)
                {
                    let why = "no file can have the name of this object: it is left out of lists";
                    tracing::warn!(key = %key.escape_default(), "{why}");
                }
                readable
            }
            None => list,
        };
        head.headers.remove(CONTENT_LENGTH);
        Ok(HttpResponse::from_parts(head, list.into()))
    }
}

async fn whole(body: HttpResponseBody) -> Result<Bytes, HttpError> {
    let whole = Limited::new(body, LONGEST_LIST_BYTES).collect().await;
    let whole = whole.map_err(|error| match error.downcast::<HttpError>() {
        Ok(error) => *error,
        Err(error) => HttpError::new_boxed(HttpErrorKind::Decode, error),
    })?;
    Ok(whole.to_bytes())
}

/// A key in a list, and where its text begins.
struct Key {
    begins: usize,
    text: String,
}

/// The answer to `ListObjectsV2` with keys that [`Path`] can have, and the first one that it could
/// not have. Groups of such keys (`CommonPrefixes`) are left out. `None` for what is not XML.
fn readable(list: &[u8]) -> Option<(Bytes, Option<String>)> {
    let mut reader = Reader::from_reader(list);
    let (mut out, mut copied) = (Vec::with_capacity(list.len()), 0);
    let (mut open, mut item_begins) = (Vec::new(), 0);
    let (mut key, mut leave_out, mut unnameable) = (None::<Key>, false, None);
    loop {
        let before = position(&reader)?;
        let event = reader.read_event().ok()?;
        let after = position(&reader)?;
        match event {
            Event::Start(start) => {
                open.push(start.local_name().as_ref().to_vec());
                if open.len() == 2 {
                    item_begins = before;
                }
                if is_object(&open) || is_group(&open) {
                    let text = String::new();
                    let begins = after;
                    key = Some(Key { begins, text });
                }
            }
            Event::Text(text) => {
                if let Some(key) = &mut key {
                    key.text.push_str(&text.decode().ok()?);
                }
            }
            Event::CData(text) => {
                if let Some(key) = &mut key {
                    key.text.push_str(&text.decode().ok()?);
                }
            }
            Event::GeneralRef(reference) => {
                if let Some(key) = &mut key {
                    // A character that XML cannot have is in no name of a file either.
                    key.text.push(character(&reference).unwrap_or('\0'));
                }
            }
            Event::End(_) => {
                if let Some(Key { begins, text }) = key.take() {
                    if is_group(&open) {
                        leave_out = !text.strip_suffix('/').is_some_and(is_path);
                    } else if let Some(alias) = alias(&text) {
                        out.extend_from_slice(list.get(copied..begins)?);
                        out.extend_from_slice(escape(alias.as_str()).as_bytes());
                        copied = before;
                        if meant(Path::parse(&alias).ok()?) == Meant::Unnameable {
                            unnameable.get_or_insert(text);
                        }
                    }
                }
                if open.len() == 2 && std::mem::take(&mut leave_out) {
                    out.extend_from_slice(list.get(copied..item_begins)?);
                    copied = after;
                }
                open.pop();
            }
            Event::Eof => break,
            _ => {}
        }
    }
    out.extend_from_slice(list.get(copied..)?);
    Some((out.into(), unnameable))
}

fn position(reader: &Reader<&[u8]>) -> Option<usize> {
    usize::try_from(reader.buffer_position()).ok()
}

fn is_object(open: &[Vec<u8>]) -> bool {
    matches!(open, [_, item, key] if item == b"Contents" && key == b"Key")
}

fn is_group(open: &[Vec<u8>]) -> bool {
    matches!(open, [_, item, key] if item == b"CommonPrefixes" && key == b"Prefix")
}

fn character(reference: &BytesRef<'_>) -> Option<char> {
    if reference.is_char_ref() {
        return reference.resolve_char_ref().ok()?;
    }
    let name = reference.decode().ok()?;
    resolve_predefined_entity(&name)?.chars().next()
}

/// Whether [`Path`] can have a key as it is.
fn is_path(key: &str) -> bool {
    !key.is_empty() && Path::parse(key).is_ok_and(|path| path.as_ref() == key)
}

/// What replaces a key in a list; `None` if [`Path`] can have it as it is.
fn alias(key: &str) -> Option<String> {
    if is_path(key) {
        return None;
    }
    let (folder, name) = match key.strip_suffix('/').filter(|folder| is_path(folder)) {
        Some(folder) => (folder, MARKER),
        None => {
            let slashes = key.match_indices('/').map(|(at, _)| &key[..at]);
            let on_its_way = slashes.take_while(|folder| is_path(folder)).last();
            (on_its_way.unwrap_or_default(), UNNAMEABLE)
        }
    };
    let slash = if folder.is_empty() { "" } else { "/" };
    Some(format!("{folder}{slash}{RESERVED}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(keys: &[&str], groups: &[&str]) -> String {
        let keys = keys.iter().map(|key| {
            format!("<Contents><Key>{key}</Key><Size>1</Size><StorageClass/></Contents>")
        });
        let groups = groups
            .iter()
            .map(|group| format!("<CommonPrefixes><Prefix>{group}</Prefix></CommonPrefixes>"));
        let all: String = keys.chain(groups).collect();
        format!(
            "<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Prefix>a//</Prefix><KeyCount>9</KeyCount>{all}</ListBucketResult>"
        )
    }

    #[test]
    fn keys_that_can_be_read_stay_as_they_are() {
        let good = list(&["a", "b/c d", "e&amp;f&#x20;g", "ä"], &["a/", "b&lt;/"]);
        let (readable, unnameable) = readable(good.as_bytes()).unwrap();
        assert_eq!(readable, good);
        assert_eq!(unnameable, None);
        assert_eq!(super::readable(b"<a><b></a>"), None);
    }

    #[test]
    fn keys_that_no_file_can_have_get_other_names() {
        for (key, called) in [
            ("photos/", "photos/.hallway/marker"),
            ("a/photos/", "a/photos/.hallway/marker"),
            ("a//b", "a/.hallway/unnameable"),
            ("a//", "a/.hallway/unnameable"),
            ("a/b/./c", "a/b/.hallway/unnameable"),
            ("a/../b", "a/.hallway/unnameable"),
            ("../out", ".hallway/unnameable"),
            ("/lead", ".hallway/unnameable"),
            ("/", ".hallway/unnameable"),
            ("a/tab&#9;b", "a/.hallway/unnameable"),
            ("nul&#1;x", ".hallway/unnameable"),
            ("nul&#0;x", ".hallway/unnameable"),
            ("raw\u{1}x/", ".hallway/unnameable"),
            ("<![CDATA[c//d]]>", "c/.hallway/unnameable"),
        ] {
            let (readable, unnameable) = readable(list(&["z", key], &[]).as_bytes()).unwrap();
            assert_eq!(readable, list(&["z", called], &[]), "{key}");
            assert_eq!(unnameable.is_some(), called.ends_with(UNNAMEABLE), "{key}");
        }
        let groups = list(&[], &["good/", "/", "a//", "t&#9;/", "../", "good too/"]);
        let (readable, _) = readable(groups.as_bytes()).unwrap();
        assert_eq!(readable, list(&[], &["good/", "good too/"]));
    }

    #[test]
    fn the_object_behind_another_name_is_found_again() {
        let path = |text: &str| Path::parse(text).unwrap();
        for plain in ["a", "a/.hallway", "marker", "a/marker", "b.hallway/marker"] {
            assert_eq!(meant(path(plain)), Meant::Object(path(plain)), "{plain}");
        }
        let Meant::Object(marker) = meant(path("a/b/.hallway/marker")) else {
            panic!("it is an object");
        };
        assert_eq!(marker.as_ref(), "a/b/");
        for unnameable in ["a/.hallway/unnameable", ".hallway/unnameable"] {
            assert_eq!(meant(path(unnameable)), Meant::Unnameable);
        }
    }
}
