//! The hall door: channels to files and services, and who may enter them.
//!
//! A hall is known by its `HallName`. What a person may do inside is a set of `Rights`; what opens
//! is bound to a `P256PublicKey` whose private half never leaves the memory of whoever opened
//! it, or to the browser session of the signer when there is no such key.

use serde::Serialize;

use super::json::hexadecimal;
use super::people::Role;
use super::{Door, Hash};
use crate::fields::{DecodeError, Fields};
use crate::id::PersonId;
use crate::line::Line;
use crate::realm::RealmName;
use crate::timestamp::Timestamp;

mod hours;
mod name;
mod needs;
mod own_authority;
mod partner;
mod public_key;
mod right;
mod seen_log;

pub use crate::id::GrantId;
pub use hours::{Day, Hours, HoursError};
pub use name::{AgentName, HallName, LONGEST_NAME, NameError, ServiceName, StoreName};
pub use needs::{Approve, KeyNeed, Needs, approver};
pub use own_authority::Turn;
pub use partner::{
    AcceptPartner, Authorities, AuthoritiesError, InvitePartner, LeavePartner, Pins,
};
pub use public_key::{P256PublicKey, PublicKeyError};
pub use right::{MOST_RIGHTS, Right, RightError, Rights, RightsError};
pub use seen_log::{BeginLogAnew, SeenLog};

/// What happens to a hall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hall {
    /// There is a new hall. The signer may decide about halls.
    Create(Create),
    /// The hall is closed for good and everybody in it is put out.
    Remove(Named),
    /// Somebody may enter.
    Admit(Admit),
    /// Somebody may no longer enter, and is put out.
    Dismiss(Dismiss),
    /// A machine may join and provide files and services from where it stands.
    InviteAgent(InviteAgent),
    /// A machine may no longer provide anything.
    DismissAgent(Agent),
    /// The signer enters.
    Open(Open),
    /// What somebody else opened may open.
    Approve(Approve),
    /// Somebody's grant ends before its time.
    End(End),
    /// Another realm may become a partner, whose people can be admitted.
    InvitePartner(InvitePartner),
    /// Another realm's invitation is accepted.
    AcceptPartner(AcceptPartner),
    /// Another realm is a partner no longer.
    LeavePartner(LeavePartner),
    /// Another of the realm's own authorities signs from now on.
    ReplaceAuthority(Turn),
    /// The same, and what was signed until now is good no more.
    WithdrawAuthority(Turn),
    /// A log that is witnessed begins anew under another key.
    BeginLogAnew(BeginLogAnew),
}

/// The terms of `hall.create`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Create {
    /// The hall's name, for programs.
    pub hall: HallName,
    /// What it is called, for people.
    pub title: Line,
}

/// The terms of `hall.remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Which hall.
    pub hall: HallName,
}

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

/// The terms of `hall.invite_agent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InviteAgent {
    /// Which hall.
    pub hall: HallName,
    /// What the machine is called there.
    pub agent: AgentName,
    /// SHA-256 of the one-time token with which it joins.
    #[serde(serialize_with = "hexadecimal")]
    pub token: Hash,
    /// Until when it may join.
    pub expires: Timestamp,
}

/// The terms of `hall.dismiss_agent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Agent {
    /// Which hall.
    pub hall: HallName,
    /// Which machine.
    pub agent: AgentName,
}

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

impl core::fmt::Display for Guest {
    /// As it stands in a sentence.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Person { name, .. } => write!(f, "{name}"),
            Self::Role(Role::Member) => f.write_str("everybody of the realm"),
            Self::Role(role) => write!(f, "everybody who is at least {role}"),
            Self::Visitor { realm, whom } => match whom {
                Whom::Person { id, name } => write!(f, "{name} ({id}) of the partner {realm}"),
                Whom::Role(Role::Member) => write!(f, "everybody of the partner {realm}"),
                Whom::Role(role) => {
                    write!(f, "everybody of the partner {realm} who is at least {role} there")
                }
            },
        }
    }
}

