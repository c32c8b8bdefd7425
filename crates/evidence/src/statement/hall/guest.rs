//! Guests: who may enter a hall, and who may no longer.

use core::fmt;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::super::declare::{DeclaredMember, Member, Record, Sentence, Shape, Signer};
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

/// A guest of a partner. The partner says who its people are and which roles they have.
///
/// It is one map in a statement and in JSON, because statements are four maps deep at most: `realm`
/// with `id` and `name`, or with `role`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// The partner.
    pub realm: RealmName,
    /// The guest there.
    pub whom: Whom,
}

/// Who of a partner may enter.
#[derive(Debug, Clone, PartialEq, Eq)]
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

impl Member for Guest {
    const SHAPE: Shape = Shape::OneOf(&[
        DeclaredMember {
            name: "person",
            doc: "A person of the realm.",
            shape: NamedPerson::SHAPE,
        },
        DeclaredMember {
            name: "role",
            doc: "Everybody of the realm who has this role or one that includes it.",
            shape: Role::SHAPE,
        },
        DeclaredMember {
            name: "visitor",
            doc: "A guest of a partner.",
            shape: Visitor::SHAPE,
        },
    ]);

    fn put<'a>(&'a self, key: &'static str, fields: Fields<'a>) -> Fields<'a> {
        let one = Fields::default();
        fields.with(
            key,
            match self {
                Self::Person(person) => person.put("person", one),
                Self::Role(role) => role.put("role", one),
                Self::Visitor(visitor) => visitor.put("visitor", one),
            },
        )
    }

    fn take(key: &'static str, fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let mut one: Fields<'_> = fields.take(key)?;
        let guest = if one.has("role") {
            Self::Role(Role::take("role", &mut one)?)
        } else if one.has("visitor") {
            Self::Visitor(Visitor::take("visitor", &mut one)?)
        } else {
            Self::Person(NamedPerson::take("person", &mut one)?)
        };
        one.finish()?;
        Ok(guest)
    }

    fn json<M: SerializeMap>(&self, key: &'static str, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry(key, self)
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        let people = <NamedPerson as Record>::samples()
            .into_iter()
            .map(Self::Person);
        let roles = Role::samples().into_iter().map(Self::Role);
        let visitors = <Visitor as Record>::samples()
            .into_iter()
            .map(Self::Visitor);
        people.chain(roles).chain(visitors).collect()
    }
}

impl Record for Visitor {
    const MEMBERS: &'static [DeclaredMember] = &[
        DeclaredMember {
            name: "realm",
            doc: "The partner.",
            shape: RealmName::SHAPE,
        },
        DeclaredMember {
            name: "id",
            doc: "A person of the partner, by the id that the partner gave.",
            shape: <Option<PersonId>>::SHAPE,
        },
        DeclaredMember {
            name: "name",
            doc: "The signer's name for that person.",
            shape: <Option<Line>>::SHAPE,
        },
        DeclaredMember {
            name: "role",
            doc: "Without a person: everybody of the partner who has this role there or one that \
                  includes it.",
            shape: <Option<Role>>::SHAPE,
        },
    ];

    fn fields(&self) -> Fields<'_> {
        let fields = Fields::default().with("realm", &self.realm);
        match &self.whom {
            Whom::Person(person) => fields.with("id", &person.id).with("name", &person.name),
            Whom::Role(role) => role.put("role", fields),
        }
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            realm: fields.take("realm")?,
            whom: if fields.has("role") {
                Whom::Role(Role::take("role", fields)?)
            } else {
                Whom::Person(Record::read(fields)?)
            },
        })
    }

    fn json<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.realm.json("realm", map)?;
        match &self.whom {
            Whom::Person(person) => Record::json(person, map),
            Whom::Role(role) => role.json("role", map),
        }
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        let whom = |whom| Self {
            realm: RealmName::samples().remove(0),
            whom,
        };
        let person = <NamedPerson as Record>::samples().remove(0);
        vec![
            whom(Whom::Person(person)),
            whom(Whom::Role(Role::Member)),
            whom(Whom::Role(Role::Operator)),
        ]
    }
}

impl Serialize for Visitor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        Record::json(self, &mut map)?;
        map.end()
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
