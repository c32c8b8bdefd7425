//! Making a hall, and removing it.

use super::super::declare::{Sentence, Signer, statement};
use super::super::people::Role;
use super::name::HallName;
use crate::line::Line;

statement! {
    "hall.create", Signer::Person(Role::Owner);
    /// Makes a hall.
    Create {
        /// The hall's name, for programs.
        hall: HallName,
        /// Its title, for people.
        title: Line,
    }
}

statement! {
    "hall.remove", Signer::Person(Role::Owner);
    /// Closes a hall for good; everybody in it is put out.
    Remove {
        /// The hall.
        hall: HallName,
    }
}

impl Sentence for Create {
    fn sentence(&self) -> String {
        format!("make the hall “{}”, called “{}”", self.hall, self.title)
    }
}

impl Sentence for Remove {
    fn sentence(&self) -> String {
        format!(
            "remove the hall “{}” and put everybody in it out",
            self.hall
        )
    }
}
