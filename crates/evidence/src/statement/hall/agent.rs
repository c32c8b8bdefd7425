//! Agents: machines that provide what is in a hall from where they stand.

use serde::Serialize;

use super::super::Hash;
use super::super::json::hexadecimal;
use super::name::{AgentName, HallName};
use crate::fields::{DecodeError, Fields};
use crate::timestamp::Timestamp;

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

impl InviteAgent {
    pub(super) fn terms(&self) -> Fields<'_> {
        Fields::default()
            .with("hall", &self.hall)
            .with("agent", &self.agent)
            .with("token", &self.token)
            .with("expires", &self.expires)
    }

    pub(super) fn read(terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            hall: terms.take("hall")?,
            agent: terms.take("agent")?,
            token: terms.take("token")?,
            expires: terms.take("expires")?,
        })
    }

    pub(super) fn sentence(&self) -> String {
        format!(
            "let a machine join the hall “{}” as the agent “{}”, by a one-time token that is good \
             until {}",
            self.hall, self.agent, self.expires
        )
    }
}

impl Agent {
    pub(super) fn terms(&self) -> Fields<'_> {
        Fields::default()
            .with("hall", &self.hall)
            .with("agent", &self.agent)
    }

    pub(super) fn read(terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            hall: terms.take("hall")?,
            agent: terms.take("agent")?,
        })
    }

    pub(super) fn sentence(&self) -> String {
        format!("put the agent “{}” out of the hall “{}”", self.agent, self.hall)
    }
}
