//! Lists, a page at a time, newest first.

/// How many records a page holds: 1 to [`Limit::MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit(u16);

impl Limit {
    /// The longest page.
    pub const MAX: u16 = 200;

    /// The nearest limit that is allowed.
    #[must_use]
    pub fn nearest(wanted: u64) -> Self {
        Self(
            u16::try_from(wanted)
                .unwrap_or(Self::MAX)
                .clamp(1, Self::MAX),
        )
    }

    /// The number of records.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// One more than the page holds: whether it is there tells whether another page follows.
    pub fn with_one_more(self) -> u64 {
        u64::from(self.0) + 1
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

/// Which page: what comes after (is older than) the record with the key `after`.
///
/// A key names a record and not a position, so a page does not shift when records are added.
#[derive(Clone, Debug)]
pub struct PageRequest<K> {
    /// The key of the last record of the page before; nothing for the first page.
    pub after: Option<K>,
    /// How many.
    pub limit: Limit,
}

impl<K> Default for PageRequest<K> {
    fn default() -> Self {
        Self {
            after: None,
            limit: Limit::default(),
        }
    }
}

/// A page of records, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, K> {
    /// The records.
    pub items: Vec<T>,
    /// The value of [`PageRequest::after`] for the next page; `None` at the end.
    pub next: Option<K>,
}

impl<T, K> Page<T, K> {
    /// Makes a page of rows that were asked for with [`Limit::with_one_more`].
    pub fn of(mut items: Vec<T>, limit: Limit, key: impl FnOnce(&T) -> K) -> Self {
        let more = items.len() > usize::from(limit.get());
        items.truncate(usize::from(limit.get()));
        let next = items.last().filter(|_| more).map(key);
        Self { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_has_no_next() {
        let limit = Limit::nearest(2);
        assert_eq!(Page::of(vec![3, 2, 1], limit, |n| *n).next, Some(2));
        assert_eq!(Page::of(vec![3, 2], limit, |n| *n).next, None);
        assert_eq!(Page::of(Vec::<u8>::new(), limit, |n| *n).next, None);
        assert_eq!(Limit::nearest(0).get(), 1);
        assert_eq!(Limit::nearest(u64::MAX).get(), Limit::MAX);
    }
}
