//! Who belongs to the realm, with which role.

use super::declare::{Sentence, Signer, statement};
use crate::hash::Hash;
use crate::id::PersonId;
use crate::line::Line;
use crate::statement::declare::stated;

stated! {
    /// What a person may do in the realm: each role may do what those before it may.
    Role {
        /// Their own keys and devices.
        Member = "member",
        /// Devices, and looking at everything.
        Operator = "operator",
        /// Everything.
        Owner = "owner",
    }
}

statement! {
    "people.invite", Signer::Person(Role::Owner);
    /// Lets a new person register a key, by a one-time link.
    Invite {
        /// The new person's name.
        name: Line,
        /// The new person's role.
        role: Role,
        /// SHA-256 of the one-time link's secret: only the new person may know the link.
        link: Hash,
    }
}

statement! {
    "people.recover", Signer::Person(Role::Owner);
    /// Lets a person who lost their keys register a new one, by a one-time link.
    Recover {
        /// The person.
        person: PersonId,
        /// The person's name.
        name: Line,
        /// The person's role.
        role: Role,
        /// SHA-256 of the one-time link's secret.
        link: Hash,
    }
}

statement! {
    "people.change_role", Signer::Person(Role::Owner);
    /// Gives a person another role.
    ChangeRole {
        /// The person.
        person: PersonId,
        /// The person's name.
        name: Line,
        /// The new role.
        role: Role,
    }
}

statement! {
    "people.suspend", Signer::Person(Role::Owner);
    /// Suspends a person: none of their keys opens a door.
    Suspend {
        /// The person.
        person: PersonId,
        /// The person's name.
        name: Line,
    }
}

statement! {
    "people.reinstate", Signer::Person(Role::Owner);
    /// Ends the suspension of a person.
    Reinstate {
        /// The person.
        person: PersonId,
        /// The person's name.
        name: Line,
    }
}

statement! {
    "people.sign_out", Signer::Person(Role::Owner);
    /// Ends a person's sessions, and what they opened with them.
    SignOut {
        /// The person.
        person: PersonId,
        /// The person's name.
        name: Line,
    }
}

impl Sentence for Invite {
    fn sentence(&self) -> String {
        format!("invite {} as {}", self.name, self.role)
    }
}

impl Sentence for Recover {
    fn sentence(&self) -> String {
        format!(
            "let {} ({}) register a new key by a one-time link",
            self.name, self.role
        )
    }
}

impl Sentence for ChangeRole {
    fn sentence(&self) -> String {
        format!("make {} {}", self.name, self.role)
    }
}

impl Sentence for Suspend {
    fn sentence(&self) -> String {
        format!("suspend {}: no key of theirs opens a door", self.name)
    }
}

impl Sentence for Reinstate {
    fn sentence(&self) -> String {
        format!("let {} use their keys again", self.name)
    }
}

impl Sentence for SignOut {
    fn sentence(&self) -> String {
        format!(
            "sign {} out everywhere, and end what they opened",
            self.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_includes_those_below_it() {
        assert!(Role::Owner > Role::Operator);
        assert!(Role::Operator > Role::Member);
    }
}
