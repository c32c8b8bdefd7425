//! Guests: who may enter a hall, and who may no longer.

use core::fmt;

use serde::Serialize;

use super::super::people::Role;
use super::name::HallName;
use super::needs::Needs;
use super::right::Rights;
use crate::fields::{DecodeError, Fields};
use crate::id::PersonId;
use crate::line::Line;
use crate::realm::RealmName;

/// Who may enter: one person, or everybody with a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Guest {
    /// A person of the realm.
    Person {
        /// Who.
        id: PersonId,
        /// The person's name.
        name: Line,
    },
    /// Everybody of the realm who has this role or one that includes it.
    Role(Role),
    /// Somebody of a partner.
    Visitor {
        /// Of which realm.
        realm: RealmName,
        /// Who there.
        whom: Whom,
    },
}

/// Who of a partner may enter. The partner says who its people are and which roles they have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Whom {
    /// A person of the partner.
    Person {
        /// Who, by the id that the partner gave.
        id: PersonId,
        /// What the signer calls them.
        name: Line,
    },
    /// Everybody of the partner who has this role there or one that includes it.
    Role(Role),
}

/// The terms of `hall.admit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Admit {
    /// Which hall.
    pub hall: HallName,
    /// Who may enter.
    pub guest: Guest,
    /// What the guest may do inside. This replaces what was said of the guest before.
    pub rights: Rights,
    /// What is demanded besides.
    #[serde(skip_serializing_if = "Needs::is_empty")]
    pub needs: Needs,
}

/// The terms of `hall.dismiss`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dismiss {
    /// Which hall.
    pub hall: HallName,
    /// Who may no longer enter.
    pub guest: Guest,
}

impl Guest {
    fn terms<'a>(&'a self, fields: Fields<'a>) -> Fields<'a> {
        match self {
            Self::Person { id, name } => fields.with("person", id).with("name", name),
            Self::Role(role) => fields.with("role", role),
            Self::Visitor { realm, whom } => {
                let fields = fields.with("realm", realm);
                match whom {
                    Whom::Person { id, name } => fields.with("person", id).with("name", name),
                    Whom::Role(role) => fields.with("role", role),
                }
            }
        }
    }

    fn read(terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
        if let Some(realm) = terms.take_optional("realm")? {
            let whom = match terms.take_optional("person")? {
                Some(id) => Whom::Person {
                    id,
                    name: terms.take("name")?,
                },
                None => Whom::Role(terms.take("role")?),
            };
            return Ok(Self::Visitor { realm, whom });
        }
        Ok(match terms.take_optional("person")? {
            Some(id) => Self::Person {
                id,
                name: terms.take("name")?,
            },
            None => Self::Role(terms.take("role")?),
        })
    }
}

impl fmt::Display for Guest {
    /// As it stands in a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person { name, .. } => write!(f, "{name}"),
            Self::Role(Role::Member) => f.write_str("everybody of the realm"),
            Self::Role(role) => write!(f, "{} of the realm", at_least(*role)),
            Self::Visitor { realm, whom } => match whom {
                Whom::Person { id, name } => write!(f, "{name} ({id}) of the partner {realm}"),
                Whom::Role(Role::Member) => write!(f, "everybody of the partner {realm}"),
                Whom::Role(role) => {
                    write!(f, "{} of the partner {realm}", at_least(*role))
                }
            },
        }
    }
}

/// Everybody of a role that is more than a member's, and of those that include it.
const fn at_least(role: Role) -> &'static str {
    match role {
        Role::Member => "everybody",
        Role::Operator => "every operator and owner",
        Role::Owner => "every owner",
    }
}

impl Admit {
    pub(super) fn terms(&self) -> Fields<'_> {
        let fields = self.guest.terms(Fields::default());
        let fields = fields.with("hall", &self.hall).with("rights", &self.rights);
        self.needs.terms(fields)
    }

    pub(super) fn read(terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            hall: terms.take("hall")?,
            guest: Guest::read(terms)?,
            rights: terms.take("rights")?,
            needs: Needs::read(terms)?,
        })
    }

    pub(super) fn sentence(&self) -> String {
        format!(
            "let {} enter the hall “{}” to {}{}{}",
            self.guest,
            self.hall,
            self.rights,
            if self.needs.is_empty() { "" } else { ", only " },
            self.needs
        )
    }
}

impl Dismiss {
    pub(super) fn terms(&self) -> Fields<'_> {
        self.guest.terms(Fields::default()).with("hall", &self.hall)
    }

    pub(super) fn read(terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            hall: terms.take("hall")?,
            guest: Guest::read(terms)?,
        })
    }

    pub(super) fn sentence(&self) -> String {
        format!(
            "no longer let {} enter the hall “{}”",
            self.guest, self.hall
        )
    }
}
