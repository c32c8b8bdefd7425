//! The list of doors.

use hallway_door_device::DeviceDoor;
use hallway_door_hall::HallDoor;
use hallway_door_web::Web;
use hallway_spine::door::Doors;

/// The doors of this program, in the order in which people see them.
pub const ALL: Doors = Doors::new(&[&Web, &DeviceDoor, &HallDoor]);

#[cfg(test)]
mod tests {
    use std::path::Path;

    use hallway_spine::models::Models;
    use hallway_spine::settings::{MetadataConfig, PersonPolicy, Policies};
    use hallway_spine::store::Store;
    use sea_orm::{ConnectionTrait, DbBackend, Statement};

    use super::*;

    /// The migrator's own table.
    const MIGRATIONS: &str = "seaql_migrations";

    #[tokio::test]
    async fn no_table_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hallway.db");
        let path = path.to_str().unwrap();
        let store = Store::connect(path, ALL.schema()).await.unwrap();
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
        let rows = store
            .reader()
            .query_all_raw(Statement::from_string(DbBackend::Sqlite, sql))
            .await
            .unwrap();
        let schema = ALL.schema();
        let mut there = Vec::new();
        for row in rows {
            let name: String = row.try_get_by_index(0).unwrap();
            let is_listed = schema.tables().iter().any(|table| table.name() == name);
            assert!(
                is_listed || name == MIGRATIONS,
                "the table {name} is neither dumped nor left behind on purpose"
            );
            there.push(name);
        }
        for table in schema.tables() {
            let name = table.name().to_owned();
            assert!(there.contains(&name), "there is no table {name}");
        }
    }

    #[test]
    fn a_policy_for_a_door_without_people_is_refused() {
        let people: Vec<_> = ALL.of_people().collect();
        for door in ["cellar", "device"] {
            let policy = Policies {
                doors: [(door.to_owned(), PersonPolicy::any_key())].into(),
                ..Policies::default()
            };
            let refused = Models::new(&MetadataConfig::default(), &policy, Path::new("/"), &people);
            assert_eq!(
                refused.err().unwrap().to_string(),
                format!(
                    "[policy.doors.{door}] means nothing: people come through these doors: web, hall"
                )
            );
        }
    }

    #[test]
    fn every_statement_of_a_person_is_an_act_of_the_door_that_it_names() {
        use hallway_evidence::statement::{Act, Signer};
        for door in ALL.each() {
            for act in door.acts() {
                let word = act.declared.door();
                let stated = ALL.of_statement(word).map(|door| door.name());
                assert_eq!(stated, Some(door.name()), "{}", act.declared.name);
            }
        }
        for declared in Act::DECLARED {
            if matches!(declared.signer, Signer::Person(_)) {
                let door = ALL.of_statement(declared.door());
                assert!(door.is_some(), "{}", declared.name);
            }
        }
    }
}
