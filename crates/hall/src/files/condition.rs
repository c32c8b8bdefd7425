//! What has to hold for a request to be carried out: the conditions of RFC 9110, section 13, and
//! the `If` of RFC 4918, section 10.4. One that cannot be read is refused, never ignored.
//!
//! What `If` says about locks is judged where they are kept (`files/locking.rs`), before a store
//! sees it.

use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};

use super::store::{Entry, StoreError};
use crate::dav::date::parse_http_date;
use crate::problem::{Code, Problem};

mod states;
mod tags;

pub(super) use states::Left;
pub(crate) use states::{StateList, States};
pub(super) use tags::Tag;
use tags::Tags;

/// What has to hold for a request to be carried out. The default demands nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// `If-Match` (13.1.1).
    matches: Option<Tags>,
    /// `If-None-Match` (13.1.2).
    none_matches: Option<Tags>,
    /// `If-Modified-Since` (13.1.3), unix seconds.
    modified_since: Option<i64>,
    /// `If-Unmodified-Since` (13.1.4), unix seconds.
    unmodified_since: Option<i64>,
    /// `If` (RFC 4918, 10.4), as far as it is about the file itself: one of these has to hold.
    states: Option<Vec<StateList>>,
}

/// What conditions decide about a read (RFC 9110, 13.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Proceed,
    NotModified,
    Failed,
}

impl Condition {
    /// Nothing may have that name (`If-None-Match: *`).
    #[must_use]
    pub fn absent() -> Self {
        Self {
            none_matches: Some(Tags::Any),
            ..Self::default()
        }
    }

    /// Something must have that name (`If-Match: *`).
    #[must_use]
    pub fn present() -> Self {
        Self {
            matches: Some(Tags::Any),
            ..Self::default()
        }
    }

    /// The file must be of this version (`If-Match: "ETAG"`).
    #[must_use]
    pub fn is(etag: &str) -> Self {
        Self {
            matches: Some(Tags::These(vec![Tag::strong(etag)])),
            ..Self::default()
        }
    }

    /// From the values of `If-Match` and `If-None-Match`.
    ///
    /// # Errors
    /// 412: a condition cannot be read.
    pub(super) fn written(
        matches: Option<&str>,
        none_matches: Option<&str>,
    ) -> Result<Self, Problem> {
        let tags = |value: Option<&str>, name| {
            value
                .map(|value| tags::parse(value.trim()).ok_or_else(|| unreadable(name)))
                .transpose()
        };
        Ok(Self {
            matches: tags(matches, IF_MATCH.as_str())?,
            none_matches: tags(none_matches, IF_NONE_MATCH.as_str())?,
            ..Self::default()
        })
    }

