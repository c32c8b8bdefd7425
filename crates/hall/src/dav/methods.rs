//! The methods and classes of WebDAV that files have (RFC 4918, 9 and 18).

/// The methods for files.
pub(crate) const METHODS: &str =
    "OPTIONS, GET, HEAD, PUT, POST, PATCH, DELETE, MKCOL, COPY, MOVE, PROPFIND, PROPPATCH";

/// The methods for files where locks are kept.
pub(crate) const METHODS_WITH_LOCKS: &str = "OPTIONS, GET, HEAD, PUT, POST, PATCH, DELETE, MKCOL, COPY, MOVE, PROPFIND, PROPPATCH, \
     LOCK, UNLOCK";
/// The classes of WebDAV (RFC 4918, 10.1 and 18) without locks and with them.
pub(crate) const CLASSES: &str = "1";
pub(crate) const CLASSES_WITH_LOCKS: &str = "1, 2";
