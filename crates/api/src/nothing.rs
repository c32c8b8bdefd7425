//! The body of a request that says nothing but its path.

use serde::Serialize;

/// `{}`: JSON, so that no form of another site can send it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Nothing {}
