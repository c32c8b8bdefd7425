//! Bodies of requests and answers.

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};

mod unread;

pub use unread::{Unread, read_on};

/// The body of every request and answer in this crate.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// An error of any body.
pub type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// A body that [`boxed`] can turn into a [`Body`].
pub trait AnyBody: http_body::Body<Data = Bytes, Error: Into<AnyError>> + Send + 'static {}
impl<B: http_body::Body<Data = Bytes, Error: Into<AnyError>> + Send + 'static> AnyBody for B {}

/// A body without content.
#[must_use]
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body of these bytes.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Any body, as a [`Body`].
pub fn boxed(body: impl AnyBody) -> Body {
    body.map_err(io::Error::other).boxed_unsync()
}
