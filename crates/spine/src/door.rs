//! The interface of a door, and the list of a program's doors.
//!
//! Routes, the API's description, dispatch of acts, tables, backups, expiry, navigation and metrics
//! are made from the list. A door is one value in it; nothing else names the door.

use core::fmt;
use std::collections::BTreeMap;

use async_trait::async_trait;
use hallway_evidence::TrustFile;
use hallway_evidence::log::VerifierKey;
use prometheus_client::registry::Registry;
use sea_orm_migration::MigrationTrait;

use crate::Gateway;
use crate::act::Registered;
use crate::console::view::NavigationEntry;
use crate::depends::{Ended, Walk};
use crate::door_name::DoorName;
use crate::http::problem::Problem;
use crate::http::route::Route;
use crate::store::{Schema, StoreError, Table};
use crate::sweep::Rule;
use crate::witness::Peer;

/// A door: one way in which keys open something, with its own acts, routes and tables.
#[async_trait]
pub trait Door: Send + Sync {
    /// The door's name in policies, among refusals and in metrics.
    fn name(&self) -> DoorName;

    /// The first words of the names of the door's statements: `hall` for `hall.open`.
    fn states(&self) -> &'static [&'static str];

    /// The door whose policy decides which keys may sign this door's statements.
    fn policy(&self) -> DoorName {
        self.name()
    }

    /// The acts that people can sign at this door.
    fn acts(&self) -> Vec<Registered> {
        Vec::new()
    }

    /// The door's API and pages, each with its authorisation rule.
    fn routes(&self) -> Vec<Route> {
        Vec::new()
    }

    /// The door's pages that the navigation lists.
    fn navigation(&self) -> Vec<NavigationEntry> {
        Vec::new()
    }

    /// The migrations that make the door's tables.
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        Vec::new()
    }

    /// The door's tables, each after those of this door that it refers to.
    fn tables(&self) -> Vec<Table> {
        Vec::new()
    }

    /// The rules for rows that are removed some time after they have ended.
    fn expires(&self) -> Vec<Rule> {
        Vec::new()
    }

    /// Ends everything of this door that depends on `ended`, and returns what ended by that.
    ///
    /// # Errors
    /// The database fails.
    async fn end(&self, _walk: &Walk<'_>, _ended: &Ended) -> Result<Vec<Ended>, Problem> {
        Ok(Vec::new())
    }

    /// Called after an act of this door is committed, or an act elsewhere may have ended something
    /// here.
    async fn after_act(&self, _gateway: &Gateway) {}

    /// Measures the door's metrics, and registers them.
    async fn measure(&self, _gateway: &Gateway, _registry: &mut Registry) {}

    /// Adds the keys that anybody needs to check the door's receipts offline.
    ///
    /// # Errors
    /// The database fails.
    async fn trust(&self, _gateway: &Gateway, _trust: &mut TrustFile) -> Result<(), Problem> {
        Ok(())
    }

    /// The witnesses that cosign this realm's log because of this door, such as partners.
    ///
    /// # Errors
    /// The database fails.
    async fn witnesses(&self, _gateway: &Gateway) -> Result<Vec<Peer>, StoreError> {
        Ok(Vec::new())
    }

    /// The key of the log with this origin, if this realm is witness to that log because of this
    /// door.
    ///
    /// # Errors
    /// The database fails.
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
    /// A program with exactly these doors.
    #[must_use]
    pub const fn new(doors: &'static [&'static dyn Door]) -> Self {
        Self(doors)
    }

    /// Every door, in the order in which people see them.
    pub fn each(&self) -> impl Iterator<Item = &'static dyn Door> + use<> {
        self.0.iter().copied()
    }

    /// The door of a statement, by the first word of its name.
    #[must_use]
    pub fn of_statement(&self, word: &str) -> Option<&'static dyn Door> {
        self.each().find(|door| door.states().contains(&word))
    }

    /// The name of a statement's door, by the first word of the statement's name; the web door's for a statement
    /// of none.
    #[must_use]
    pub fn name_of(&self, word: &str) -> DoorName {
        let door = self.of_statement(word);
        door.map_or(DoorName::WEB, Door::name)
    }

    /// The door whose policy decides which keys may sign a statement, found as [`Doors::name_of`] finds
    /// the statement's own.
    #[must_use]
    pub fn policy_of(&self, word: &str) -> DoorName {
        let door = self.of_statement(word);
        door.map_or(DoorName::WEB, Door::policy)
    }

    /// The names of the doors that have a policy of their own for people's keys.
    pub fn of_people(&self) -> impl Iterator<Item = DoorName> + use<> {
        let own = |door: &&dyn Door| door.policy() == door.name();
        self.each().filter(own).map(Door::name)
    }

    /// The acts of all doors, by the name of their statement.
    #[must_use]
    pub fn acts(&self) -> BTreeMap<&'static str, Registered> {
        self.each()
            .flat_map(Door::acts)
            .map(|act| (act.declared.name, act))
            .collect()
    }

    /// The tables of all doors, and those of the spine.
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
