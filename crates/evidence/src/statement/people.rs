//! Who belongs to the realm. The signer is a person who may decide it.

use serde::Serialize;

use super::json::hexadecimal;
use super::{Door, Hash};
use crate::fields::{DecodeError, Fields};
use crate::id::PersonId;
use crate::line::Line;
use crate::words::stated;

stated! {
    /// What a person may do in the realm.
    Role {
        /// Everything.
        Owner = "owner",
        /// Devices, and looking at everything.
        Operator = "operator",
        /// Their own keys and devices.
        Member = "member",
    }
}

impl Role {
    /// Whether it may do what `least` may: owners all, operators what members may.
    #[must_use]
    pub const fn includes(self, least: Self) -> bool {
        matches!(
            (self, least),
            (Self::Owner, _) | (Self::Operator, Self::Operator) | (_, Self::Member)
        )
    }
}

/// What happens to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum People {
    /// Somebody new may register a key.
    Invite(Invite),
    /// Somebody who lost their keys may register a new one.
    Recover(Recover),
    /// Somebody's role changes.
    ChangeRole(ChangeRole),
    /// Somebody may no longer use their keys here.
    Suspend(Named),
    /// Somebody who was suspended may use their keys again.
    Reinstate(Named),
    /// Somebody's sessions end, and what they opened with them.
    SignOut(Named),
}

/// The terms of `people.invite`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invite {
    /// The new person's name.
    pub name: Line,
    /// The new person's role.
    pub role: Role,
    /// SHA-256 of the one-time link's secret: the link itself is nobody else's business.
    #[serde(serialize_with = "hexadecimal")]
    pub link: Hash,
}

/// The terms of `people.recover`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recover {
    /// Who may register a new key.
    pub person: PersonId,
    /// The person's name.
    pub name: Line,
    /// The person's role.
    pub role: Role,
    /// SHA-256 of the one-time link's secret.
    #[serde(serialize_with = "hexadecimal")]
    pub link: Hash,
}

/// The terms of `people.change_role`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeRole {
    /// Whose role changes.
    pub person: PersonId,
    /// The person's name.
    pub name: Line,
    /// The new role.
    pub role: Role,
}

/// The terms of `people.suspend`, `people.reinstate` and `people.sign_out`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Who it is.
    pub person: PersonId,
    /// The person's name.
    pub name: Line,
}

impl Named {
    fn terms(&self) -> Fields<'_> {
        Fields::default()
            .with("person", &self.person)
            .with("name", &self.name)
    }

    fn read(terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            person: terms.take("person")?,
            name: terms.take("name")?,
        })
    }
}

impl Door for People {
    fn kind(&self) -> &'static str {
        match self {
            Self::Invite(_) => "invite",
            Self::Recover(_) => "recover",
            Self::ChangeRole(_) => "change_role",
            Self::Suspend(_) => "suspend",
            Self::Reinstate(_) => "reinstate",
            Self::SignOut(_) => "sign_out",
        }
    }

    fn terms(&self) -> Fields<'_> {
        match self {
            Self::Invite(terms) => Fields::default()
                .with("name", &terms.name)
                .with("role", &terms.role)
                .with("link", &terms.link),
            Self::Recover(terms) => Fields::default()
                .with("person", &terms.person)
                .with("name", &terms.name)
                .with("role", &terms.role)
                .with("link", &terms.link),
            Self::ChangeRole(terms) => Fields::default()
                .with("person", &terms.person)
                .with("name", &terms.name)
                .with("role", &terms.role),
            Self::Suspend(named) | Self::Reinstate(named) | Self::SignOut(named) => named.terms(),
        }
    }

    fn read(kind: &str, terms: &mut Fields<'_>) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match kind {
            "invite" => Self::Invite(Invite {
                name: terms.take("name")?,
                role: terms.take("role")?,
                link: terms.take("link")?,
            }),
            "recover" => Self::Recover(Recover {
                person: terms.take("person")?,
                name: terms.take("name")?,
                role: terms.take("role")?,
                link: terms.take("link")?,
            }),
            "change_role" => Self::ChangeRole(ChangeRole {
                person: terms.take("person")?,
                name: terms.take("name")?,
                role: terms.take("role")?,
            }),
            "suspend" => Self::Suspend(Named::read(terms)?),
            "reinstate" => Self::Reinstate(Named::read(terms)?),
            "sign_out" => Self::SignOut(Named::read(terms)?),
            _ => return Ok(None),
        }))
    }

    fn sentence(&self) -> String {
        match self {
            Self::Invite(terms) => format!("invite {} as {}", terms.name, terms.role),
            Self::Recover(terms) => format!(
                "let {} ({}) register a new key by a one-time link",
                terms.name, terms.role
            ),
            Self::ChangeRole(terms) => format!("make {} {}", terms.name, terms.role),
            Self::Suspend(named) => {
                format!("suspend {}: no key of theirs opens a door", named.name)
            }
            Self::Reinstate(named) => format!("let {} use their keys again", named.name),
            Self::SignOut(named) => format!(
                "sign {} out everywhere, and end what they opened",
                named.name
            ),
        }
    }
}
