//! Which requests the local doors of `hallway open` admit.
//!
//! Every user of this computer, and every web page in its browsers, can reach a loopback port. A
//! browser that was told the password once sends it by itself, so a page is recognised by the
//! headers that browsers add, and by the name under which it reached this port.

use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallway_api::{Code, Problem};
use hallway_hall::{Body, IntoResponse};
use http::Response;
use http::header::{self, HeaderMap, HeaderValue};
use http::uri::Authority;
use zeroize::Zeroizing;

/// The user name that goes with the password; WebDAV clients need one.
pub(super) const USER: &str = "hall";

/// Which requests are admitted.
#[derive(Clone)]
pub(super) enum Admission {
    /// All of them: only this user can reach the socket.
    Socket,
    /// Those with the password: every user of this computer, and every web page in its browsers,
    /// can reach a loopback port.
    Password(Arc<Zeroizing<String>>),
}

/// Why a request is not admitted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unadmitted {
    /// A web page sent it.
    Page,
    /// It calls the port by a name that anybody can point here.
    Name,
    /// The password is missing or wrong.
    Password,
}

impl Admission {
    /// Whether a request is admitted.
    ///
    /// # Errors
    /// [`Unadmitted`].
    pub(super) fn admits(&self, headers: &HeaderMap) -> Result<(), Unadmitted> {
        let Self::Password(password) = self else {
            return Ok(());
        };
        if !is_ours(headers.get(header::HOST)) {
            return Err(Unadmitted::Name);
        }
        if is_of_a_page(headers) {
            return Err(Unadmitted::Page);
        }
        let shown = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(secret)
            .ok_or(Unadmitted::Password)?;
        verify_slices_are_equal(shown.as_bytes(), password.as_bytes())
            .map_err(|_| Unadmitted::Password)
    }
}

/// Whether a request is for an address, and not for a name that a web site can point here (DNS
/// rebinding). `localhost` always means this computer (RFC 6761, 6.3).
fn is_ours(host: Option<&HeaderValue>) -> bool {
    let authority = host
        .and_then(|host| host.to_str().ok())
        .and_then(|host| host.parse::<Authority>().ok());
    authority.is_some_and(|authority| {
        let host = authority.host();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
    })
}

/// Whether a web page sent the request. Programs send no origin; for an address that a person types
/// into a browser, the site is `none`; and pages that are opened here have no origin of their own.
fn is_of_a_page(headers: &HeaderMap) -> bool {
    let elsewhere = |site: &HeaderValue| site != "none" && site != "same-origin";
    headers.contains_key(header::ORIGIN) || headers.get_all("sec-fetch-site").iter().any(elsewhere)
}

impl Unadmitted {
    /// The answer: 401, 403 or 421.
    pub(super) fn into_response(self) -> Response<Body> {
        let (code, detail) = match self {
            Self::Page => (Code::CrossOrigin, "no web page may send requests here"),
            Self::Name => (
                Code::OtherHost,
                "call this port by its address or as localhost, as `hallway open` shows it",
            ),
            Self::Password => (
                Code::Password,
                "this port needs the user and password that `hallway open` shows",
            ),
        };
        let mut response = Problem::new(code, detail).into_response();
        if code == Code::Password {
            let challenge = HeaderValue::from_static("Basic realm=\"hallway open\"");
            let headers = response.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// The secret of a Basic or Bearer authorisation.
fn secret(value: &str) -> Option<Zeroizing<String>> {
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Zeroizing::new(rest.trim().to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode(rest.trim()).ok()?);
    let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    (user == USER).then(|| Zeroizing::new(password.to_owned()))
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn ask(more: &[(&'static str, &'static str)]) -> Result<(), Unadmitted> {
        let password = Admission::Password(Arc::new(Zeroizing::new("s3:cret".to_owned())));
        let mut headers = HeaderMap::from_iter([
            (header::HOST, HeaderValue::from_static("127.0.0.1:4242")),
            (
                header::AUTHORIZATION,
                HeaderValue::from_static("Bearer s3:cret"),
            ),
        ]);
        for (name, value) in more {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        password.admits(&headers)
    }

    #[test]
    fn a_port_admits_only_requests_with_the_password() {
        assert_eq!(ask(&[]), Ok(()));
        assert_eq!(
            ask(&[("authorization", "basic aGFsbDpzMzpjcmV0")]),
            Ok(()),
            "hall:s3:cret"
        );
        for wrong in [
            "",
            "Bearer s3:cre",
            "Bearer",
            "Basic s3:cret",
            "Basic b3RoZXI6czM6Y3JldA==",
            "Digest s3:cret",
        ] {
            let asked = ask(&[("authorization", wrong)]);
            assert_eq!(asked, Err(Unadmitted::Password), "{wrong}");
        }
        assert_eq!(Admission::Socket.admits(&HeaderMap::new()), Ok(()));
    }

    #[test]
    fn a_port_answers_to_no_name_that_a_web_site_can_have() {
        for ours in [
            "127.0.0.1",
            "localhost:4242",
            "LOCALHOST",
            "[::1]:4242",
            "192.0.2.7:1",
        ] {
            assert_eq!(ask(&[("host", ours)]), Ok(()), "{ours}");
        }
        for other in [
            "",
            "evil.example:4242",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "a@127.0.0.1@b",
        ] {
            assert_eq!(ask(&[("host", other)]), Err(Unadmitted::Name), "{other}");
        }
    }

    #[test]
    fn a_port_answers_no_web_page_even_with_the_password() {
        for origin in ["null", "https://evil.example", "http://127.0.0.1:4242"] {
            assert_eq!(
                ask(&[("origin", origin)]),
                Err(Unadmitted::Page),
                "{origin}"
            );
        }
        for (site, admitted) in [
            ("none", Ok(())),
            ("same-origin", Ok(())),
            ("same-site", Err(Unadmitted::Page)),
            ("cross-site", Err(Unadmitted::Page)),
        ] {
            assert_eq!(ask(&[("sec-fetch-site", site)]), admitted, "{site}");
        }
    }
}
