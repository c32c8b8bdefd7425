//! The hall door: channels to files and services, and who may enter them.
//!
//! A hall is known by its `HallName`. What a person may do inside is a set of `Rights`; what opens
//! is bound to a `P256PublicKey` whose private half never leaves the memory of whoever opened
//! it, or to the browser session of the signer when there is no such key.

use serde::Serialize;

use super::Door;
use crate::fields::{DecodeError, Fields};

mod agent;
mod existence;
mod grant;
mod guest;
mod hours;
mod name;
mod names;
mod needs;
mod own_authority;
mod partner;
mod public_key;
mod right;
mod seen_log;

pub use crate::id::GrantId;
pub use agent::{Agent, InviteAgent};
pub use existence::{Create, Named};
pub use grant::{Approve, End, Lasting, Open};
pub use guest::{Admit, Dismiss, Guest, Whom};
pub use hours::{Day, Hours, HoursError};
pub use name::{AgentName, HallName, LONGEST_NAME, NameError, ServiceName, StoreName};
pub use names::{MOST_NAMES, Names, TooManyNames};
pub use needs::{KeyNeed, Needs, approver};
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
        match self {
            Self::Create(terms) => terms.terms(),
            Self::Remove(terms) => terms.terms(),
            Self::Admit(terms) => terms.terms(),
            Self::Dismiss(terms) => terms.terms(),
            Self::InviteAgent(terms) => terms.terms(),
            Self::DismissAgent(terms) => terms.terms(),
            Self::Open(terms) => terms.terms(),
            Self::Approve(terms) => terms.terms(),
            Self::End(terms) => terms.terms(),
            Self::InvitePartner(terms) => terms.terms(),
            Self::AcceptPartner(terms) => terms.terms(),
            Self::LeavePartner(terms) => terms.terms(),
            Self::ReplaceAuthority(terms) | Self::WithdrawAuthority(terms) => terms.terms(),
            Self::BeginLogAnew(terms) => terms.terms(),
        }
    }

    fn read(kind: &str, terms: &mut Fields<'_>) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match kind {
            "create" => Self::Create(Create::read(terms)?),
            "remove" => Self::Remove(Named::read(terms)?),
            "admit" => Self::Admit(Admit::read(terms)?),
            "dismiss" => Self::Dismiss(Dismiss::read(terms)?),
            "invite_agent" => Self::InviteAgent(InviteAgent::read(terms)?),
            "dismiss_agent" => Self::DismissAgent(Agent::read(terms)?),
            "open" => Self::Open(Open::read(terms)?),
            "approve" => Self::Approve(Approve::read(terms)?),
            "end" => Self::End(End::read(terms)?),
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
            Self::Create(terms) => terms.sentence(),
            Self::Remove(terms) => terms.sentence(),
            Self::Admit(terms) => terms.sentence(),
            Self::Dismiss(terms) => terms.sentence(),
            Self::InviteAgent(terms) => terms.sentence(),
            Self::DismissAgent(terms) => terms.sentence(),
            Self::Open(terms) => terms.sentence(),
            Self::Approve(terms) => terms.sentence(),
            Self::End(terms) => terms.sentence(),
            Self::InvitePartner(terms) => terms.sentence(),
            Self::AcceptPartner(terms) => terms.sentence(),
            Self::LeavePartner(terms) => terms.sentence(),
            Self::ReplaceAuthority(terms) => terms.replacing(),
            Self::WithdrawAuthority(terms) => terms.withdrawing(),
            Self::BeginLogAnew(terms) => terms.sentence(),
        }
    }
}
