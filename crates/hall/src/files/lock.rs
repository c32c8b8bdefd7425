//! Write locks (RFC 4918, 6 and 7), the place where they are kept, and the changes that they
//! forbid.
//!
//! A lock is on a path and not on the file that is there, so it holds for every store alike. The
//! gateway that serves a store's requests keeps its locks where all gateways of the realm see them:
//! [`Locks`]. Every implementation passes one contract suite.

use std::str::FromStr;
use std::time::Duration;
use std::{fmt, io};

use async_trait::async_trait;
use hallway_evidence::statement::hall::{HallName, StoreName};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::store::Depth;
use super::xml::Element;
use crate::dav::path::FilePath;
use crate::problem::{Code, Problem};

mod judging;
mod writing;

#[cfg(test)]
mod contract;
#[cfg(test)]
pub(super) mod memory;

pub use judging::conflicting;
use judging::is_on;
pub(super) use judging::{Doing, Touch, Verdict, covers, judge};
pub(crate) use writing::{Form, Refusing, read};
pub(super) use writing::{SUPPORTED, Wish, answer, discovery, xml_type};

/// How long a lock lasts if the client does not say.
pub(super) const USUAL_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a lock lasts at most, unless it is refreshed.
pub(super) const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);
/// The most locks of one holder, and of all together.
pub const MOST_LOCKS_OF_HOLDER: u64 = 256;
/// See [`MOST_LOCKS_OF_HOLDER`].
pub const MOST_LOCKS_IN_ALL: u64 = 4096;
/// The longest `owner` element of a lock, as XML, in bytes.
const LONGEST_OWNER_BYTES: usize = 512;

/// The name of a lock: 128 random bits, as text `urn:uuid:` and a UUID of version 4 (RFC 9562,
/// 5.4). It is no secret: it counts only for the holder to whom it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LockToken([u8; 16]);

impl LockToken {
    /// A new one.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Ok(Self(bytes))
    }

    /// From the bytes of its UUID.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of its UUID.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for LockToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = hex::encode(self.0);
        let (a, b, c) = (&digits[..8], &digits[8..12], &digits[12..16]);
        let (d, e) = (&digits[16..20], &digits[20..]);
        write!(f, "urn:uuid:{a}-{b}-{c}-{d}-{e}")
    }
}

/// A text that is no token of a lock of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the token of a lock: urn:uuid: and a UUID")]
pub struct LockTokenError;

impl FromStr for LockToken {
    type Err = LockTokenError;

    fn from_str(text: &str) -> Result<Self, LockTokenError> {
        let lower = text.to_ascii_lowercase();
        let uuid = lower.strip_prefix("urn:uuid:").ok_or(LockTokenError)?;
        let mut bytes = [0; 16];
        hex::decode_to_slice(uuid.replace('-', ""), &mut bytes).map_err(|_| LockTokenError)?;
        let token = Self(bytes);
        // The hyphens have to be in their places.
        if token.to_string() == lower {
            Ok(token)
        } else {
            Err(LockTokenError)
        }
    }
}

impl Serialize for LockToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LockToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// Who holds locks: a grant, by the bytes of its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LockHolder(pub [u8; 16]);

/// Whether others may lock the same (RFC 4918, 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Nobody else may.
    Exclusive,
    /// Others may, as long as theirs are shared, too.
    Shared,
}

/// The owner of a lock, as its client names it (RFC 4918, 14.17): an element of at most 512 bytes,
/// which is kept in JSON and in a database as XML. That XML was parsed and is written anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner(Element);

/// A text that is no `owner` element, or too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the owner of a lock must be an owner element of at most {LONGEST_OWNER_BYTES} bytes")]
pub struct OwnerError;

impl Owner {
    /// From an `owner` element.
    ///
    /// # Errors
    /// [`OwnerError`]: it is another one, or too long.
    pub(super) fn new(element: Element) -> Result<Self, OwnerError> {
        let owner = Self(element);
        if owner.0.name.is_dav("owner") && owner.to_string().len() <= LONGEST_OWNER_BYTES {
            Ok(owner)
        } else {
            Err(OwnerError)
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut xml = String::new();
        self.0.write(&mut xml);
        f.write_str(&xml)
    }
}

impl FromStr for Owner {
    type Err = OwnerError;

    fn from_str(xml: &str) -> Result<Self, OwnerError> {
        Self::new(Element::parse(xml.as_bytes()).map_err(|_| OwnerError)?)
    }
}

impl Serialize for Owner {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Owner {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let xml = String::deserialize(deserializer)?;
        xml.parse().map_err(D::Error::custom)
    }
}

/// The store that a lock is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedStore {
    /// The hall that it is in.
    pub hall: HallName,
    /// Its name in the hall.
    pub store: StoreName,
}

/// A lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Its name.
    pub token: LockToken,
    /// The path that it was taken on.
    pub root: FilePath,
    /// Whether it also covers what is in a folder, and what will be in it.
    pub depth: Depth,
    /// Whether others may lock the same.
    pub scope: Scope,
    /// The owner that the client named when it took the lock.
    pub owner: Option<Owner>,
    /// Who may use it.
    pub holder: LockHolder,
    /// When it ends by itself, unix milliseconds.
    pub ends_ms: u64,
}

