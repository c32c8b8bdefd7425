use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request};
use http_body_util::StreamBody;
use hyper::body::Frame;

use super::*;

fn asked(method: &str, uri: &str, headers: &[(&str, &str)]) -> Asked {
    let mut request = Request::builder()
        .method(Method::from_bytes(method.as_bytes()).unwrap())
        .uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Asked::of(&request.body(()).unwrap()).unwrap()
}

fn answer(status: u16, headers: &[(&str, &str)], body: &'static str) -> Foreign<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Foreign::new(response.body(body::full(body)).unwrap())
}

async fn released(asked: &Asked, status: u16, headers: &[(&str, &str)]) -> Response<Body> {
    answer(status, headers, "hello").release(asked).await
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}

/// What may leave, besides our own headers.
const MADE: [&str; 12] = [
    "accept-ranges",
    "cache-control",
    "content-disposition",
    "content-length",
    "content-range",
    "content-type",
    "etag",
    "last-modified",
    "repr-digest",
    "upload-complete",
    "upload-offset",
    "x-oc-mtime",
];

/// Every header of others that does something where it arrives, and some that do nothing.
const HOSTILE: [(&str, &str); 58] = [
    ("set-cookie", "session=stolen; Path=/"),
    ("set-cookie2", "session=stolen"),
    ("clear-site-data", "\"*\""),
    ("location", "https://evil.example/"),
    ("content-location", "/login"),
    ("refresh", "0; url=https://evil.example/"),
    ("link", "</evil.css>; rel=stylesheet"),
    ("www-authenticate", "Basic realm=\"sign in\""),
    ("proxy-authenticate", "Basic realm=\"sign in\""),
    ("authentication-info", "x"),
    ("service-worker-allowed", "/"),
    ("content-security-policy", "default-src * 'unsafe-inline'"),
    (
        "content-security-policy-report-only",
        "default-src *; report-uri https://evil.example",
    ),
    ("x-content-security-policy", "allow *"),
    ("x-webkit-csp", "allow *"),
    ("x-content-type-options", "sniff"),
    ("x-frame-options", "ALLOWALL"),
    ("x-xss-protection", "1"),
    ("referrer-policy", "unsafe-url"),
    ("permissions-policy", "camera=*"),
    ("feature-policy", "camera *"),
    ("document-policy", "x"),
    ("cross-origin-resource-policy", "cross-origin"),
    ("cross-origin-opener-policy", "unsafe-none"),
    ("cross-origin-embedder-policy", "unsafe-none"),
    ("origin-agent-cluster", "?0"),
    ("access-control-allow-origin", "*"),
    ("access-control-allow-credentials", "true"),
    ("access-control-expose-headers", "*"),
    ("timing-allow-origin", "*"),
    ("sourcemap", "/evil.map"),
    ("x-sourcemap", "/evil.map"),
    ("nel", "{\"report_to\":\"x\",\"max_age\":31536000}"),
    ("report-to", "{\"group\":\"x\"}"),
    ("reporting-endpoints", "x=\"https://evil.example\""),
    ("alt-svc", "h3=\"evil.example:443\"; ma=31536000; persist=1"),
    ("strict-transport-security", "max-age=0"),
    ("public-key-pins", "max-age=31536000"),
    ("expect-ct", "max-age=1"),
    ("accept-ch", "Sec-CH-UA-Model"),
    ("critical-ch", "Sec-CH-UA-Model"),
    ("supports-loading-mode", "credentialed-prerender"),
    ("speculation-rules", "\"/evil.json\""),
    ("no-vary-search", "params"),
    ("use-as-dictionary", "match=\"/*\""),
    ("content-encoding", "gzip"),
    ("content-language", "en"),
    ("vary", "*"),
    ("age", "0"),
    ("expires", "Fri, 01 Jan 2100 00:00:00 GMT"),
    ("pragma", "cache"),
    ("trailer", "set-cookie"),
    ("upgrade", "h2c"),
    ("retry-after", "1"),
    ("dav", "1, 2, evil"),
    ("allow", "GET"),
    ("server", "evil"),
    ("x-anything", "else"),
];

