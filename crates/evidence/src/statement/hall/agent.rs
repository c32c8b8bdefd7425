//! Agents: machines that provide what is in a hall from where they stand.

use serde::Serialize;

use super::super::Hash;
use super::super::json::hexadecimal;
use super::name::{AgentName, HallName, ServiceName, StoreName};
use super::names::Names;
use crate::fields::{DecodeError, Fields};
use crate::timestamp::Timestamp;

/// The terms of `hall.invite_agent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InviteAgent {
    /// Which hall.
    pub hall: HallName,
    /// What the machine is called there.
    pub agent: AgentName,
    /// Another agent of the hall that provides the same, so that one of the two may fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<AgentName>,
    /// The stores that it provides, and nobody else in this hall.
    pub stores: Names<StoreName>,
    /// The services that it provides, and nobody else in this hall.
    pub services: Names<ServiceName>,
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
            .with_some("beside", self.beside.as_ref())
            .with("stores", &self.stores)
            .with("services", &self.services)
            .with("token", &self.token)
            .with("expires", &self.expires)
    }

    pub(super) fn read(terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            hall: terms.take("hall")?,
            agent: terms.take("agent")?,
            beside: terms.take_optional("beside")?,
            stores: terms.take("stores")?,
            services: terms.take("services")?,
            token: terms.take("token")?,
            expires: terms.take("expires")?,
        })
    }

    pub(super) fn sentence(&self) -> String {
        format!(
            "let a machine join the hall “{}” as the agent “{}” and provide {}{}, by a one-time \
             token that is good until {}",
            self.hall,
            self.agent,
            self.provision(),
            match &self.beside {
                Some(other) => format!(" beside the agent “{other}”"),
                None => String::new(),
            },
            self.expires
        )
    }

    fn provision(&self) -> String {
        let stores = self.stores.phrase("the store", "the stores");
        let services = self.services.phrase("the service", "the services");
        match (stores, services) {
            (Some(stores), Some(services)) => format!("{stores} and {services}"),
            (Some(some), None) | (None, Some(some)) => some,
            (None, None) => "nothing".to_owned(),
        }
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
        format!(
            "put the agent “{}” out of the hall “{}”",
            self.agent, self.hall
        )
    }
}
