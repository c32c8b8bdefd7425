//! The words of WebDAV (RFC 4918): paths, times, digests, methods, and conditions about locks. Files are
//! served by them, and others' answers are read by them.

use http::HeaderName;

pub mod date;
pub(crate) mod digest;
pub(crate) mod methods;
pub(crate) mod path;
pub(crate) mod unmet;

/// The header that asks for states of files and locks (10.4).
pub(crate) const IF: HeaderName = HeaderName::from_static("if");