impl Door for Hall {
    fn kind(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Remove(_) => "remove",
            Self::Admit(_) => "admit",
            Self::Dismiss(_) => "dismiss",
            Self::InviteAgent(_) => "invite_agent",
            Self::DismissAgent(_) => "dismiss_agent",
            Self::Open(_) => "open",
            Self::Approve(_) => "approve",
            Self::End(_) => "end",
            Self::InvitePartner(_) => "invite_partner",
            Self::AcceptPartner(_) => "accept_partner",
            Self::LeavePartner(_) => "leave_partner",
            Self::ReplaceAuthority(_) => "replace_authority",
            Self::WithdrawAuthority(_) => "withdraw_authority",
            Self::BeginLogAnew(_) => "begin_log_anew",
        }
    }

    fn terms(&self) -> Fields<'_> {
        let fields = Fields::default();
        match self {
            Self::Create(terms) => fields.with("hall", &terms.hall).with("title", &terms.title),
            Self::Remove(terms) => fields.with("hall", &terms.hall),
            Self::Admit(terms) => {
                let fields = terms.guest.terms(fields).with("hall", &terms.hall);
                terms.needs.terms(fields.with("rights", &terms.rights))
            }
            Self::Dismiss(terms) => terms.guest.terms(fields).with("hall", &terms.hall),
            Self::InviteAgent(terms) => fields
                .with("hall", &terms.hall)
                .with("agent", &terms.agent)
                .with("token", &terms.token)
                .with("expires", &terms.expires),
            Self::DismissAgent(terms) => {
                fields.with("hall", &terms.hall).with("agent", &terms.agent)
            }
            Self::Open(terms) => fields
                .with("host", &terms.host)
                .with("hall", &terms.hall)
                .with("person", &terms.person)
                .with("name", &terms.name)
                .with_some("role", terms.role.as_ref())
                .with("rights", &terms.rights)
                .with("duration", &terms.duration_ms)
                .with_some("public_key", terms.public_key.as_ref()),
            Self::Approve(terms) => fields
                .with("grant", &terms.grant)
                .with("opened", &terms.opened)
                .with("hall", &terms.hall)
                .with("name", &terms.name)
                .with("rights", &terms.rights),
            Self::End(terms) => fields
                .with("grant", &terms.grant)
                .with("opened", &terms.opened)
                .with("hall", &terms.hall)
                .with("name", &terms.name),
            Self::InvitePartner(terms) => terms.terms(),
            Self::AcceptPartner(terms) => terms.terms(),
            Self::LeavePartner(terms) => terms.terms(),
            Self::ReplaceAuthority(terms) | Self::WithdrawAuthority(terms) => terms.terms(),
            Self::BeginLogAnew(terms) => terms.terms(),
        }
    }

    fn read(kind: &str, terms: &mut Fields<'_>) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match kind {
            "create" => Self::Create(Create {
                hall: terms.take("hall")?,
                title: terms.take("title")?,
            }),
            "remove" => Self::Remove(Named {
                hall: terms.take("hall")?,
            }),
            "admit" => Self::Admit(Admit {
                hall: terms.take("hall")?,
                guest: Guest::read(terms)?,
                rights: terms.take("rights")?,
                needs: Needs::read(terms)?,
            }),
            "dismiss" => Self::Dismiss(Dismiss {
                hall: terms.take("hall")?,
                guest: Guest::read(terms)?,
            }),
            "invite_agent" => Self::InviteAgent(InviteAgent {
                hall: terms.take("hall")?,
                agent: terms.take("agent")?,
                token: terms.take("token")?,
                expires: terms.take("expires")?,
            }),
            "dismiss_agent" => Self::DismissAgent(Agent {
                hall: terms.take("hall")?,
                agent: terms.take("agent")?,
            }),
            "open" => Self::Open(Open {
                host: terms.take("host")?,
                hall: terms.take("hall")?,
                person: terms.take("person")?,
                name: terms.take("name")?,
                role: terms.take_optional("role")?,
                rights: terms.take("rights")?,
                duration_ms: terms.take("duration")?,
                public_key: terms.take_optional("public_key")?,
            }),
            "approve" => Self::Approve(Approve {
                grant: terms.take("grant")?,
                opened: terms.take("opened")?,
                hall: terms.take("hall")?,
                name: terms.take("name")?,
                rights: terms.take("rights")?,
            }),
            "end" => Self::End(End {
                grant: terms.take("grant")?,
                opened: terms.take("opened")?,
                hall: terms.take("hall")?,
                name: terms.take("name")?,
            }),
            "invite_partner" => Self::InvitePartner(InvitePartner::read(terms)?),
            "accept_partner" => Self::AcceptPartner(AcceptPartner::read(terms)?),
            "leave_partner" => Self::LeavePartner(LeavePartner::read(terms)?),
            "replace_authority" => Self::ReplaceAuthority(Turn::read(terms)?),
            "withdraw_authority" => Self::WithdrawAuthority(Turn::read(terms)?),
            "begin_log_anew" => Self::BeginLogAnew(BeginLogAnew::read(terms)?),
            _ => return Ok(None),
        }))
    }

    fn sentence(&self) -> String {
        match self {
            Self::Create(terms) => {
                format!("make the hall “{}”, called “{}”", terms.hall, terms.title)
            }
            Self::Remove(terms) => format!(
                "remove the hall “{}” and put everybody in it out",
                terms.hall
            ),
            Self::Admit(terms) => format!(
                "let {} enter the hall “{}” to {}{}{}",
                terms.guest,
                terms.hall,
                terms.rights,
                if terms.needs.is_empty() { "" } else { ", only " },
                terms.needs
            ),
            Self::Dismiss(terms) => {
                format!("no longer let {} enter the hall “{}”", terms.guest, terms.hall)
            }
            Self::InviteAgent(terms) => format!(
                "let a machine join the hall “{}” as the agent “{}”, by a one-time token that is \
                 good until {}",
                terms.hall, terms.agent, terms.expires
            ),
            Self::DismissAgent(terms) => format!(
                "put the agent “{}” out of the hall “{}”",
                terms.agent, terms.hall
            ),
            Self::Open(terms) => format!(
                "open the hall “{}” of {} to {}{} for {}, {}, to {}",
                terms.hall,
                terms.host,
                terms.name,
                terms.role.map_or_else(String::new, |role| format!(" ({role} at home)")),
                Duration(terms.duration_ms),
                match &terms.public_key {
                    Some(key) => format!("with the key whose SHA-256 is {}", hex::encode(key.sha256())),
                    None => "in the browser that asks".to_owned(),
                },
                terms.rights
            ),
            Self::Approve(terms) => format!(
                "approve that {} opens the hall “{}” to {}, by the grant {}",
                terms.name, terms.hall, terms.rights, terms.grant
            ),
            Self::End(terms) => format!(
                "end the grant {} of {} in the hall “{}”",
                terms.grant, terms.name, terms.hall
            ),
            Self::InvitePartner(terms) => terms.sentence(),
            Self::AcceptPartner(terms) => terms.sentence(),
            Self::LeavePartner(terms) => terms.sentence(),
            Self::ReplaceAuthority(terms) => terms.replacing(),
            Self::WithdrawAuthority(terms) => terms.withdrawing(),
            Self::BeginLogAnew(terms) => terms.sentence(),
        }
    }
}

/// Milliseconds as a person says them: `8 hours`, `1 hour 30 minutes`, `45 seconds`.
struct Duration(u64);

impl core::fmt::Display for Duration {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
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
            assert_eq!(Duration(ms).to_string(), text);
        }
    }

    #[test]
    fn the_sentence_of_an_opening_says_all_of_it() {
        let open = Hall::Open(Open {
            host: "lab.example".parse().unwrap(),
            hall: "backups".parse().unwrap(),
            person: PersonId::from_bytes([1; 16]),
            name: Line::new("Emily").unwrap(),
            role: None,
            rights: Rights::parse(["connect:db", "write:data", "read:logs", "read:data"]).unwrap(),
            duration_ms: 8 * 3_600_000,
            public_key: None,
        });
        assert_eq!(
            open.sentence(),
            "open the hall “backups” of lab.example to Emily for 8 hours, in the browser that \
             asks, to read “data” and “logs”, write “data”, connect to “db”"
        );
    }
}