/// The outcome of asking for a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The lock was taken.
    Yes,
    /// This lock is in its way.
    No(Lock),
}

/// Why locks can't be kept or asked for.
#[derive(Debug, thiserror::Error)]
pub enum LocksError {
    /// The holder has [`MOST_LOCKS_OF_HOLDER`].
    #[error(
        "this grant holds {MOST_LOCKS_OF_HOLDER} locks, as many as it may: unlock something first"
    )]
    TooManyOfHolder,
    /// There are [`MOST_LOCKS_IN_ALL`].
    #[error("there are {MOST_LOCKS_IN_ALL} locks, as many as there may be: try again later")]
    TooMany,
    /// They can't be reached, for this reason.
    #[error("the locks cannot be read now: try again later")]
    Unavailable(String),
}

impl From<LocksError> for Problem {
    fn from(error: LocksError) -> Self {
        let code = match &error {
            LocksError::TooManyOfHolder | LocksError::TooMany => Code::TooManyLocks,
            LocksError::Unavailable(cause) => {
                tracing::warn!(cause, "locks are out of reach");
                Code::LocksDown
            }
        };
        Self::new(code, error.to_string())
    }
}

/// Where locks are kept. A lock that has ended, or whose holder may no longer write into the store,
/// does not count. All times are unix milliseconds; `now_ms` is the caller's clock.
#[async_trait]
pub trait Locks: Send + Sync + 'static {
    /// The locks of `store` on one of `paths`, on a folder that it is in, or on something in it.
    ///
    /// # Errors
    /// [`LocksError::Unavailable`].
    async fn around(
        &self,
        store: &LockedStore,
        paths: &[FilePath],
        now_ms: u64,
    ) -> Result<Vec<Lock>, LocksError>;

    /// Takes a lock, unless one is in its way ([`conflicting`]). If several that exclude one
    /// another are asked for at the same moment, one is taken.
    ///
    /// # Errors
    /// [`LocksError`].
    async fn take(
        &self,
        store: &LockedStore,
        lock: &Lock,
        now_ms: u64,
    ) -> Result<Taken, LocksError>;

    /// Lets a lock end at `ends_ms`; tells whether it was still there.
    ///
    /// # Errors
    /// [`LocksError::Unavailable`].
    async fn refresh(
        &self,
        token: &LockToken,
        ends_ms: u64,
        now_ms: u64,
    ) -> Result<bool, LocksError>;

    /// Ends locks; tokens of locks that have ended already are ignored.
    ///
    /// # Errors
    /// [`LocksError::Unavailable`].
    async fn release(&self, tokens: &[LockToken]) -> Result<(), LocksError>;
}

/// A lock as everybody who may read sees it, and as our servers send it to each other in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShownLock {
    pub(crate) token: LockToken,
    /// The path that it was taken on.
    pub(super) path: FilePath,
    /// Whether it also covers what is in a folder.
    pub(super) depth: Depth,
    /// Whether others may lock the same.
    pub(super) scope: Scope,
    /// The owner that the client named when it took the lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) owner: Option<Owner>,
    /// How long it still lasts.
    pub(super) seconds: u64,
}

impl ShownLock {
    /// Whether it is on `path`.
    pub(super) fn covers(&self, path: &FilePath) -> bool {
        is_on(&self.path, self.depth, path)
    }
}

impl Lock {
    /// As it is seen at `now_ms`.
    pub(super) fn shown(&self, now_ms: u64) -> ShownLock {
        ShownLock {
            token: self.token,
            path: self.root.clone(),
            depth: self.depth,
            scope: self.scope,
            owner: self.owner.clone(),
            seconds: self.ends_ms.saturating_sub(now_ms).div_ceil(1000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_as_they_are_written() {
        let token = LockToken::random().unwrap();
        let text = token.to_string();
        assert_eq!(text.parse(), Ok(token));
        assert_eq!(text.to_uppercase().parse(), Ok(token));
        assert_eq!((text.len(), &text[23..24]), (45, "4"));
        assert_ne!(LockToken::random().unwrap(), token);
        for wrong in [
            "",
            "urn:uuid:",
            "opaquelocktoken:foobar",
            &text[..44],
            &text.replace('-', ""),
            &format!("{text}0"),
            "urn:uuid:0-0000000-0000-4000-8000-000000000000",
            "DAV:no-lock",
        ] {
            assert_eq!(wrong.parse::<LockToken>(), Err(LockTokenError), "{wrong}");
        }
    }

    #[test]
    fn an_owner_is_an_owner_and_short() {
        let owner: Owner = "<D:owner xmlns:D='DAV:'><D:href>mailto:a</D:href></D:owner>"
            .parse()
            .unwrap();
        assert_eq!(owner.to_string().parse(), Ok(owner));
        let long = format!(
            "<owner xmlns='DAV:'>{}</owner>",
            "x".repeat(LONGEST_OWNER_BYTES)
        );
        for wrong in ["", "Ada", "<owner/>", "<who xmlns='DAV:'/>", &long] {
            assert_eq!(wrong.parse::<Owner>(), Err(OwnerError), "{wrong}");
        }
    }
}
