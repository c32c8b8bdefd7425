//! Errors as callers see them: RFC 9457 problem details.

use std::fmt;

use hallway_evidence::Printable;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Code;

/// The media type of a problem (RFC 9457, section 3).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// An error answer, as it is sent, or as it was received: a newer gateway may know other codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The HTTP status; 0 where the other side left it out, as it may (section 3.1.2).
    #[serde(default)]
    pub status: u16,
    /// For programs: the name of a [`Code`], empty where the other side gave none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// A sentence for people. It may be another side's own words: see [`Printable`].
    #[serde(default)]
    pub detail: String,
    /// What else the answer has, such as `last_sequence`.
    #[serde(flatten)]
    pub members: Map<String, Value>,
}

impl Problem {
    /// A problem without further members.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            status: code.status(),
            code: code.name().to_owned(),
            detail: detail.into(),
            members: Map::new(),
        }
    }

    /// An answer that names no code, such as that of a proxy on the way.
    pub fn without_code(status: u16, detail: impl Into<String>) -> Self {
        Self {
            status,
            code: String::new(),
            detail: detail.into(),
            members: Map::new(),
        }
    }

    /// The code, if it is one that is known here.
    #[must_use]
    pub fn known(&self) -> Option<Code> {
        let mut all = Code::ALL.iter().copied();
        all.find(|code| code.name() == self.code)
    }

    /// Whether it has this code.
    #[must_use]
    pub fn is(&self, code: Code) -> bool {
        self.known() == Some(code)
    }

    /// A further member, if it is there and has this type.
    #[must_use]
    pub fn member<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        T::deserialize(self.members.get(name)?).ok()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", Printable(&self.detail), self.status)?;
        if !self.code.is_empty() {
            write!(f, ", {}", Printable(&self.code))?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for Problem {}
