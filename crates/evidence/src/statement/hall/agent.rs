//! Agents: machines that provide files and services of a hall from where they stand.

use super::super::declare::{Sentence, Signer, statement};
use super::super::people::Role;
use super::name::{AgentName, HallName, ServiceName, StoreName};
use super::names::Names;
use crate::hash::Hash;
use crate::timestamp::Timestamp;

statement! {
    "hall.invite_agent", Signer::Person(Role::Owner);
    /// Lets a machine join a hall, by a one-time token, and provide files and services there.
    InviteAgent {
        /// The hall.
        hall: HallName,
        /// The machine's name there.
        agent: AgentName,
        /// Another agent of the hall that provides the same, so that one of the two may fail.
        beside: Option<AgentName>,
        /// The stores that it provides, and nobody else in this hall.
        stores: Names<StoreName>,
        /// The services that it provides, and nobody else in this hall.
        services: Names<ServiceName>,
        /// SHA-256 of the one-time token with which it joins.
        token: Hash,
        /// The end of the time in which it may join.
        expires: Timestamp,
    }
}

statement! {
    "hall.dismiss_agent", Signer::Person(Role::Owner);
    /// Puts a machine out of a hall.
    DismissAgent {
        /// The hall.
        hall: HallName,
        /// The machine.
        agent: AgentName,
    }
}

impl Sentence for InviteAgent {
    fn sentence(&self) -> String {
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
}

impl InviteAgent {
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

impl Sentence for DismissAgent {
    fn sentence(&self) -> String {
        format!(
            "put the agent “{}” out of the hall “{}”",
            self.agent, self.hall
        )
    }
}
