//! Grants: entering a hall, the approval that an entry may need, and the end before its time.

use core::fmt;

use super::super::declare::{Sentence, Signer, statement};
use super::super::people::Role;
use super::name::HallName;
use super::public_key::P256PublicKey;
use super::right::Rights;
use crate::hash::Hash;
use crate::id::{GrantId, PersonId};
use crate::line::Line;
use crate::realm::RealmName;

statement! {
    "hall.open", Signer::Person(Role::Member);
    /// Opens a hall to the signer.
    Open {
        /// The realm where the hall is.
        host: RealmName,
        /// The hall.
        hall: HallName,
        /// The signer.
        person: PersonId,
        /// The signer's name.
        name: Line,
        /// The signer's role at home: stated for a hall of another realm, which may admit by it,
        /// and for no other.
        role: Option<Role>,
        /// What the signer may do inside. More needs another statement.
        rights: Rights,
        /// For how long, in milliseconds from when the evidence was accepted.
        duration_ms: u64,
        /// The key whose holder is let in. Without one it is the browser in which the person
        /// signed.
        public_key: Option<P256PublicKey>,
    }
}

statement! {
    "hall.approve", Signer::Person(Role::Member);
    /// Approves an opening, word for word. The hall says which role it needs.
    Approve {
        /// The grant.
        grant: GrantId,
        /// The hash of the evidence that opened it.
        opened: Hash,
        /// The hall.
        hall: HallName,
        /// The name of the person who opened it.
        name: Line,
        /// What it allows.
        rights: Rights,
    }
}

statement! {
    "hall.end", Signer::Person(Role::Operator);
    /// Ends a person's grant before its time.
    End {
        /// The grant.
        grant: GrantId,
        /// The hash of the evidence that opened it.
        opened: Hash,
        /// The hall.
        hall: HallName,
        /// The name of the person who opened it.
        name: Line,
    }
}

impl Sentence for Open {
    fn sentence(&self) -> String {
        format!(
            "open the hall “{}” of {} to {}{} for {}, {}, to {}",
            self.hall,
            self.host,
            self.name,
            self.role
                .map_or_else(String::new, |role| format!(" ({role} at home)")),
            Lasting(self.duration_ms),
            match &self.public_key {
                Some(key) => format!(
                    "with the key whose SHA-256 is {}",
                    hex::encode(key.sha256())
                ),
                None => "in the browser that asks".to_owned(),
            },
            self.rights
        )
    }
}

impl Sentence for Approve {
    fn sentence(&self) -> String {
        format!(
            "approve that {} opens the hall “{}” to {}, by the grant {}",
            self.name, self.hall, self.rights, self.grant
        )
    }
}

impl Sentence for End {
    fn sentence(&self) -> String {
        format!(
            "end the grant {} of {} in the hall “{}”",
            self.grant, self.name, self.hall
        )
    }
}

/// Milliseconds as a person says them: `8 hours`, `1 hour 30 minutes`, `45 seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lasting(pub u64);

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [
            (self.0 / 3_600_000, "hour"),
            (self.0 / 60_000 % 60, "minute"),
            (self.0 / 1000 % 60, "second"),
            (self.0 % 1000, "millisecond"),
        ];
        let mut gap = "";
        for (count, unit) in units.into_iter().filter(|(count, _)| *count > 0) {
            let plural = if count == 1 { "" } else { "s" };
            write!(f, "{gap}{count} {unit}{plural}")?;
            gap = " ";
        }
        if gap.is_empty() {
            f.write_str("no time")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        for (ms, text) in [
            (8 * 3_600_000, "8 hours"),
            (5_400_000, "1 hour 30 minutes"),
            (61_001, "1 minute 1 second 1 millisecond"),
            (0, "no time"),
        ] {
            assert_eq!(Lasting(ms).to_string(), text);
        }
    }

    #[test]
    fn the_sentence_of_an_opening_says_all_of_it() {
        let open = Open {
            host: "lab.example".parse().unwrap(),
            hall: "backups".parse().unwrap(),
            person: PersonId::from_bytes([1; 16]),
            name: Line::new("Emily").unwrap(),
            role: None,
            rights: Rights::parse(["connect:db", "write:data", "read:logs", "read:data"]).unwrap(),
            duration_ms: 8 * 3_600_000,
            public_key: None,
        };
        assert_eq!(
            open.sentence(),
            "open the hall “backups” of lab.example to Emily for 8 hours, in the browser that \
             asks, to read “data” and “logs”, write “data”, connect to “db”"
        );
    }
}
