//! What a database holds: the tables that every door stands on, and those of each door.

use sea_orm_migration::MigrationTrait;

use super::entity::{
    attestation, cosigner, credential, evidence, former_log, ground, log_head, log_tile, metadata,
    metadata_blob, own_authority, person, refusal, setting, witnessed_log,
};
use super::migration;
use super::table::{Table, in_order};

/// The tables of a realm, and the steps that make them.
pub struct Schema {
    steps: Vec<Box<dyn MigrationTrait>>,
    tables: Vec<Table>,
}

impl Default for Schema {
    /// That of a program without doors.
    fn default() -> Self {
        Self {
            steps: migration::own(),
            tables: vec![
                Table::of::<person::Entity>(),
                // Of people and of devices.
                Table::of::<credential::Entity>().after(&["device"]),
                Table::of::<attestation::Entity>().after(&["credential"]),
                Table::of::<evidence::Entity>(),
                Table::of::<ground::Entity>(),
                Table::of::<log_tile::Entity>(),
                Table::of::<log_head::Entity>(),
                Table::of::<refusal::Entity>(),
                Table::of::<setting::Entity>(),
                Table::of::<own_authority::Entity>(),
                Table::of::<metadata::Entity>(),
                Table::of::<metadata_blob::Entity>(),
                Table::of::<witnessed_log::Entity>(),
                Table::of::<former_log::Entity>(),
                Table::of::<cosigner::Entity>(),
                Table::left_behind("session"),
                Table::left_behind("link"),
            ],
        }
    }
}

impl Schema {
    /// Adds what a door keeps.
    #[must_use]
    pub fn with(mut self, steps: Vec<Box<dyn MigrationTrait>>, tables: Vec<Table>) -> Self {
        self.steps.extend(steps);
        // Steps are numbered over all doors, so that each finds what those before it made.
        self.steps
            .sort_by(|one, other| one.name().cmp(other.name()));
        self.tables.extend(tables);
        Self {
            tables: in_order(self.tables),
            ..self
        }
    }

    /// The steps that make the tables, in their order.
    #[must_use]
    pub fn steps(&self) -> &[Box<dyn MigrationTrait>] {
        &self.steps
    }

    /// The tables, each after those that it refers to.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }
}

impl core::fmt::Debug for Schema {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let names = self.tables.iter().map(Table::name);
        f.debug_list().entries(names).finish()
    }
}
