//! Locks in XML: the locks that clients ask for, the locks that are kept, and conditions that
//! failed (RFC 4918, 14 and 16).

use std::fmt::Write as _;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::{Owner, Scope, ShownLock};
use crate::body::{self, Body};
use crate::dav::path::{FilePath, encode};
use crate::dav::unmet::{Precondition, Unmet};
use crate::files::handler::malformed;
use crate::files::store::Depth;
use crate::files::xml::{Element, escape};
use crate::problem::Problem;

/// `supportedlock` (15.10): both scopes, for writing.
pub(crate) const SUPPORTED: &str = "<D:lockentry><D:lockscope><D:exclusive/></D:lockscope>\
     <D:locktype><D:write/></D:locktype></D:lockentry>\
     <D:lockentry><D:lockscope><D:shared/></D:lockscope>\
     <D:locktype><D:write/></D:locktype></D:lockentry>";

const START: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";

/// A new lock, as a client asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    pub(crate) scope: Scope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<Owner>,
}

/// Reads a `lockinfo` element (14.11). An empty request means that a lock is refreshed (9.10.2).
///
/// # Errors
/// 400: it is malformed, or asks for a kind of lock that does not exist.
pub(crate) fn read(request: &[u8]) -> Result<Option<Wish>, Problem> {
    if request.is_empty() {
        return Ok(None);
    }
    let info = Element::parse(request);
    let info = info.map_err(|error| malformed(format!("the request: {error}")))?;
    if !info.name.is_dav("lockinfo") {
        return Err(malformed("the request is not a lockinfo element"));
    }
    let child = |name: &str| info.children().find(|child| child.name.is_dav(name));
    let has = |parent: &str, name: &str| {
        child(parent).is_some_and(|parent| parent.children().any(|child| child.name.is_dav(name)))
    };
    if !has("locktype", "write") {
        return Err(malformed(
            "only locks for writing exist: locktype must be write",
        ));
    }
    let scope = match (has("lockscope", "exclusive"), has("lockscope", "shared")) {
        (true, false) => Scope::Exclusive,
        (false, true) => Scope::Shared,
        _ => return Err(malformed("lockscope must be either exclusive or shared")),
    };
    let owner = child("owner").cloned().map(Owner::new);
    Ok(Some(Wish {
        scope,
        owner: owner.transpose().map_err(malformed)?,
    }))
}

/// The value of `lockdiscovery` (15.8).
pub(crate) fn discovery<'l>(mount: &str, locks: impl IntoIterator<Item = &'l ShownLock>) -> String {
    let mut out = String::new();
    for lock in locks {
        let scope = match lock.scope {
            Scope::Exclusive => "exclusive",
            Scope::Shared => "shared",
        };
        let depth = match lock.depth {
            Depth::Itself => "0",
            Depth::Everything => "infinity",
        };
        let owner = lock.owner.as_ref().map(ToString::to_string);
        // Writing to a String can't fail.
        let _ = write!(
            out,
            "<D:activelock><D:locktype><D:write/></D:locktype>\
             <D:lockscope><D:{scope}/></D:lockscope><D:depth>{depth}</D:depth>{}\
             <D:timeout>Second-{}</D:timeout>\
             <D:locktoken><D:href>{}</D:href></D:locktoken>\
             <D:lockroot><D:href>{}</D:href></D:lockroot></D:activelock>",
            owner.unwrap_or_default(),
            lock.seconds,
            lock.token,
            address(mount, &lock.path),
        );
    }
    out
}

/// The body of the answer with a lock (9.10.1): the property `lockdiscovery`.
pub(crate) fn answer(mount: &str, lock: &ShownLock) -> String {
    let discovery = discovery(mount, [lock]);
    format!(
        "{START}<D:prop xmlns:D=\"DAV:\"><D:lockdiscovery>{discovery}</D:lockdiscovery></D:prop>\n"
    )
}

