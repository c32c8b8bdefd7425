//! Guests: who may enter a hall, and who may no longer.

use core::fmt;

use serde::Serialize;
use serde::ser::SerializeMap;

use super::super::declare::{DeclaredMember, Member, Sentence, Shape, Signer};
use super::super::declare::{record, statement};
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
    Person(NamedPerson),
    /// Everybody of the realm who has this role or one that includes it.
    Role(Role),
    /// A person of a partner, or everybody of the partner who has a role.
    Visitor(Visitor),
}

record! {
    /// A person by id and by name.
    #[derive(Debug, Clone, PartialEq, Eq)]
    NamedPerson {
        /// The person; of a partner, by the id that the partner gave.
        id: PersonId,
        /// The person's name; of a partner, the name that the signer gave.
        name: Line,
    }
}

record! {
    /// A guest of a partner. The partner says who its people are and which roles they have.
    #[derive(Debug, Clone, PartialEq, Eq)]
    Visitor {
        /// The partner.
        realm: RealmName,
        /// The guest there.
        whom: Whom,
    }
}

/// Who of a partner may enter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Whom {
    /// A person of the partner.
    Person(NamedPerson),
    /// Everybody of the partner who has this role there or one that includes it.
    Role(Role),
}

statement! {
    "hall.admit", Signer::Person(Role::Owner);
    /// Lets a guest enter a hall.
    Admit {
        /// The hall.
        hall: HallName,
        /// The guest.
        guest: Guest,
        /// What the guest may do inside. This replaces what was said of the guest before.
        rights: Rights,
        /// What is demanded besides.
        needs: Needs,
    }
}

statement! {
    "hall.dismiss", Signer::Person(Role::Owner);
    /// Lets a guest enter a hall no longer.
    Dismiss {
        /// The hall.
        hall: HallName,
        /// The guest.
        guest: Guest,
    }
}

/// A member that is a map with exactly one member of its own, named like the variant.
macro_rules! one_of {
    ($name:ident { $($variant:ident = $key:literal: $type:ty, $doc:literal;)+ }) => {
        impl Member for $name {
            const SHAPE: Shape = Shape::OneOf(&[$(
                DeclaredMember {
                    name: $key,
                    doc: $doc,
                    shape: <$type as Member>::SHAPE,
                },
            )+]);

            fn put<'a>(&'a self, key: &'static str, fields: Fields<'a>) -> Fields<'a> {
                let one = match self {
                    $(Self::$variant(value) => value.put($key, Fields::default()),)+
                };
                fields.with(key, one)
            }

            fn take(key: &'static str, fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
                let mut one: Fields<'_> = fields.take(key)?;
                $(if one.has($key) {
                    let value = Self::$variant(Member::take($key, &mut one)?);
                    one.finish()?;
                    return Ok(value);
                })+
                Err(DecodeError::Value {
                    member: key,
                    reason: "has none of the members that are known here",
                })
            }

            fn json<M: SerializeMap>(
                &self,
                key: &'static str,
                map: &mut M,
            ) -> Result<(), M::Error> {
                map.serialize_entry(key, self)
            }

            #[cfg(test)]
            fn samples() -> Vec<Self> {
                let mut all = Vec::new();
                $(all.extend(<$type as Member>::samples().into_iter().map(Self::$variant));)+
                all
            }
        }
    };
}

one_of! {
    Guest {
        Person = "person": NamedPerson, "A person of the realm.";
        Role = "role": Role, "Everybody of the realm who has this role or one that includes it.";
        Visitor = "visitor": Visitor, "A guest of a partner.";
    }
}

one_of! {
    Whom {
        Person = "person": NamedPerson, "A person of the partner.";
        Role = "role": Role, "Everybody of the partner who has this role or one that includes it.";
    }
}

impl fmt::Display for Guest {
    /// As it stands in a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(person) => write!(f, "{}", person.name),
            Self::Role(Role::Member) => f.write_str("everybody of the realm"),
            Self::Role(role) => write!(f, "{} of the realm", at_least(*role)),
            Self::Visitor(Visitor { realm, whom }) => match whom {
                Whom::Person(NamedPerson { id, name }) => {
                    write!(f, "{name} ({id}) of the partner {realm}")
                }
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

impl Sentence for Admit {
    fn sentence(&self) -> String {
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

impl Sentence for Dismiss {
    fn sentence(&self) -> String {
        format!(
            "no longer let {} enter the hall “{}”",
            self.guest, self.hall
        )
    }
}
