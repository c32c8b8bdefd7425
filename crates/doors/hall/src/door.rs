//! The hall door as an entry of the list of doors.

use std::time::Duration;

use async_trait::async_trait;
use hallway_evidence::log::VerifierKey;
use hallway_spine::act::Registered;
use hallway_spine::console::view::NavigationEntry;
use hallway_spine::door::Door;
use hallway_spine::door_name::DoorName;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::route::Route;
use hallway_spine::store::{StoreError, Table};
use hallway_spine::sweep::{MOST, Rule};
use hallway_spine::witness::{Peer, anew};
use hallway_spine::{Gateway, depends as below, metrics};
use prometheus_client::registry::Registry;
use sea_orm_migration::MigrationTrait;

use super::depends::{self, Ended};
use super::partners::witnesses;
use super::{NAME, own_authorities, pages, partners, routes, store};
use crate::store::HallTables;
use crate::{HallDoor, HallsOf};

#[async_trait]
impl Door for HallDoor {
    fn name(&self) -> DoorName {
        NAME
    }

    fn states(&self) -> &'static [&'static str] {
        &["hall", "partner", "realm", "witness"]
    }

    fn acts(&self) -> Vec<Registered> {
        [
            super::acts(),
            partners::acts(),
            own_authorities::acts(),
            anew::acts(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn routes(&self) -> Vec<Route> {
        routes::all()
    }

    fn navigation(&self) -> Vec<NavigationEntry> {
        pages::navigation()
    }

    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        store::migrations()
    }

    fn tables(&self) -> Vec<Table> {
        store::tables()
    }

    fn expires(&self) -> Vec<Rule> {
        vec![Rule {
            table: "hall_lock",
            kept: Duration::ZERO,
            remove: |unit, before| {
                Box::pin(async move { Ok(unit.hall_locks().prune(before, MOST).await?) })
            },
        }]
    }

    async fn end(
        &self,
        walk: &below::Walk<'_>,
        ended: &below::Ended,
    ) -> Result<Vec<below::Ended>, Problem> {
        depends::walked(walk, Ended::Below(ended.clone())).await?;
        Ok(Vec::new())
    }

    /// Cuts at once, and not at the next look, the connections of people who may no longer be
    /// inside.
    async fn after_act(&self, gateway: &Gateway) {
        gateway.partners().wake();
        gateway.halls().inside.look_again(gateway).await;
    }

    async fn measure(&self, gateway: &Gateway, registry: &mut Registry) {
        let waiting = gateway.partners().farewells_waiting();
        let help = "Ended visits that the partner was not told of yet";
        registry.register("farewells_waiting", help, metrics::gauge(waiting));
    }

    async fn witnesses(&self, gateway: &Gateway) -> Result<Vec<Peer>, StoreError> {
        witnesses::all(gateway).await
    }

    async fn watched_log(
        &self,
        gateway: &Gateway,
        origin: &str,
    ) -> Result<Option<VerifierKey>, StoreError> {
        witnesses::log_key(gateway, origin).await
    }
}
