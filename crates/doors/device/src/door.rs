//! The device door as an entry of the list of doors.

use std::time::Duration;

use async_trait::async_trait;
use hallway_evidence::{Line, TrustFile, TrustedMaker};
use hallway_spine::act::Registered;
use hallway_spine::console::view::NavigationEntry;
use hallway_spine::door::Door;
use hallway_spine::door_name::DoorName;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::route::Route;
use hallway_spine::store::Table;
use hallway_spine::sweep::{MOST, Rule};
use hallway_spine::{Gateway, metrics};
use prometheus_client::registry::Registry;
use sea_orm_migration::MigrationTrait;

use super::{NAME, lifecycle, makers, pages, routes, store};
use crate::store::DeviceTables;
use crate::{DeviceDoor, DevicesOf};

const HOUR: Duration = Duration::from_secs(3600);

#[async_trait]
impl Door for DeviceDoor {
    fn name(&self) -> DoorName {
        NAME
    }

    fn states(&self) -> &'static [&'static str] {
        &["device", "maker"]
    }

    /// People sign acts on devices with keys that the web door accepts.
    fn policy(&self) -> DoorName {
        DoorName::WEB
    }

    fn acts(&self) -> Vec<Registered> {
        lifecycle::acts()
            .into_iter()
            .chain(makers::acts())
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
        vec![
            // Kept longer than the seal of an enrolment is valid, so that a replay is recognised.
            Rule {
                table: "announcement",
                kept: HOUR,
                remove: |unit, before| {
                    Box::pin(async move { Ok(unit.announcements().prune(before, MOST).await?) })
                },
            },
            // `code` counts the attempts of the last ten minutes.
            Rule {
                table: "code_attempt",
                kept: HOUR,
                remove: |unit, before| {
                    Box::pin(
                        async move { Ok(unit.announcements().prune_attempts(before, MOST).await?) },
                    )
                },
            },
        ]
    }

    async fn measure(&self, gateway: &Gateway, registry: &mut Registry) {
        let accepted = gateway.devices().accepted.clone();
        let help = "Device transactions that were accepted here";
        registry.register("transactions", help, accepted);
        let swept = gateway.devices().swept.clone();
        let help = "Payloads that were removed here because no transaction names them";
        registry.register("payloads_swept", help, swept);
        if let Ok(count) = gateway.store.read().devices().all_set_aside().await {
            let help = "Files that registered devices report as set aside";
            registry.register("device_files_set_aside", help, metrics::gauge(count));
        }
    }

    /// Adds the makers whose devices are accepted.
    async fn trust(&self, gateway: &Gateway, trust: &mut TrustFile) -> Result<(), Problem> {
        let makers = gateway.store.read().makers().installed().await?;
        trust
            .makers
            .extend(makers.into_iter().map(|maker| TrustedMaker {
                name: Line::nearest(&maker.name),
                certificate: maker.certificate,
            }));
        Ok(())
    }
}
