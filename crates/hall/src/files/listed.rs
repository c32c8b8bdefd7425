//! A folder's list as another party sends it: its names are in order, its numbers are possible, and
//! it ends.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::store::{Entry, Page};
use crate::dav::date::{EARLIEST_MS, LATEST_MS};

/// The most entries that are listed in all.
const MOST_ENTRIES: usize = 1_000_000;
/// The most mebibytes that they may take.
const MOST_MEBIBYTES: usize = 512;
/// The longest entity tag, in bytes.
const LONGEST_TAG_BYTES: usize = 256;
/// The longest file that any system can hold, in bytes: offsets are signed numbers of 64 bits.
const LONGEST_FILE_BYTES: u64 = i64::MAX.unsigned_abs();

/// Why a list can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// A name does not come after the one before it.
    #[error("its names are not in order")]
    Order,
    /// It says that it goes on, but not after the last name of this part.
    #[error("it does not go on where this part of it ends")]
    Next,
    /// A length that no file can have, in bytes.
    #[error("it names a file of {0} bytes, and no file can be so long")]
    Length(u64),
    /// Too many entries.
    #[error("it has more than {MOST_ENTRIES} entries")]
    Entries,
    /// Too many bytes.
    #[error("it takes more than {MOST_MEBIBYTES} MiB")]
    Bytes,
}

/// How much was listed so far, of one folder or of a tree: both have an end.
#[derive(Debug, Default)]
pub struct Listed {
    entries: AtomicUsize,
    bytes: AtomicUsize,
}

impl Listed {
    /// Takes the next part of a folder's list, which was asked for `after` a name. `bytes` is what
    /// it costs: its length, and what else is kept of it. Dates outside the years 1 to 9999 are
    /// clamped to them, and invalid tags are left out.
    ///
    /// # Errors
    /// [`ListError`]; nothing of the list can be used then.
    pub fn take(&self, after: Option<&str>, page: Page, bytes: usize) -> Result<Page, ListError> {
        let so_many = page.entries.len();
        let entries = self.entries.fetch_add(so_many, Ordering::Relaxed);
        if entries.saturating_add(so_many) > MOST_ENTRIES {
            return Err(ListError::Entries);
        }
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > MOST_MEBIBYTES << 20 {
            return Err(ListError::Bytes);
        }
        in_order(after, &page)?;
        let entries: Result<Vec<_>, ListError> = page.entries.into_iter().map(plain).collect();
        Ok(Page {
            entries: entries?,
            next: page.next,
        })
    }
}

/// Checks that names are in order, and that `next` is the last of them.
fn in_order(after: Option<&str>, page: &Page) -> Result<(), ListError> {
    let mut last = after;
    for entry in &page.entries {
        if last.is_some_and(|last| last >= entry.name.as_str()) {
            return Err(ListError::Order);
        }
        last = Some(&entry.name);
    }
    if page.next.is_some() && (page.entries.is_empty() || page.next.as_deref() != last) {
        return Err(ListError::Next);
    }
    Ok(())
}

/// An entry whose members can be written: an impossible length is refused, a date is clamped to the
/// years 1 to 9999, and an invalid tag is left out.
pub(super) fn plain(entry: Entry) -> Result<Entry, ListError> {
    if entry.bytes > LONGEST_FILE_BYTES {
        return Err(ListError::Length(entry.bytes));
    }
    let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
    let is_tag = |tag: &String| tag.len() <= LONGEST_TAG_BYTES && tag.bytes().all(allowed);
    Ok(Entry {
        modified_ms: entry
            .modified_ms
            .map(|time| time.clamp(EARLIEST_MS, LATEST_MS)),
        etag: entry.etag.filter(is_tag),
        ..entry
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Kind;

    fn entry(name: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            kind: Kind::File,
            bytes: 1,
            modified_ms: Some(1),
            etag: Some("e".to_owned()),
        }
    }

    fn page(names: &[&str], next: Option<&str>) -> Page {
        Page {
            entries: names.iter().map(|name| entry(name)).collect(),
            next: next.map(str::to_owned),
        }
    }

    fn take(after: Option<&str>, names: &[&str], next: Option<&str>) -> Result<Page, ListError> {
        Listed::default().take(after, page(names, next), 1)
    }

    #[test]
    fn a_list_leads_on_and_ends() {
        let good: [(Option<&str>, &[&str], Option<&str>); 4] = [
            (None, &["a", "b"], Some("b")),
            (Some("b"), &["c"], None),
            (Some("b"), &[], None),
            (None, &[], None),
        ];
        for (after, names, next) in good {
            assert_eq!(take(after, names, next), Ok(page(names, next)));
        }
        let nothing: &[&str] = &[];
        let wrong = [
            (None, &["b", "a"][..], None, ListError::Order),
            (None, &["a", "a"][..], None, ListError::Order),
            (Some("c"), &["a"][..], None, ListError::Order),
            (Some("a"), &["a"][..], None, ListError::Order),
            (None, &["a"][..], Some("z"), ListError::Next),
            (None, &["a", "b"][..], Some("a"), ListError::Next),
            (Some("a"), nothing, Some("a"), ListError::Next),
            (None, nothing, Some("n1"), ListError::Next),
        ];
        for (after, names, next, error) in wrong {
            assert_eq!(take(after, names, next), Err(error), "{names:?} {next:?}");
        }
    }

    #[test]
    fn members_that_no_file_can_have_are_refused_or_left_out() {
        let with = |bytes, modified_ms, etag: &str| {
            let entry = Entry {
                bytes,
                modified_ms: Some(modified_ms),
                etag: Some(etag.to_owned()),
                ..entry("a")
            };
            plain(entry).map(|entry| (entry.modified_ms, entry.etag))
        };
        let tag = "e".repeat(LONGEST_TAG_BYTES);
        assert_eq!(
            with(LONGEST_FILE_BYTES, 7, &tag),
            Ok((Some(7), Some(tag.clone())))
        );
        let latest = Ok((Some(LATEST_MS), None));
        assert_eq!(with(0, i64::MAX, &format!("{tag}e")), latest);
        assert_eq!(with(0, LATEST_MS, "a\"><b"), latest);
        assert_eq!(
            with(0, i64::MIN, ""),
            Ok((Some(EARLIEST_MS), Some(String::new())))
        );
        for bytes in [1 << 63, u64::MAX] {
            assert_eq!(with(bytes, 7, "e"), Err(ListError::Length(bytes)));
        }
    }

    #[test]
    fn all_lists_together_are_bounded_in_entries_and_bytes() {
        let listed = Listed::default();
        let names: Vec<String> = (0..1000).map(|number| format!("{number:04}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for _ in 0..MOST_ENTRIES / 1000 {
            listed.take(None, page(&names, None), 1).unwrap();
        }
        let more = listed.take(None, page(&["a"], None), 1);
        assert_eq!(more, Err(ListError::Entries));

        let listed = Listed::default();
        for _ in 0..MOST_MEBIBYTES {
            listed.take(None, page(&["a"], None), 1 << 20).unwrap();
        }
        let more = listed.take(None, page(&[], None), 1);
        assert_eq!(more, Err(ListError::Bytes));
        let more = listed.take(None, page(&[], None), usize::MAX);
        assert_eq!(more, Err(ListError::Bytes));
    }
}
