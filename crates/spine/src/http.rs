//! The common parts of all requests: routes, their rules and bounds, sessions, headers, errors.

pub mod bounds;
pub mod foreign;
pub mod headers;
pub mod input;
pub(crate) mod method;
pub mod openapi;
pub mod page;
pub mod peer;
pub mod problem;
pub mod request_id;
pub mod route;
pub mod session;
