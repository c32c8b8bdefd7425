//! Grants: entering a hall, the approval that an entry may need, and the end before its time.

use core::fmt;

use serde::Serialize;

use super::super::Hash;
use super::super::json::hexadecimal;
use super::super::people::Role;
use super::name::HallName;
use super::public_key::P256PublicKey;
use super::right::Rights;
use crate::count::Count;
use crate::fields::{DecodeError, Fields};
use crate::id::{GrantId, PersonId};
use crate::line::Line;
use crate::realm::RealmName;

/// The terms of `hall.open`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Open {
    /// The realm where the hall is.
    pub host: RealmName,
    /// Which hall.
    pub hall: HallName,
    /// Who enters: the signer.
    pub person: PersonId,
    /// The person's name.
    pub name: Line,
    /// The person's role at home: stated for a hall of another realm, which may admit by it, and
    /// for no other.
    pub role: Option<Role>,
    /// What the person may do inside. More needs another statement.
    pub rights: Rights,
    /// For how long, in milliseconds from when the evidence was accepted.
    pub duration_ms: u64,
    /// The key whose holder is let in. Without one it is the browser in which the person signed.
    pub public_key: Option<P256PublicKey>,
}

/// The terms of `hall.approve`: the opening that is approved, word for word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approve {
    /// Which grant.
    pub grant: GrantId,
    /// The hash of the evidence that opened it.
    #[serde(serialize_with = "hexadecimal")]
    pub opened: Hash,
    /// Which hall it is of.
    pub hall: HallName,
    /// Whose it is.
    pub name: Line,
    /// What it allows.
    pub rights: Rights,
}

/// The terms of `hall.end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct End {
    /// Which grant.
    pub grant: GrantId,
    /// The hash of the evidence that opened it.
    #[serde(serialize_with = "hexadecimal")]
    pub opened: Hash,
    /// Which hall it is of.
    pub hall: HallName,
    /// Whose it is.
    pub name: Line,
}

impl Open {
    pub(super) fn terms(&self) -> Fields<'_> {
        Fields::default()
            .with("host", &self.host)
            .with("hall", &self.hall)
            .with("person", &self.person)
            .with("name", &self.name)
            .with_some("role", self.role.as_ref())
            .with("rights", &self.rights)
            .with("duration", &self.duration_ms)
            .with_some("public_key", self.public_key.as_ref())
    }

    pub(super) fn read(terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            host: terms.take("host")?,
            hall: terms.take("hall")?,
            person: terms.take("person")?,
            name: terms.take("name")?,
            role: terms.take_optional("role")?,
            rights: terms.take("rights")?,
            duration_ms: terms.take::<Count>("duration")?.get(),
            public_key: terms.take_optional("public_key")?,
        })
    }

    pub(super) fn sentence(&self) -> String {
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

impl Approve {
    pub(super) fn terms(&self) -> Fields<'_> {
        Fields::default()
            .with("grant", &self.grant)
            .with("opened", &self.opened)
            .with("hall", &self.hall)
            .with("name", &self.name)
            .with("rights", &self.rights)
    }

    pub(super) fn read(terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            grant: terms.take("grant")?,
            opened: terms.take("opened")?,
            hall: terms.take("hall")?,
            name: terms.take("name")?,
            rights: terms.take("rights")?,
        })
    }

    pub(super) fn sentence(&self) -> String {
        format!(
            "approve that {} opens the hall “{}” to {}, by the grant {}",
            self.name, self.hall, self.rights, self.grant
        )
    }
}

impl End {
    pub(super) fn terms(&self) -> Fields<'_> {
        Fields::default()
            .with("grant", &self.grant)
            .with("opened", &self.opened)
            .with("hall", &self.hall)
            .with("name", &self.name)
    }

    pub(super) fn read(terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            grant: terms.take("grant")?,
            opened: terms.take("opened")?,
            hall: terms.take("hall")?,
            name: terms.take("name")?,
        })
    }

    pub(super) fn sentence(&self) -> String {
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
