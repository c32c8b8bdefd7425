//! The destination of a `COPY` or `MOVE` (RFC 4918, 10.3).

use std::net::IpAddr;

use http::header::{HOST, HeaderValue};
use http::uri::Authority;
use http::{HeaderMap, Uri};

use super::handler::malformed;
use crate::dav::path::normalized;
use crate::problem::{Code, Problem};

/// The header. Clients write the whole address.
pub(crate) const DESTINATION: &str = "destination";

/// The server that a request asks: from its address over HTTP/2, and from `Host` otherwise.
pub(crate) fn asked(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let host = || headers.get(HOST)?.to_str().ok()?.parse().ok();
    uri.authority().cloned().or_else(host)
}

/// Writes the server that a request asks into `Host`, also for a request over HTTP/2.
pub(crate) fn name_server(uri: &Uri, headers: &mut HeaderMap) {
    let named = uri
        .authority()
        .and_then(|server| HeaderValue::try_from(server.as_str()).ok());
    if let Some(server) = named {
        headers.insert(HOST, server);
    }
}

/// Where an address leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Led {
    /// To this path of the server that was asked.
    Here(String),
    /// To another server, or to an unknown one.
    Elsewhere,
}

/// Where `address`, a whole address or the path of one, leads in a request to the server `asked`.
/// Paths are normalized (RFC 3986, 6.2.2). `None` if it is not an address.
pub(super) fn led(address: &[u8], asked: Option<&Authority>) -> Option<Led> {
    // Read like the path of a request: it may have UTF-8 as it is, and no space.
    let uri = Uri::try_from(address).ok()?;
    let is_here = match uri.authority() {
        Some(named) => asked.is_some_and(|asked| is_same(asked, named)),
        // What begins with two slashes names a server, too (RFC 3986, 4.2).
        None => !address.starts_with(b"//"),
    };
    Some(if is_here {
        Led::Here(normalized(uri.path()))
    } else {
        Led::Elsewhere
    })
}

/// The path that a request's `Destination` names; `None` without the header.
///
/// # Errors
/// 400: it is not an address. 502: it is on another server than the one that was `asked` (RFC 4918,
/// 9.8.5 and 9.9.4).
pub(crate) fn destination(
    headers: &HeaderMap,
    asked: Option<&Authority>,
) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(DESTINATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.as_bytes().trim_ascii(),
        _ => return Err(malformed("Destination is given twice")),
    };
    match led(value, asked) {
        None => Err(malformed("Destination is not an address")),
        Some(Led::Here(path)) => Ok(Some(path)),
        Some(Led::Elsewhere) => Err(Problem::new(
            Code::OtherServer,
            "Destination names another server; copy there by downloading and uploading",
        )),
    }
}

/// Host names ignore case, and this computer has several. The default port of a scheme may be left
/// out, and the scheme is not known here.
fn is_same(one: &Authority, other: &Authority) -> bool {
    let port = |authority: &Authority| {
        authority
            .port_u16()
            .filter(|port| !matches!(port, 80 | 443))
    };
    let same_host = one.host().eq_ignore_ascii_case(other.host())
        || (is_this_computer(one.host()) && is_this_computer(other.host()));
    same_host && port(one) == port(other)
}

/// Whether a host is named by `localhost` or by a loopback address.
fn is_this_computer(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || (address.parse::<IpAddr>()).is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(host: &'static str, to: &'static str) -> Result<Option<String>, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static(host));
        headers.insert(DESTINATION, HeaderValue::from_static(to));
        let asked = asked(&Uri::from_static("/files/data/a"), &headers);
        destination(&headers, asked.as_ref()).map_err(|problem| problem.status)
    }

    #[test]
    fn it_leads_to_the_server_that_was_asked() {
        let there = Ok(Some("/files/data/b".to_owned()));
        for (host, to) in [
            ("gate.example", "/files/data/b"),
            ("gate.example", "https://gate.example/files/data/b"),
            ("gate.example:443", "https://Gate.Example/files/data/b"),
            ("gate.example", "/files/d%61ta/%62"),
            ("127.0.0.1:4000", "http://127.0.0.1:4000/files/data/b"),
            ("127.0.0.1:4000", "http://localhost:4000/files/data/b"),
            ("localhost:4000", "http://[::1]:4000/files/data/b"),
        ] {
            assert_eq!(led(host, to), there, "{to}");
        }
        for (host, to, status) in [
            ("gate.example", "https://other.example/files/data/b", 502),
            (
                "gate.example",
                "https://gate.example:8443/files/data/b",
                502,
            ),
            ("gate.example", "//other.example/files/data/b", 502),
            ("127.0.0.1:4000", "http://127.0.0.1:4001/files/data/b", 502),
            ("127.0.0.1:4000", "http://localhost:4001/files/data/b", 502),
            ("127.0.0.1", "http://localhost.example/files/data/b", 502),
            ("gate.example", "not an address", 400),
            ("gate.example", "/files/data/a b", 400),
        ] {
            assert_eq!(led(host, to), Err(status), "{to}");
        }
        let raw = HeaderValue::from_bytes("/files/data/é".as_bytes()).unwrap();
        let raw = HeaderMap::from_iter([(DESTINATION.parse().unwrap(), raw)]);
        assert_eq!(
            destination(&raw, None),
            Ok(Some("/files/data/é".to_owned()))
        );
        let broken = HeaderValue::from_bytes(b"/files/data/\xe9").unwrap();
        let broken = HeaderMap::from_iter([(DESTINATION.parse().unwrap(), broken)]);
        assert_eq!(destination(&broken, None).unwrap_err().status, 400);
        let nobody = HeaderMap::new();
        assert_eq!(destination(&nobody, None), Ok(None));
    }
}
