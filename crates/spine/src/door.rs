//! A door as the program knows it, and the list of doors that it has.
//!
//! Routes, the API's description, dispatch of acts, tables, backups, what expires, navigation and
//! metrics are made from the list. A door is one value in it; nothing else names it.

use core::fmt;
use std::collections::BTreeMap;

use async_trait::async_trait;
use hallway_evidence::TrustFile;
use hallway_evidence::log::VerifierKey;
use prometheus_client::registry::Registry;
use sea_orm_migration::MigrationTrait;

use crate::Gateway;
use crate::act::Registered;
use crate::console::view::Place;
use crate::depends::{Ended, Walk};
use crate::http::problem::Problem;
use crate::http::route::Route;
use crate::refusal::DoorName;
use crate::store::{Schema, StoreError, Table};
use crate::sweep::Rule;
use crate::witness::Peer;

/// A door.
#[async_trait]
pub trait Door: Send + Sync {
    /// Its name in policies, among refusals and in metrics.
    fn name(&self) -> DoorName;

    /// The first words of its statements' names: `hall` of `hall.open`.
    fn states(&self) -> &'static [&'static str];

    /// The door whose policy says with which keys people do what this one states.
    fn policy(&self) -> DoorName {
        self.name()
    }

    /// What people can do here by a touch.
    fn acts(&self) -> Vec<Registered> {
        Vec::new()
    }

    /// The API and the pages, each with its authorisation rule.
    fn routes(&self) -> Vec<Route> {
        Vec::new()
    }

    /// The pages to which the navigation leads.
    fn places(&self) -> Vec<Place> {
        Vec::new()
    }

    /// The steps that make its tables.
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        Vec::new()
    }

    /// Its tables, each after those of this door that it refers to.
    fn tables(&self) -> Vec<Table> {
        Vec::new()
    }

    /// Whose rows are removed some time after they ended.
    fn expires(&self) -> Vec<Rule> {
        Vec::new()
    }

    /// Ends what hangs on `ended` here; gives what ended by that.
    ///
    /// # Errors
    /// The database.
    async fn end(&self, _walk: &Walk<'_>, _ended: &Ended) -> Result<Vec<Ended>, Problem> {
        Ok(Vec::new())
    }

    /// What is to be done once an act stated here is done, or an act elsewhere ended something here.
    async fn after_act(&self, _gateway: &Gateway) {}

    /// Its metrics, measured now.
    async fn measure(&self, _gateway: &Gateway, _registry: &mut Registry) {}

    /// Adds what somebody needs to check its receipts offline.
    ///
    /// # Errors
    /// The database.
    async fn trust(&self, _gateway: &Gateway, _trust: &mut TrustFile) -> Result<(), Problem> {
        Ok(())
    }

    /// Who cosigns this realm's log because of what stands here.
    ///
    /// # Errors
    /// The database.
    async fn witnesses(&self, _gateway: &Gateway) -> Result<Vec<Peer>, StoreError> {
        Ok(Vec::new())
    }

    /// The key of the log with this origin, where this realm is witness to it because of what stands
    /// here.
    ///
    /// # Errors
    /// The database.
    async fn watched_log(
        &self,
        _gateway: &Gateway,
        _origin: &str,
    ) -> Result<Option<VerifierKey>, StoreError> {
        Ok(None)
    }
}

/// The doors of a program, in the order in which people see them.
#[derive(Clone, Copy)]
pub struct Doors(&'static [&'static dyn Door]);

impl Doors {
    /// These and no others.
    #[must_use]
    pub const fn new(doors: &'static [&'static dyn Door]) -> Self {
        Self(doors)
    }

    /// Each of them.
    pub fn each(&self) -> impl Iterator<Item = &'static dyn Door> + use<> {
        self.0.iter().copied()
    }

    /// The door of a statement, by the first word of its name.
    #[must_use]
    pub fn of_statement(&self, word: &str) -> Option<&'static dyn Door> {
        self.each().find(|door| door.states().contains(&word))
    }

    /// The doors that have a policy for people's keys.
    pub fn of_people(&self) -> impl Iterator<Item = DoorName> + use<> {
        let own = |door: &&dyn Door| door.policy() == door.name();
        self.each().filter(own).map(Door::name)
    }

    /// Every act, by the name of its statement.
    #[must_use]
    pub fn acts(&self) -> BTreeMap<&'static str, Registered> {
        self.each()
            .flat_map(Door::acts)
            .map(|act| (act.declared.name, act))
            .collect()
    }

    /// The tables of all doors, and those on which they stand.
    #[must_use]
    pub fn schema(&self) -> Schema {
        self.each().fold(Schema::default(), |schema, door| {
            schema.with(door.migrations(), door.tables())
        })
    }
}

impl fmt::Debug for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.each().map(Door::name)).finish()
    }
}
