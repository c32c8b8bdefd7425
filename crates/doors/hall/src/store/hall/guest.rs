//! Whom an admission is for: in the type, and as text in a column.

use core::fmt;
use core::str::FromStr;

use hallway_evidence::{PersonId, RealmName, UnknownWord};
use hallway_spine::store::Role;

/// Whom an admission is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GuestId {
    /// One person.
    Person(PersonId),
    /// Everybody who has this role, or one that includes it.
    Role(Role),
    /// Somebody of a partner.
    Visitor(RealmName, VisitorId),
}

/// Who of a partner an admission is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VisitorId {
    /// The person with this id at home.
    Person(PersonId),
    /// Everybody who has this role at home, or one that includes it.
    Role(Role),
}

impl GuestId {
    /// The guests as whom a person of this role may enter.
    pub(crate) fn of(person: PersonId, role: Role) -> Vec<Self> {
        let roles = included(role).into_iter().map(Self::Role);
        std::iter::once(Self::Person(person)).chain(roles).collect()
    }

    /// The guests as whom a person of a partner may enter.
    pub(crate) fn of_visitor(realm: &RealmName, person: PersonId, role: Role) -> Vec<Self> {
        let roles = included(role).into_iter().map(VisitorId::Role);
        std::iter::once(VisitorId::Person(person))
            .chain(roles)
            .map(|who| Self::Visitor(realm.clone(), who))
            .collect()
    }
}

/// The role and those that it includes.
fn included(role: Role) -> Vec<Role> {
    match role {
        Role::Member => vec![Role::Member],
        Role::Operator => vec![Role::Member, Role::Operator],
        Role::Owner => vec![Role::Member, Role::Operator, Role::Owner],
    }
}

/// How the guests of a realm begin.
pub(crate) const VISITOR: &str = "partner";

impl fmt::Display for GuestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => write!(f, "person/{id}"),
            Self::Role(role) => write!(f, "role/{role}"),
            Self::Visitor(realm, VisitorId::Person(id)) => {
                write!(f, "{VISITOR}/{realm}/person/{id}")
            }
            Self::Visitor(realm, VisitorId::Role(role)) => {
                write!(f, "{VISITOR}/{realm}/role/{role}")
            }
        }
    }
}

impl FromStr for GuestId {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let unknown = || UnknownWord;
        match text.split_once('/').ok_or_else(unknown)? {
            ("person", id) => id.parse().map(Self::Person).map_err(|_| unknown()),
            ("role", role) => role.parse().map(Self::Role).map_err(|_| unknown()),
            (VISITOR, rest) => {
                let (realm, who) = rest.split_once('/').ok_or_else(unknown)?;
                let realm = realm.parse().map_err(|_| unknown())?;
                match who.parse()? {
                    Self::Person(id) => Ok(Self::Visitor(realm, VisitorId::Person(id))),
                    Self::Role(role) => Ok(Self::Visitor(realm, VisitorId::Role(role))),
                    Self::Visitor(..) => Err(unknown()),
                }
            }
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_text_and_back() {
        let ids = [
            GuestId::Person(PersonId::generate()),
            GuestId::Role(Role::Operator),
            GuestId::Visitor(
                "b.example".parse().unwrap(),
                VisitorId::Person(PersonId::generate()),
            ),
            GuestId::Visitor("b.example".parse().unwrap(), VisitorId::Role(Role::Member)),
        ];
        for id in ids {
            assert_eq!(id.to_string().parse::<GuestId>(), Ok(id));
        }
        for bad in [
            "",
            "person",
            "person/x",
            "role/king",
            "machine/1",
            "partner/b.example",
            "partner/role/member",
            "partner/b/partner/c/role/member",
        ] {
            assert!(bad.parse::<GuestId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_role_enters_as_itself_and_as_what_it_includes() {
        let id = PersonId::generate();
        let as_whom = |role| GuestId::of(id, role).len();
        assert_eq!(as_whom(Role::Member), 2);
        assert_eq!(as_whom(Role::Operator), 3);
        assert_eq!(as_whom(Role::Owner), 4);
        assert!(!GuestId::of(id, Role::Operator).contains(&GuestId::Role(Role::Owner)));
    }
}