/// Where `path` is, in XML.
fn address(mount: &str, path: &FilePath) -> String {
    let slash = if path.is_root() { "" } else { "/" };
    let mut out = String::new();
    escape(mount, &mut out);
    out + slash + &encode(path.as_str())
}

/// The form in which a client wants a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// An `error` element, for programs that speak WebDAV.
    Xml,
    /// A problem in JSON, for clients that accept JSON.
    Json,
}

impl Form {
    pub(crate) fn wanted(headers: &HeaderMap) -> Self {
        let accepts = headers.get_all(ACCEPT).iter();
        let json = accepts.filter_map(|value| value.to_str().ok());
        if json.into_iter().any(|value| value.contains("json")) {
            Self::Json
        } else {
            Self::Xml
        }
    }
}

/// The condition as WebDAV's programs read it (14.5).
fn error_element(unmet: &Unmet, mount: &str) -> String {
    let code = unmet.code.as_str();
    let path = match unmet.code {
        Precondition::TokenMatches => String::new(),
        _ => format!("<D:href>{}</D:href>", address(mount, &unmet.path)),
    };
    format!("<D:error><D:{code}>{path}</D:{code}></D:error>")
}

/// The request that is refused, and the form in which the client wants that.
pub(crate) struct Refusing<'r> {
    pub(crate) form: Form,
    pub(crate) mount: &'r str,
    /// The path of the request.
    pub(crate) path: &'r FilePath,
}

impl Refusing<'_> {
    /// `response`; if it says that a condition about locks was not met, in the form that is wanted.
    pub(crate) fn answer(&self, mut response: Response<Body>) -> Response<Body> {
        let Some(unmet) = Unmet::of(response.headers()) else {
            return response;
        };
        if self.form == Form::Json {
            return response;
        }
        response.headers_mut().remove(Unmet::HEADER);
        let inner = unmet.path != *self.path && unmet.path.is_within(self.path);
        let error = error_element(&unmet, self.mount);
        let xml = if unmet.code == Precondition::NoConflict && inner {
            // The lock in the way is on something in the folder that was to be locked (9.10.6).
            *response.status_mut() = StatusCode::MULTI_STATUS;
            let (lock, asked) = (
                address(self.mount, &unmet.path),
                address(self.mount, self.path),
            );
            format!(
                "{START}<D:multistatus xmlns:D=\"DAV:\">\
                 <D:response><D:href>{lock}</D:href>\
                 <D:status>HTTP/1.1 423 Locked</D:status>{error}</D:response>\
                 <D:response><D:href>{asked}</D:href>\
                 <D:status>HTTP/1.1 424 Failed Dependency</D:status></D:response>\
                 </D:multistatus>\n"
            )
        } else {
            let rest = error.trim_start_matches("<D:error>");
            format!("{START}<D:error xmlns:D=\"DAV:\">{rest}\n")
        };
        let headers = response.headers_mut();
        headers.remove(http::header::CONTENT_LENGTH);
        headers.remove(http::header::CONTENT_DISPOSITION);
        headers.insert(CONTENT_TYPE, xml_type());
        *response.body_mut() = body::full(xml);
        response
    }
}

