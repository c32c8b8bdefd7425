//! The stores that a grant opens, as a folder that only lists them: a program that begins at the
//! top finds each.

use async_trait::async_trait;
use hallway_evidence::statement::hall::Rights;
use http::header::{ALLOW, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode};

use super::handler::{
    Catalogue, Described, DescribedPage, Describing, Mounts, NoLocks, PROPFIND, find, json,
};
use super::property::{Properties, PropertyChanges};
use super::store::{Entry, Kind};
use crate::body::{self, AnyBody, Body};
use crate::dav::path::FilePath;
use crate::foreign;
use crate::problem::{Code, IntoResponse, Problem};

/// The methods for the folder of stores.
const METHODS: &str = "OPTIONS, GET, HEAD, PROPFIND";

/// Answers a request for the folder of the stores that `rights` name, which is reached at `mount`,
/// such as `/files`. Each store is below it, by its name, and [`serve`](super::serve) answers for
/// it.
pub async fn serve_stores(
    rights: &Rights,
    mount: &str,
    request: Request<impl AnyBody>,
) -> Response<Body> {
    let stores = rights.stores().into_iter();
    let shelf = Shelf {
        names: stores.map(ToString::to_string).collect(),
    };
    let (head, body) = request.into_parts();
    let answer = match head.method.as_str() {
        "OPTIONS" => Ok(about(StatusCode::NO_CONTENT)),
        method @ ("GET" | "HEAD") => json(&shelf.page(None, usize::MAX), method == "HEAD"),
        PROPFIND => {
            let mounts = Mounts {
                here: mount,
                named: mount,
            };
            let (top, body) = (FilePath::root(), body::boxed(body));
            find(shelf, &NoLocks, mounts, top, &head.headers, body).await
        }
        _ => Ok(about(StatusCode::METHOD_NOT_ALLOWED)),
    };
    foreign::protected(answer.unwrap_or_else(Problem::into_response))
}

/// 204, or 405 for a method that is not allowed here.
fn about(status: StatusCode) -> Response<Body> {
    let mut response = if status == StatusCode::METHOD_NOT_ALLOWED {
        let detail =
            format!("this folder only lists the stores: the methods allowed here are {METHODS}");
        Problem::new(Code::MethodNotAllowed, detail).into_response()
    } else {
        let mut response = Response::new(body::empty());
        *response.status_mut() = status;
        response
    };
    let headers = response.headers_mut();
    headers.insert("dav", HeaderValue::from_static("1"));
    headers.insert(ALLOW, HeaderValue::from_static(METHODS));
    response
}

/// The names of stores, in their order.
struct Shelf {
    names: Vec<String>,
}

impl Shelf {
    fn page(&self, after: Option<&str>, most: usize) -> DescribedPage {
        let names = self.names.iter().map(String::as_str);
        let mut left = names.filter(|name| after.is_none_or(|after| *name > after));
        let entries: Vec<Described> = left.by_ref().take(most).map(folder).collect();
        let last = entries.last().map(|last| last.entry.name.clone());
        let next = left.next().and(last);
        DescribedPage { entries, next }
    }
}

fn folder(name: &str) -> Described {
    Described {
        entry: Entry {
            name: name.to_owned(),
            kind: Kind::Folder,
            bytes: 0,
            modified_ms: None,
            etag: None,
        },
        properties: Properties::default(),
    }
}

#[async_trait]
impl Catalogue for Shelf {
    async fn described(&self, path: &FilePath, _: Describing) -> Result<Described, Problem> {
        let is_here = path.is_root() || self.names.iter().any(|name| name == path.as_str());
        is_here.then(|| folder(path.name())).ok_or_else(|| {
            let detail = "there is no such store";
            Problem::new(Code::NotFound, detail)
        })
    }

    async fn described_in(
        &self,
        _: &FilePath,
        after: Option<&str>,
        most: usize,
        _: Describing,
    ) -> Result<DescribedPage, Problem> {
        Ok(self.page(after, most))
    }

    async fn set_properties(
        &self,
        _: &str,
        _: &FilePath,
        _: &HeaderMap,
        _: PropertyChanges,
    ) -> Result<(), Problem> {
        let detail = "the folder of the stores cannot be changed";
        Err(Problem::new(Code::NotGranted, detail))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn ask(method: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, String) {
        let rights = ["read:data", "write:data", "delete:scans", "connect:db"];
        let rights = Rights::parse(rights).unwrap();
        let mut request = Request::builder().method(method).uri("/files/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body::empty()).unwrap();
        let (head, body) = serve_stores(&rights, "/files", request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        let status = head.status.as_u16();
        (status, head.headers, String::from_utf8(body).unwrap())
    }

    #[tokio::test]
    async fn the_stores_of_a_grant_are_listed_and_nothing_is_changed() {
        let (status, _, list) = ask("PROPFIND", &[("depth", "1")]).await;
        assert_eq!(status, 207);
        let places: Vec<_> = list.match_indices("<D:href>").collect();
        assert_eq!(places.len(), 3, "{list}");
        for place in ["/files/", "/files/data/", "/files/scans/"] {
            assert!(
                list.contains(&format!("<D:href>{place}</D:href>")),
                "{list}"
            );
        }
        let (status, _, itself) = ask("PROPFIND", &[("depth", "0")]).await;
        assert_eq!((status, itself.matches("<D:href>").count()), (207, 1));
        assert_eq!(ask("PROPFIND", &[]).await.0, 403);

        let (status, _, json) = ask("GET", &[]).await;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (status, &json["entries"][1]["name"]),
            (200, &"scans".into())
        );
        assert_eq!(json.get("next"), None);
        let (status, _, nothing) = ask("HEAD", &[]).await;
        assert_eq!((status, nothing.as_str()), (200, ""));
        let (status, headers, _) = ask("OPTIONS", &[]).await;
        assert_eq!(
            (status, &headers["dav"], &headers["allow"]),
            (204, &"1".parse().unwrap(), &METHODS.parse().unwrap())
        );
        for method in [
            "PUT",
            "DELETE",
            "MKCOL",
            "MOVE",
            "COPY",
            "PROPPATCH",
            "POST",
            "PATCH",
        ] {
            let (status, headers, _) = ask(method, &[]).await;
            assert_eq!(
                (status, &headers["allow"]),
                (405, &METHODS.parse().unwrap()),
                "{method}"
            );
        }
    }
}