#[tokio::test]
async fn no_header_leaves_that_is_not_on_the_list() {
    for method in [
        "GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "MKCOL", "COPY", "MOVE",
    ] {
        let asked = asked(method, "/files/data/a.txt", &[("range", "bytes=0-4")]);
        for status in [200, 403, 404, 500, 302, 401, 101, 103] {
            let mut all = HOSTILE.to_vec();
            all.push(("content-type", "text/html"));
            all.push(("cache-control", "public, max-age=31536000"));
            all.push(("content-disposition", "inline; filename=\"evil.html\""));
            let response = released(&asked, status, &all).await;
            for (name, value) in response.headers() {
                let ours = OURS.into_iter().find(|(ours, _)| ours == name);
                match ours {
                    Some((_, ours)) => assert_eq!(value, ours, "{name}"),
                    None => assert!(MADE.contains(&name.as_str()), "{method} {status}: {name}"),
                }
            }
            for (ours, _) in &OURS {
                assert!(
                    response.headers().contains_key(ours),
                    "{method} {status}: {ours}"
                );
            }
            assert_eq!(
                header(&response, "cache-control"),
                Some("private, no-cache")
            );
            let media_type = header(&response, "content-type");
            let expected = if status == 200 {
                "application/octet-stream"
            } else {
                "application/problem+json"
            };
            assert_eq!(media_type, Some(expected), "{method} {status}");
            if let Some(disposition) = header(&response, "content-disposition") {
                assert_eq!(disposition, "attachment; filename=\"a.txt\"");
            }
        }
    }
}

#[tokio::test]
async fn values_of_headers_are_read_and_written_again() {
    let asked = asked("GET", "/files/data/a.png", &[("range", "bytes=0-4")]);
    let digest = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";
    let good = [
        ("content-type", "image/png"),
        ("etag", "\"abc\""),
        ("last-modified", "Sat, 01 Jan 2000 00:00:00 GMT"),
        ("content-length", "5"),
        ("content-range", "bytes 0-4/9"),
        ("accept-ranges", "bytes"),
        ("repr-digest", digest),
    ];
    let response = released(&asked, 206, &good).await;
    for (name, value) in good {
        assert_eq!(header(&response, name), Some(value));
    }
    assert_eq!(
        header(&response, "content-disposition"),
        Some("inline; filename=\"a.png\"")
    );
    for (name, wrong) in [
        ("etag", "W/\"abc\""),
        ("etag", "\"a\"b\""),
        ("etag", "abc"),
        ("etag", "\"a b\""),
        ("last-modified", "yesterday"),
        ("accept-ranges", "bytes, evil"),
        ("repr-digest", "sha-256=:AAAA:"),
        ("repr-digest", "md5=:AAAA:"),
        ("content-length", "+5"),
        ("content-length", "5, 5"),
        ("upload-offset", "-1"),
        ("upload-complete", "maybe"),
    ] {
        let mut headers = good.to_vec();
        headers.retain(|(other, _)| *other != name);
        headers.push((name, wrong));
        let response = released(&asked, 206, &headers).await;
        assert_eq!(response.status(), 206);
        assert_eq!(header(&response, name), None, "{name}: {wrong}");
    }
    // One that stands there twice is none.
    let mut twice = good.to_vec();
    twice.push(("etag", "\"other\""));
    assert_eq!(header(&released(&asked, 206, &twice).await, "etag"), None);
}

#[tokio::test]
async fn a_status_has_to_fit_the_request() {
    let plain = asked("GET", "/files/data/a", &[]);
    let ranged = asked("GET", "/files/data/a", &[("range", "bytes=0-4")]);
    let kept = asked("GET", "/files/data/a", &[("if-none-match", "\"x\"")]);
    let upload = asked("HEAD", "/files/data/a?upload=0123456789abcdef", &[]);
    let put = asked("PUT", "/files/data/a", &[]);
    let nothing: &[(&str, &str)] = &[];
    let part: &[(&str, &str)] = &[("content-range", "bytes 0-4/9"), ("content-length", "5")];
    let beyond: &[(&str, &str)] = &[("content-range", "bytes 0-9/9")];
    let backwards: &[(&str, &str)] = &[("content-range", "bytes 3-2/9")];
    let longer: &[(&str, &str)] = &[("content-range", "bytes 0-7/9"), ("content-length", "5")];
    let shorter: &[(&str, &str)] = &[("content-length", "4")];
    let offset: &[(&str, &str)] = &[("upload-offset", "7")];
    for (asked, status, headers, expected) in [
        (&plain, 200, nothing, 200),
        (&plain, 206, part, 502),
        (&ranged, 206, part, 206),
        (&ranged, 206, nothing, 502),
        (&ranged, 206, beyond, 502),
        (&ranged, 206, backwards, 502),
        (&ranged, 206, longer, 502),
        (&plain, 304, nothing, 502),
        (&kept, 304, nothing, 304),
        (&plain, 204, nothing, 502),
        (&upload, 204, offset, 204),
        (&put, 201, nothing, 201),
        (&put, 206, part, 502),
        (&put, 207, nothing, 502),
        (&plain, 207, nothing, 502),
        (&plain, 203, nothing, 502),
        (&plain, 226, nothing, 502),
        (&plain, 200, shorter, 502),
    ] {
        let response = released(asked, status, headers).await;
        assert_eq!(
            response.status().as_u16(),
            expected,
            "{asked:?} {status} {headers:?}"
        );
    }
    for asked in [&plain, &ranged, &kept, &put] {
        for status in (100..400).chain([401, 402, 407]) {
            if matches!(status, 200 | 201 | 204 | 206 | 304) {
                continue;
            }
            let response = released(asked, status, &[]).await;
            assert_eq!(response.status().as_u16(), 502, "{status}");
        }
    }
}

