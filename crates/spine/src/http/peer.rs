//! The other end of a request.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, header};

use super::problem::Problem;
use super::session::Token;
use crate::store::TokenHash;
use crate::{Gateway, source};

/// The most characters of a user agent that are stored.
const MAX_AGENT_CHARS: usize = 200;

/// The other end of a request, stored with the session so that its owner recognises it.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The IP address.
    pub address: String,
    /// The user agent, cut to 200 characters.
    pub agent: String,
    /// The session that the request came with; a new one replaces it.
    pub session: Option<TokenHash>,
}

impl Peer {
    /// The peer of a request with these headers and extensions.
    pub fn of(gateway: &Gateway, headers: &HeaderMap, extensions: &Extensions) -> Self {
        let address = extensions.get::<ConnectInfo<SocketAddr>>();
        let agent = headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok());
        Self {
            address: address
                .map(|address| address.0.ip().to_string())
                .unwrap_or_default(),
            agent: agent
                .unwrap_or_default()
                .chars()
                .take(MAX_AGENT_CHARS)
                .collect(),
            session: Token::from_headers(gateway, headers).map(|token| token.hash),
        }
    }

    /// The network of the address; `None` for loopback, because a proxy may be there.
    pub fn network(&self) -> Option<String> {
        let network = source::of_strangers(self.address.parse().ok()?)?;
        Some(network.to_string())
    }
}

impl FromRequestParts<Gateway> for Peer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        Ok(Self::of(gateway, &parts.headers, &parts.extensions))
    }
}
