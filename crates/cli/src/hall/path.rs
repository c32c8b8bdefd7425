//! Paths inside a store, and the names that point there.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use hallway_evidence::RealmName;
use hallway_hall::files::LONGEST_PATH_BYTES;
use hallway_hall::{HallName, Right, RightError, ServiceName, StoreName};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Serialize, Serializer};

/// A path below the root of a store or folder: names between slashes, none of them empty, `.` or
/// `..`. Ordered so that a folder comes before what is in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RelativePath(Vec<String>);

/// The text is not a path, or not a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlaceError {
    /// Not a path.
    #[error(
        "{0:?} is not a path: write names between slashes, none of them empty, \".\" or \"..\", \
         {LONGEST_PATH_BYTES} bytes at most"
    )]
    Path(String),
    /// Not a hall.
    #[error("{0:?} is not a hall: write HALL, or REALM/HALL for one of a partner")]
    Hall(String),
    /// Not a place in a hall.
    #[error("{0:?} is not a place in a hall: write [REALM/]HALL:STORE/path")]
    Store(String),
    /// Not a service of a hall.
    #[error("{0:?} is not a service of a hall: write [REALM/]HALL:SERVICE")]
    Service(String),
}

/// Reads one right of a list, without the spaces around it.
pub(super) fn right(text: &str) -> Result<Right, RightError> {
    text.trim().parse()
}

/// A hall: `HALL` of one's own realm, or `REALM/HALL` of a partner's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HallPlace {
    /// The realm, if it is not one's own.
    pub(crate) host: Option<RealmName>,
    /// The hall's name there.
    pub(crate) hall: HallName,
}

impl FromStr for HallPlace {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let wrong = || PlaceError::Hall(text.to_owned());
        let (host, hall) = match text.split_once('/') {
            Some((host, hall)) => (Some(host.parse().map_err(|_| wrong())?), hall),
            None => (None, text),
        };
        let hall = hall.parse().map_err(|_| wrong())?;
        Ok(Self { host, hall })
    }
}

impl fmt::Display for HallPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => write!(f, "{host}/{}", self.hall),
            None => write!(f, "{}", self.hall),
        }
    }
}

impl Serialize for HallPlace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for RelativePath {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let wrong = || PlaceError::Path(text.to_owned());
        if text.len() > LONGEST_PATH_BYTES {
            return Err(wrong());
        }
        let names = text.split('/').map(str::to_owned).collect();
        Self::from_names(names).ok_or_else(wrong)
    }
}

impl RelativePath {
    fn from_names(names: Vec<String>) -> Option<Self> {
        let plain =
            |name: &String| !matches!(name.as_str(), "" | "." | "..") && !name.contains('\0');
        (!names.is_empty() && names.iter().all(plain)).then_some(Self(names))
    }

    /// This path and one more name; `None` if that is not a name.
    pub(crate) fn child(&self, name: &str) -> Option<Self> {
        let mut names = self.0.clone();
        names.push(name.to_owned());
        (!name.contains('/')).then_some(())?;
        Self::from_names(names)
    }

    /// A path of one name; `None` if that is not a name.
    pub(crate) fn top(name: &str) -> Option<Self> {
        (!name.contains('/')).then_some(())?;
        Self::from_names(vec![name.to_owned()])
    }

    /// A path below this one.
    pub(crate) fn join(&self, below: &Self) -> Self {
        Self([&self.0[..], &below.0].concat())
    }

    /// The folder that it is in; `None` at the root.
    pub(crate) fn parent(&self) -> Option<Self> {
        let (_, parents) = self.0.split_last()?;
        Self::from_names(parents.to_vec())
    }

    /// The last name.
    pub(crate) fn name(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// Whether `folder` contains it, at any depth.
    pub(crate) fn is_below(&self, folder: &Self) -> bool {
        self.0.len() > folder.0.len() && self.0.starts_with(&folder.0)
    }

    /// The same path below a folder of this computer.
    pub(crate) fn under(&self, root: &Path) -> PathBuf {
        let mut path = root.to_owned();
        path.extend(&self.0);
        path
    }

    /// How many bytes it has, with the slashes between its names.
    pub(crate) fn len(&self) -> usize {
        let names: usize = self.0.iter().map(String::len).sum();
        names + self.0.len() - 1
    }

    /// About how many bytes of memory it takes: those of the names, and of the strings that hold
    /// them.
    pub(crate) fn weight(&self) -> usize {
        self.len() + 2 * size_of::<String>() * self.0.len()
    }

    /// As a part of a URL, every name percent-encoded.
    pub(crate) fn encoded(&self) -> String {
        let names: Vec<String> = self.0.iter().map(|name| encode(name)).collect();
        names.join("/")
    }
}

/// Percent-encodes a name.
pub(super) fn encode(name: &str) -> String {
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(name, ENCODED).to_string()
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

/// A place in a store: `HALL:STORE/path`, or `HALL:STORE` for its root; for a partner's hall,
/// `REALM/` comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StorePath {
    pub(crate) hall: HallPlace,
    pub(crate) store: StoreName,
    /// The path in the store; `None` is the root.
    pub(crate) path: Option<RelativePath>,
}

impl FromStr for StorePath {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let wrong = || PlaceError::Store(text.to_owned());
        let (hall, rest) = text.split_once(':').ok_or_else(wrong)?;
        let (store, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.strip_suffix('/').unwrap_or(path);
        Ok(Self {
            hall: hall.parse().map_err(|_| wrong())?,
            store: store.parse().map_err(|_| wrong())?,
            path: (!path.is_empty()).then(|| path.parse()).transpose()?,
        })
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.hall, self.store)?;
        match &self.path {
            Some(path) => write!(f, "/{path}"),
            None => Ok(()),
        }
    }
}