#[tokio::test]
async fn a_refusal_is_made_anew() {
    let asked = asked("GET", "/files/data/a", &[("range", "bytes=9-")]);
    let body = r#"{"type": "https://evil.example", "title": "<b>", "status": 200,
        "code": "not-found", "detail": "no\u001b[2J <script>", "more": "x"}"#;
    let response = answer(404, &[("content-type", "text/html")], body)
        .release(&asked)
        .await;
    assert_eq!(response.status(), 404);
    let whole = response.into_body().collect().await.unwrap().to_bytes();
    let said: serde_json::Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(
        said,
        serde_json::json!({"type": "about:blank", "title": "Not Found", "status": 404,
            "code": "not-found", "detail": "no\u{fffd}[2J <script>"})
    );
    let beyond = released(&asked, 416, &[("content-range", "bytes */9")]).await;
    assert_eq!(header(&beyond, "content-range"), Some("bytes */9"));
    let offset = released(&asked, 409, &[("upload-offset", "9")]).await;
    assert_eq!(header(&offset, "upload-offset"), Some("9"));
    let whole = offset.into_body().collect().await.unwrap().to_bytes();
    let said: serde_json::Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(said.get("code"), None);
}

#[tokio::test]
async fn nothing_comes_after_the_content() {
    let mut trailers = HeaderMap::new();
    trailers.insert("set-cookie", HeaderValue::from_static("a=b"));
    let frames = [
        Ok::<_, io::Error>(Frame::data(Bytes::from("hello"))),
        Ok(Frame::trailers(trailers)),
    ];
    let body = StreamBody::new(stream::iter(frames)).boxed_unsync();
    let asked = asked("GET", "/files/data/a", &[]);
    let response = Foreign::new(Response::new(body)).release(&asked).await;
    let whole = response.into_body().collect().await.unwrap();
    assert!(whole.trailers().is_none());
    assert_eq!(whole.to_bytes(), "hello");
}

#[test]
fn a_drawing_is_never_shown_by_itself() {
    let drawing = Content {
        media_type: MediaType::SVG,
        name: "picture",
        length: 6,
        cache: "no-store",
    };
    let response = drawing.answer(&asked("GET", "/", &[]), body::full("<svg/>"));
    assert_eq!(header(&response, "content-type"), Some("image/svg+xml"));
    assert_eq!(
        header(&response, "content-disposition"),
        Some("attachment; filename=\"picture\"")
    );
    assert_eq!(header(&response, "content-length"), Some("6"));
    let policy = header(&response, "content-security-policy").unwrap();
    assert!(policy.starts_with("sandbox; default-src 'none'; style-src 'unsafe-inline';"));
    assert_eq!(header(&response, "x-content-type-options"), Some("nosniff"));
    assert_eq!(
        header(&response, "cross-origin-resource-policy"),
        Some("same-origin")
    );
}

proptest::proptest! {
    #[test]
    fn whatever_others_say_only_known_headers_leave(
        headers in proptest::collection::vec(("[a-z][a-z-]{0,20}", "[ -~]{0,40}"), 0..20),
        status in 100_u16..1000,
    ) {
        let asked = asked("GET", "/files/data/a.html", &[("range", "bytes=0-4")]);
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let response = runtime.block_on(released(&asked, status, &headers));
        proptest::prop_assert!(!response.status().is_redirection() || response.status() == 304);
        for name in response.headers().keys() {
            let known = MADE.contains(&name.as_str()) || OURS.iter().any(|(ours, _)| ours == name);
            proptest::prop_assert!(known, "{name}");
        }
    }
}