/// The media type of what is written here.
pub(crate) fn xml_type() -> HeaderValue {
    HeaderValue::from_static("application/xml; charset=utf-8")
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::super::LockToken;
    use super::*;

    fn info(inner: &str) -> String {
        format!("<D:lockinfo xmlns:D='DAV:'>{inner}</D:lockinfo>")
    }

    const TYPE: &str = "<D:locktype><D:write/></D:locktype>";
    const EXCLUSIVE: &str = "<D:lockscope><D:exclusive/></D:lockscope>";

    #[test]
    fn requests_of_common_clients_are_understood() {
        assert_eq!(read(b"").unwrap(), None);
        let owner = "<D:owner><D:href>http://a.example/~ada</D:href></D:owner>";
        let wish = read(info(&format!("{EXCLUSIVE}{TYPE}{owner}<x/>")).as_bytes());
        let wish = wish.unwrap().unwrap();
        assert_eq!(wish.scope, Scope::Exclusive);
        let json = serde_json::to_vec(&wish).unwrap();
        assert_eq!(serde_json::from_slice::<Wish>(&json).unwrap(), wish);
        let shared = info(&format!("{TYPE}<D:lockscope><D:shared/></D:lockscope>"));
        let shared = read(shared.as_bytes()).unwrap().unwrap();
        assert_eq!((shared.scope, shared.owner), (Scope::Shared, None));
    }

    #[test]
    fn malformed_requests_are_refused() {
        let long = "x".repeat(2000);
        for wrong in [
            "x".to_owned(),
            "<lockinfo/>".to_owned(),
            info(""),
            info(TYPE),
            info(EXCLUSIVE),
            info("<D:locktype><D:read/></D:locktype><D:lockscope><D:exclusive/></D:lockscope>"),
            info(&format!(
                "{TYPE}<D:lockscope><D:exclusive/><D:shared/></D:lockscope>"
            )),
            info(&format!("{TYPE}{EXCLUSIVE}<D:owner>{long}</D:owner>")),
            format!("<!DOCTYPE x [<!ENTITY e 'e'>]>{}", info(TYPE)),
        ] {
            let refused = read(wrong.as_bytes()).unwrap_err();
            assert_eq!(refused.status, 400, "{wrong}");
        }
    }

    #[test]
    fn an_owner_is_written_anew() {
        let owner = "<D:owner xmlns:D='DAV:'>A&lt;b&gt;<?php x?></D:owner>";
        let lock = ShownLock {
            token: LockToken::from_bytes([7; 16]),
            path: "a b<".parse().unwrap(),
            depth: Depth::Everything,
            scope: Scope::Shared,
            owner: Some(owner.parse().unwrap()),
            seconds: 5,
        };
        let xml = answer("/files/data", &lock);
        assert!(
            xml.contains("<owner xmlns=\"DAV:\">A&lt;b&gt;</owner>"),
            "{xml}"
        );
        assert!(
            xml.contains("<D:href>/files/data/a%20b%3C</D:href>"),
            "{xml}"
        );
        assert!(
            xml.contains("Second-5") && xml.contains("<D:shared/>"),
            "{xml}"
        );
        Element::parse(xml.as_bytes()).unwrap();
        let json = serde_json::to_vec(&lock).unwrap();
        assert_eq!(serde_json::from_slice::<ShownLock>(&json).unwrap(), lock);
    }

    async fn refused(form: Form, unmet: &Unmet, path: &str) -> (u16, String) {
        let problem = Problem::new(crate::problem::Code::Locked, "no");
        let path = &path.parse().unwrap();
        let refusing = Refusing {
            form,
            mount: "/m",
            path,
        };
        let response = refusing.answer(unmet.refuse(problem));
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_refusal_names_the_lock_in_the_form_that_is_wanted() {
        let path = "a/ü b".parse().unwrap();
        let code = Precondition::TokenSubmitted;
        let unmet = Unmet { code, path };
        let (status, xml) = refused(Form::Xml, &unmet, "a").await;
        assert_eq!(status, 423);
        let within = "<D:lock-token-submitted><D:href>/m/a/%C3%BC%20b</D:href>";
        assert!(xml.contains(within), "{xml}");
        Element::parse(xml.as_bytes()).unwrap();
        let (status, json) = refused(Form::Json, &unmet, "a").await;
        assert_eq!(status, 423);
        assert!(json.contains("\"code\":\"locked\""), "{json}");
        let conflict = Unmet {
            code: Precondition::NoConflict,
            ..unmet
        };
        assert_eq!(refused(Form::Xml, &conflict, "a/ü b").await.0, 423);
        let (status, xml) = refused(Form::Xml, &conflict, "a").await;
        assert_eq!(status, 207);
        assert!(
            xml.contains("423 Locked") && xml.contains("424 Failed"),
            "{xml}"
        );
        Element::parse(xml.as_bytes()).unwrap();
    }
}
