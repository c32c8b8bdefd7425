//! Names of this machine.

use std::net::{Ipv4Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Whether a host is this machine by name (RFC 6761, 6.3).
#[must_use]
pub fn is_local(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

/// The system's names, and those that are this machine's whatever the system says (RFC 6761, 6.3).
#[derive(Debug, Clone, Copy)]
pub struct LocalNames;

impl Resolve for LocalNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str();
            let found: Addrs = if is_local(host) {
                Box::new(std::iter::once(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))
            } else {
                Box::new(
                    tokio::net::lookup_host((host, 0))
                        .await?
                        .collect::<Vec<_>>()
                        .into_iter(),
                )
            };
            Ok(found)
        })
    }
}
