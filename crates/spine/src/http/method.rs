//! The names of methods, for labels and log lines.

use axum::http::Method;

/// The name of a method that some route has, and `other` for each further one. A stranger may send
/// any word as a method, as long as a head may be, and as many words as they like.
pub(crate) fn name(method: &Method) -> &str {
    match method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" | "PROPFIND"
        | "PROPPATCH" | "MKCOL" | "COPY" | "MOVE" | "LOCK" | "UNLOCK") => known,
        _ => "other",
    }
}