/// A service: `HALL:SERVICE`, or `REALM/HALL:SERVICE` in a partner's hall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServicePlace {
    pub(crate) hall: HallPlace,
    pub(crate) service: ServiceName,
}

impl FromStr for ServicePlace {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let wrong = || PlaceError::Service(text.to_owned());
        let (hall, service) = text.split_once(':').ok_or_else(wrong)?;
        Ok(Self {
            hall: hall.parse().map_err(|_| wrong())?,
            service: service.parse().map_err(|_| wrong())?,
        })
    }
}

/// One side of a copy. As with scp, a colon before the first slash means the far side, and so does
/// `REALM.WITH.DOTS/HALL:`; `./a:b` is a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// On this computer.
    Local(PathBuf),
    /// In a hall.
    Hall(StorePath),
}

impl FromStr for Side {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let far = match text.split_once(':') {
            None => false,
            Some((before, _)) => match before.split_once('/') {
                None => true,
                Some((realm, _)) => realm.contains('.') && before.parse::<HallPlace>().is_ok(),
            },
        };
        // A realm is a domain name, so text that begins with a dot is a folder.
        if far && !text.starts_with('.') {
            text.parse().map(Self::Hall)
        } else {
            Ok(Self::Local(text.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tricks_are_no_paths() {
        for text in [
            "", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a\0b",
        ] {
            assert!(text.parse::<RelativePath>().is_err(), "{text:?}");
        }
        assert!("x".repeat(4097).parse::<RelativePath>().is_err());
        let path: RelativePath = "a b/ü?#%".parse().unwrap();
        assert_eq!(path.encoded(), "a%20b/%C3%BC%3F%23%25");
        assert_eq!(path.len(), "a b/ü?#%".len());
        assert_eq!(path.child("../c"), None);
        assert_eq!(RelativePath::top(".."), None);
    }

    #[test]
    fn places_are_told_from_files() {
        let place: StorePath = "lab:data/a/b/".parse().unwrap();
        assert_eq!(place.to_string(), "lab:data/a/b");
        assert_eq!("lab:data".parse::<StorePath>().unwrap().path, None);
        assert_eq!("lab:data/".parse::<StorePath>().unwrap().path, None);
        for text in [
            "lab",
            "Lab:data",
            "lab:",
            "lab:data/../x",
            ":data",
            "lab:da_ta",
        ] {
            assert!(text.parse::<StorePath>().is_err(), "{text:?}");
        }
        assert_eq!(
            "./a:b".parse::<Side>().unwrap(),
            Side::Local("./a:b".into())
        );
        assert!(matches!("lab:data".parse::<Side>().unwrap(), Side::Hall(_)));
        assert!(
            "Lab:data".parse::<Side>().is_err(),
            "a mistyped hall is not a file"
        );
    }

    #[test]
    fn a_partners_hall_has_its_realm_before_it() {
        let place: StorePath = "alpha.example/lab:data/a/b".parse().unwrap();
        assert_eq!(place.to_string(), "alpha.example/lab:data/a/b");
        assert_eq!(place.hall.host, Some("alpha.example".parse().unwrap()));
        assert_eq!(place.hall.hall.as_str(), "lab");
        assert_eq!("Alpha.Example/lab:data/a/b".parse(), Ok(place));
        for text in ["/lab:data", "alpha.example/:data", "a.b/c/lab:data"] {
            assert!(text.parse::<StorePath>().is_err(), "{text:?}");
        }
        let side = |text: &str| text.parse::<Side>().unwrap();
        assert!(matches!(side("alpha.example/lab:data"), Side::Hall(_)));
        for local in [
            "./alpha.example/lab:data",
            "folder/lab:data",
            "../lab:data",
            "a.b/c/d:e",
        ] {
            assert_eq!(side(local), Side::Local(local.into()));
        }
    }

    proptest! {
        #[test]
        fn a_folder_comes_right_before_its_entries(texts: Vec<String>) {
            let mut all: Vec<RelativePath> = texts.iter().filter_map(|text| text.parse().ok()).collect();
            all.sort();
            for pair in all.windows(2) {
                prop_assert!(!pair[0].is_below(&pair[1]));
            }
        }
    }
}
