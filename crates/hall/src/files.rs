//! Files of a hall: stores, and how they are reached over HTTP.

mod access;
mod afar;
mod bucket;
mod condition;
pub(crate) mod destination;
mod folder;
mod handler;
mod json;
mod listed;
mod lock;
mod locking;
mod pack;
mod patience;
mod property;
mod shelf;
mod store;
mod turns;
mod xml;

#[cfg(test)]
pub(crate) use handler::NoLocks;

#[cfg(test)]
mod contract;

pub use access::StoreAccess;
pub(crate) use afar::{Afar, LocksThere, NO_LOCKS, Sends};
pub use bucket::{BucketSettings, BucketStore, PIECE_BYTES};
pub use condition::Condition;
pub(crate) use condition::States;
pub use folder::{FolderError, FolderStore};
pub use handler::serve;
pub(crate) use handler::{
    Discovery, LOCK, PROPPATCH, Present, below, collect, malformed, not_allowed,
};
pub use json::JsonError;
pub use listed::{ListError, Listed};
pub(crate) use lock::{Form, Refusing, ShownLock, read as read_wish};
pub use lock::{
    Lock, LockHolder, LockToken, LockTokenError, LockedStore, Locks, LocksError, MOST_LOCKS_IN_ALL,
    MOST_LOCKS_OF_HOLDER, Owner, OwnerError, Scope, Taken, conflicting,
};
pub(crate) use locking::{Behind, Made, in_xml};
pub use locking::{Here, Locking};
pub use pack::{
    LONGEST_PACKED_BYTES, MOST_PACKED_FILES, PackError, PackWanted, PackedHead, Unpacking,
    add as add_to_pack,
};
pub use patience::Patient;
pub use property::{
    ChangesError, DeadProperty, Properties, PropertyChange, PropertyChanges, PropertyError,
    PropertyName,
};
pub use shelf::serve_stores;
pub use store::{
    ByteStream, Depth, Entry, Kind, OpenFile, Overwrite, Page, Placed, Plan, Sha256, SmallFile,
    Store, StoreError, Transfer, UploadId, UploadNameError, Written,
};
pub use xml::XmlError;

pub use crate::dav::path::{
    FilePath, LONGEST_PATH_BYTES, LONGEST_SEGMENT_BYTES, PathError, RESERVED,
};
