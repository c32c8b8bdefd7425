//! Rights on one store.

use hallway_evidence::statement::hall::{Right, Rights, StoreName};
use serde::{Deserialize, Serialize};

/// What one client may do with one store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StoreAccess {
    /// List and get.
    pub read: bool,
    /// Make and replace.
    pub write: bool,
    /// Remove.
    pub delete: bool,
}

impl StoreAccess {
    /// What `rights` allow with `store`.
    #[must_use]
    pub fn of(rights: &Rights, store: &StoreName) -> Self {
        let allowed = |right: fn(StoreName) -> Right| rights.contains(&right(store.clone()));
        Self {
            read: allowed(Right::Read),
            write: allowed(Right::Write),
            delete: allowed(Right::Delete),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_allow_exactly_what_they_list() {
        let rights = Rights::parse(["read:data", "connect:other"]).unwrap();
        let data = StoreAccess::of(&rights, &"data".parse().unwrap());
        assert!(data.read && !data.write && !data.delete);
        let other = StoreAccess::of(&rights, &"other".parse().unwrap());
        assert_eq!(other, StoreAccess::default());
    }
}
