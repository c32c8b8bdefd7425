//! The header `If` (RFC 4918, 10.4).

use std::fmt;

use http::HeaderMap;
use http::header::HOST;
use http::uri::Authority;

use super::tags::Tag;
use super::{joined, unreadable};
use crate::dav::IF;
use crate::files::destination::{Led, led};
use crate::files::store::Entry;
use crate::problem::Problem;

/// Stands for every path outside the store: no store is mounted there.
const NOWHERE: &str = "/";
/// The most lists in one header.
const MOST_LISTS: usize = 64;

/// All that the header says: one of these lists has to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct States(Vec<Listed>);

/// A list, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    /// The path of a file, [`NOWHERE`] for one of another server; absent for that of the request.
    place: Option<String>,
    list: StateList,
}

/// States that have to hold together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateList(Vec<State>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    negated: bool,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    /// The token of a lock. Where locks are kept, [`States::where_locked`] has judged it before a
    /// store is asked. A store knows no locks.
    Token(String),
    /// A version, by the strong comparison (RFC 4918, 10.4.4).
    Version(Tag, String),
}

/// What is left of the header once it is known what is locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::files) enum Left {
    /// Nothing: a list holds already.
    Nothing,
    /// Lists of versions.
    Versions(States),
    /// No list can hold.
    Failed,
}

impl StateList {
    pub(in crate::files) fn holds(&self, present: Option<&Entry>) -> bool {
        let etag = present.and_then(|entry| entry.etag.as_deref());
        self.0.iter().all(|state| {
            let holds = match &state.what {
                What::Token(_) => false,
                What::Version(tag, _) => etag.is_some_and(|etag| tag.is_strongly(etag)),
            };
            holds != state.negated
        })
    }
}

impl States {
    /// Reads the header, if it is there. `Host` says which server was asked; files of other servers
    /// cannot be judged here.
    ///
    /// # Errors
    /// 412: it can't be read.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let asked = headers.get(HOST).and_then(|host| host.to_str().ok());
        let asked = asked.and_then(|host| host.parse().ok());
        joined(headers, IF)?
            .map(|value| Self::parse(&value, asked.as_ref()).ok_or_else(|| unreadable("If")))
            .transpose()
    }

    /// Either every list has a path or none has; a path counts for all lists that follow it.
    fn parse(value: &str, asked: Option<&Authority>) -> Option<Self> {
        let mut rest = value.trim();
        let (mut listed, mut place) = (Vec::new(), None);
        let tagged = rest.starts_with('<');
        while !rest.is_empty() {
            if tagged && let Some(after) = rest.strip_prefix('<') {
                let (uri, after) = after.split_once('>')?;
                place = Some(match led(uri.as_bytes(), asked)? {
                    Led::Here(path) => path,
                    Led::Elsewhere => NOWHERE.to_owned(),
                });
                rest = after.trim_start();
                if !rest.starts_with('(') {
                    return None;
                }
                continue;
            }
            let (list, after) = StateList::split(rest)?;
            let place = place.clone();
            listed.push(Listed { place, list });
            if listed.len() > MOST_LISTS {
                return None;
            }
            rest = after.trim_start();
        }
        (!listed.is_empty()).then_some(Self(listed))
    }

    /// The tokens of locks in it. Each of them is submitted with the request, whatever the header
    /// says about it (10.4.1).
    pub(in crate::files) fn tokens(&self) -> impl Iterator<Item = &str> {
        let states = self.0.iter().flat_map(|listed| &listed.list.0);
        states.filter_map(|state| match &state.what {
            What::Token(token) => Some(token.as_str()),
            What::Version(..) => None,
        })
    }

    /// The paths of other files that it names.
    pub(in crate::files) fn places(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|listed| listed.place.as_deref())
    }

    /// What is left of it, given `locked`, which says whether a path, or the request's own file
    /// (`None`), is locked with a token (10.4.4).
    pub(in crate::files) fn where_locked(
        self,
        locked: impl Fn(Option<&str>, &str) -> bool,
    ) -> Left {
        let mut left = Vec::new();
        for Listed { place, list } in self.0 {
            let fails = |state: &State| match &state.what {
                What::Token(token) => locked(place.as_deref(), token) == state.negated,
                What::Version(..) => false,
            };
            if list.0.iter().any(fails) {
                continue;
            }
            let states = list.0.into_iter();
            let versions = states.filter(|state| matches!(state.what, What::Version(..)));
            let list = StateList(versions.collect());
            if list.0.is_empty() {
                return Left::Nothing;
            }
            left.push(Listed { place, list });
        }
        if left.is_empty() {
            Left::Failed
        } else {
            Left::Versions(Self(left))
        }
    }

    /// The lists that are about the request's own file, and the others with their paths. `own` says
    /// of a path whether it is that of the request.
    pub(crate) fn apart(
        self,
        own: impl Fn(&str) -> bool,
    ) -> (Vec<StateList>, Vec<(String, StateList)>) {
        let (mut here, mut elsewhere) = (Vec::new(), Vec::new());
        for Listed { place, list } in self.0 {
            match place {
                Some(place) if !own(&place) => elsewhere.push((place, list)),
                _ => here.push(list),
            }
        }
        (here, elsewhere)
    }

    /// The header as another party gets it, where `there` gives the new path of a path. A path that
    /// has none becomes [`NOWHERE`].
    pub(crate) fn moved(&self, there: impl Fn(&str) -> Option<String>) -> Self {
        let moved = self.0.iter().map(|Listed { place, list }| {
            let place = place.as_deref();
            let place = place.map(|place| there(place).unwrap_or_else(|| NOWHERE.to_owned()));
            let list = list.clone();
            Listed { place, list }
        });
        Self(moved.collect())
    }
}

impl StateList {
    fn split(text: &str) -> Option<(Self, &str)> {
        let mut rest = text.strip_prefix('(')?.trim_start();
        let mut states = Vec::new();
        loop {
            if let Some(after) = rest.strip_prefix(')') {
                return (!states.is_empty()).then_some((Self(states), after));
            }
            let negated = rest
                .get(..3)
                .is_some_and(|not| not.eq_ignore_ascii_case("not"));
            if negated {
                rest = rest[3..].trim_start();
            }
            let (what, after) = if let Some(after) = rest.strip_prefix('<') {
                let (token, after) = after.split_once('>')?;
                (What::Token(token.to_owned()), after)
            } else {
                let (written, after) = rest.strip_prefix('[')?.split_once(']')?;
                (
                    What::Version(Tag::alone(written)?, written.to_owned()),
                    after,
                )
            };
            states.push(State { negated, what });
            rest = after.trim_start();
        }
    }
}

impl fmt::Display for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Listed { place, list } in &self.0 {
            if let Some(place) = place {
                write!(f, "<{place}> ")?;
            }
            f.write_str("(")?;
            for State { negated, what } in &list.0 {
                let not = if *negated { "Not " } else { "" };
                match what {
                    What::Token(token) => write!(f, "{not}<{token}>")?,
                    What::Version(_, written) => write!(f, "{not}[{written}]")?,
                }
            }
            f.write_str(") ")?;
        }
        Ok(())
    }
}
