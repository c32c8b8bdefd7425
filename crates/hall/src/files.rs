//! Files of a hall: stores, and how they are reached over HTTP.

mod access;
mod bucket;
mod folder;
mod handler;
mod pack;
mod path;
mod patience;
mod relay;
mod store;
mod turns;

#[cfg(test)]
mod contract;

pub use access::StoreAccess;
pub use bucket::{BucketSettings, BucketStore, PIECE};
pub use folder::{FolderError, FolderStore};
pub use handler::serve;
pub use pack::{
    LONGEST_PACKED, MOST_PACKED, PACK, PackError, PackWanted, PackedHead, Unpacking,
    add as add_to_pack,
};
pub use path::{FilePath, LONGEST_PATH, LONGEST_SEGMENT, PathError, RESERVED};
pub use patience::Patient;
pub use relay::relay;
pub use store::{
    ByteStream, Condition, Entry, Kind, OpenFile, Page, Plan, Sha256, SmallFile, Store, StoreError,
    UploadId, UploadNameError, Written,
};
