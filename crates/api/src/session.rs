//! Signing in, and the person who is signed in.

use hallway_evidence::statement::people::Role;
use hallway_evidence::{Line, PersonId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::act::Answer;

/// A person of the realm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Person {
    /// A UUID.
    #[schemars(with = "String")]
    pub id: PersonId,
    /// The name.
    #[schemars(with = "String")]
    pub name: Line,
    /// owner, operator or member.
    #[schemars(with = "String")]
    pub role: Role,
}

/// How a session is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GrantAs {
    /// In a cookie that scripts can't read.
    Cookie,
    /// In the answer, for a program.
    Bearer,
}

/// An answered sign-in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SignIn {
    /// The signed statement.
    #[serde(flatten)]
    pub answer: Answer,
    /// Cookie or bearer token.
    pub grant: GrantAs,
}

/// The person who is signed in now.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SignedIn {
    /// The person.
    pub person: Person,
    /// The bearer token, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub token: Option<Zeroizing<String>>,
}