    /// Reads the headers of a request, except `If`, which may be about several files.
    ///
    /// # Errors
    /// 412: a condition cannot be read, and so cannot be judged.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let (matches, none_matches) = (joined(headers, IF_MATCH)?, joined(headers, IF_NONE_MATCH)?);
        Ok(Self {
            modified_since: date(headers, IF_MODIFIED_SINCE),
            unmodified_since: date(headers, IF_UNMODIFIED_SINCE),
            ..Self::written(matches.as_deref(), none_matches.as_deref())?
        })
    }

    /// Also demands that one of `states` holds.
    pub(super) fn with_states(mut self, states: Vec<StateList>) -> Self {
        self.states = Some(states);
        self
    }

    /// Whether it demands nothing of a file that is changed.
    pub(super) fn is_any(&self) -> bool {
        // If-Modified-Since is for GET and HEAD only (RFC 9110, 13.1.3).
        let Self {
            matches,
            none_matches,
            modified_since: _,
            unmodified_since,
            states,
        } = self;
        matches.is_none()
            && none_matches.is_none()
            && unmodified_since.is_none()
            && states.is_none()
    }

    /// Whether it says which versions the client has.
    pub(super) fn names_versions(&self) -> bool {
        self.none_matches.is_some()
    }

    /// Whether it depends on when something was changed: for a folder, when anything in it was.
    pub(super) fn asks_when(&self) -> bool {
        self.matches.is_none() && self.unmodified_since.is_some()
    }

    /// Whether `present`, what is there now, may be changed.
    ///
    /// # Errors
    /// [`StoreError::Precondition`].
    pub fn check(&self, present: Option<&Entry>) -> Result<(), StoreError> {
        let matches = self.guards_hold(present) && !self.is_known(present);
        if matches && self.states_hold(present) {
            Ok(())
        } else {
            Err(StoreError::Precondition)
        }
    }

    /// Whether `present` is to be sent (RFC 9110, 13.2.2).
    pub(super) fn of_read(&self, present: &Entry) -> Verdict {
        let present = Some(present);
        if !self.guards_hold(present) || !self.states_hold(present) {
            return Verdict::Failed;
        }
        let known = match (&self.none_matches, self.modified_since) {
            (Some(_), _) => self.is_known(present),
            (None, Some(date)) => seconds(present).is_some_and(|changed| changed <= date),
            (None, None) => false,
        };
        if known {
            Verdict::NotModified
        } else {
            Verdict::Proceed
        }
    }

    /// Steps 1 and 2 of RFC 9110, 13.2.2.
    fn guards_hold(&self, present: Option<&Entry>) -> bool {
        match (&self.matches, self.unmodified_since, present) {
            (Some(Tags::Any), _, present) => present.is_some(),
            (Some(Tags::These(tags)), _, present) => {
                let etag = present.and_then(|entry| entry.etag.as_deref());
                etag.is_some_and(|etag| tags.iter().any(|tag| tag.is_strongly(etag)))
            }
            // A file without a date cannot be judged, so the condition fails. Where nothing is, it
            // does not count.
            (None, Some(date), Some(_)) => seconds(present).is_some_and(|changed| changed <= date),
            (None, ..) => true,
        }
    }

    /// Whether `If-None-Match` names what is there.
    fn is_known(&self, present: Option<&Entry>) -> bool {
        match &self.none_matches {
            None => false,
            Some(Tags::Any) => present.is_some(),
            Some(Tags::These(tags)) => {
                let etag = present.and_then(|entry| entry.etag.as_deref());
                etag.is_some_and(|etag| tags.iter().any(|tag| tag.is_weakly(etag)))
            }
        }
    }

    fn states_hold(&self, present: Option<&Entry>) -> bool {
        match &self.states {
            None => true,
            Some(lists) => lists.iter().any(|list| list.holds(present)),
        }
    }
}

/// When it was changed, unix seconds, as `Last-Modified` says it.
fn seconds(present: Option<&Entry>) -> Option<i64> {
    Some(present?.modified_ms?.div_euclid(1000))
}

/// The date in a header; an invalid one does not count (RFC 9110, 13.1.3 and 13.1.4).
fn date(headers: &HeaderMap, name: HeaderName) -> Option<i64> {
    let value = joined(headers, name).ok().flatten()?;
    parse_http_date(&value)
}

/// The value of a header whose lines count as one list (RFC 9110, 5.3).
fn joined(headers: &HeaderMap, name: HeaderName) -> Result<Option<String>, Problem> {
    let mut joined: Option<String> = None;
    for value in headers.get_all(&name) {
        let value = std::str::from_utf8(value.as_bytes()).map_err(|_| unreadable(name.as_str()))?;
        match &mut joined {
            None => joined = Some(value.trim().to_owned()),
            Some(joined) => {
                joined.push_str(", ");
                joined.push_str(value.trim());
            }
        }
    }
    Ok(joined)
}

/// 412 for a condition that cannot be read.
fn unreadable(name: &str) -> Problem {
    Problem::new(
        Code::UnreadableCondition,
        format!("the condition in the header {name} is not valid"),
    )
}

#[cfg(test)]
mod tests;
