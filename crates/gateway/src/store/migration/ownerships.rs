//! Whose devices were when, read out of the evidence for those that are there already.
#![allow(elided_lifetimes_in_paths)] // as the trait, which async_trait would otherwise not match

use hallway_evidence::statement::device::Change;
use hallway_evidence::statement::{Act, Device};
use hallway_evidence::{DeviceId, Evidence, PersonId};
use sea_orm::prelude::Uuid;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, text, uuid};

use super::first::{index, refer, table};
use super::statements::{execute, rows};

pub(super) struct Ownerships;

impl MigrationName for Ownerships {
    fn name(&self) -> &'static str {
        "0012_ownerships"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Ownerships {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut periods = table(
            "ownership",
            [
                uuid("device_id"),
                big_integer("from_index"),
                uuid("owner_id"),
                big_integer_null("to_index"),
                big_integer("from_era"),
                big_integer("from_sequence"),
                big_integer_null("to_era"),
                big_integer_null("to_sequence"),
                text("name"),
            ],
        );
        periods.primary_key(Index::create().col("device_id").col("from_index"));
        let keep = ForeignKeyAction::Restrict;
        let periods = refer(periods, ("ownership", "device_id"), ("device", "id"), keep);
        let periods = refer(periods, ("ownership", "owner_id"), ("person", "id"), keep);
        manager.create_table(periods).await?;
        manager
            .create_index(index("ownership", &["owner_id", "device_id"]))
            .await?;
        fill(manager.get_connection()).await
    }
}

/// A period in which somebody owned a device.
#[derive(Debug, PartialEq, Eq)]
struct Period {
    owner: PersonId,
    from: i64,
    to: Option<i64>,
}

/// What the log says about a device, at its place.
enum Told {
    Enrolled,
    Claimed(Option<PersonId>),
    HandedOver(PersonId),
    Released,
    SomethingElse,
}

async fn fill(database: &SchemaManagerConnection<'_>) -> Result<(), DbErr> {
    let devices = "SELECT id, owner, serial, name FROM device";
    for row in rows(database, devices, []).await? {
        let id: Uuid = row.try_get_by_index(0)?;
        let owner: Option<Uuid> = row.try_get_by_index(1)?;
        let (serial, name): (String, String) = (row.try_get_by_index(2)?, row.try_get_by_index(3)?);
        let history = "SELECT log_index, act, person_id, bytes FROM evidence \
                       WHERE device_id = $1 AND act <> 'device.transaction' ORDER BY log_index";
        let mut told = Vec::new();
        for row in rows(database, history, [id.into()]).await? {
            let act: String = row.try_get_by_index(1)?;
            let (person, bytes) = (row.try_get_by_index(2)?, row.try_get_by_index(3)?);
            told.push((row.try_get_by_index(0)?, read(&act, person, bytes)));
        }
        let owner = owner.map(PersonId::from);
        for period in periods(&told, owner) {
            let name = match period.to {
                None => &name,
                Some(_) => &serial,
            };
            keep(database, id.into(), &period, name).await?;
        }
    }
    Ok(())
}

fn read(act: &str, person: Option<Uuid>, bytes: Option<Vec<u8>>) -> Told {
    let statement = bytes
        .and_then(|bytes| Evidence::decode(&bytes).ok())
        .and_then(|evidence| evidence.signed.read_statement().ok());
    match statement.map(|statement| statement.act) {
        Some(Act::Device(Device::Claim(terms))) => Told::Claimed(Some(terms.owner)),
        Some(Act::Device(Device::Change(terms))) => match terms.change {
            Change::Transfer { to, .. } => Told::HandedOver(to),
            Change::Release => Told::Released,
            _ => Told::SomethingElse,
        },
        // The bytes may be erased; whom it is listed under is left.
        _ => match act {
            "device.enrol" => Told::Enrolled,
            "device.claim" => Told::Claimed(person.map(PersonId::from)),
            _ => Told::SomethingElse,
        },
    }
}

/// The periods that the log tells of. Where it says no longer how the present owner came to the
/// device, nobody is believed to have owned what is between.
fn periods(told: &[(i64, Told)], owner: Option<PersonId>) -> Vec<Period> {
    let mut periods: Vec<Period> = Vec::new();
    let mut enrolled = None;
    let end = |periods: &mut Vec<Period>, at: i64| {
        if let Some(last) = periods.last_mut().filter(|last| last.to.is_none()) {
            last.to = Some(at);
        }
    };
    for (at, told) in told {
        let taken = match told {
            Told::Enrolled => {
                enrolled = Some(*at);
                continue;
            }
            Told::Claimed(owner) => owner.map(|owner| (owner, enrolled.take().unwrap_or(*at))),
            Told::HandedOver(owner) => Some((*owner, *at)),
            Told::Released => {
                end(&mut periods, at + 1);
                continue;
            }
            Told::SomethingElse => continue,
        };
        let from = taken.map_or(*at, |(_, from)| from);
        end(&mut periods, from);
        if let Some((owner, from)) = taken {
            periods.push(Period {
                owner,
                from,
                to: None,
            });
        }
    }
    let last = periods.last().filter(|last| last.to.is_none());
    if last.map(|last| last.owner) != owner {
        let at = told.last().map_or(0, |(at, _)| at + 1);
        end(&mut periods, at);
        if let Some(owner) = owner {
            periods.push(Period {
                owner,
                from: at,
                to: None,
            });
        }
    }
    periods
}

async fn keep(
    database: &SchemaManagerConnection<'_>,
    device: DeviceId,
    period: &Period,
    name: &str,
) -> Result<(), DbErr> {
    let from = last_before(database, device, period.from).await?;
    let to = match period.to {
        Some(to) => Some(last_before(database, device, to).await?),
        None => None,
    };
    execute(
        database,
        "INSERT INTO ownership (device_id, from_index, owner_id, to_index, from_era, \
         from_sequence, to_era, to_sequence, name) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [
            device.as_uuid().into(),
            period.from.into(),
            period.owner.as_uuid().into(),
            period.to.into(),
            from.0.into(),
            from.1.into(),
            to.map(|to| to.0).into(),
            to.map(|to| to.1).into(),
            name.into(),
        ],
    )
    .await
}

/// The era and number of a device's last transaction before a place in the log.
async fn last_before(
    database: &SchemaManagerConnection<'_>,
    device: DeviceId,
    place: i64,
) -> Result<(i64, i64), DbErr> {
    let sql = "SELECT era, sequence FROM device_transaction \
               WHERE device_id = $1 AND log_index < $2 ORDER BY era DESC, sequence DESC LIMIT 1";
    let found = rows(database, sql, [device.as_uuid().into(), place.into()]).await?;
    match found.first() {
        Some(row) => Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)),
        None => Ok((0, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(owner: PersonId, from: i64, to: Option<i64>) -> Period {
        Period { owner, from, to }
    }

    #[test]
    fn periods_follow_what_the_log_tells() {
        let [ada, bob, eve] = [1, 2, 3].map(|n| PersonId::from_bytes([n; 16]));
        let told = [
            (4, Told::Enrolled),
            (5, Told::Claimed(Some(ada))),
            (9, Told::SomethingElse),
            (12, Told::HandedOver(bob)),
            (20, Told::Released),
            (30, Told::Enrolled),
            (31, Told::Claimed(Some(ada))),
            (40, Told::Enrolled),
            (41, Told::Claimed(Some(ada))),
        ];
        let mut expected = vec![
            period(ada, 4, Some(12)),
            period(bob, 12, Some(21)),
            period(ada, 30, Some(40)),
            period(ada, 40, None),
        ];
        assert_eq!(periods(&told, Some(ada)), expected);
        // Nobody knows how Eve came to it, so hers is only what follows.
        expected[3].to = Some(42);
        expected.push(period(eve, 42, None));
        assert_eq!(periods(&told, Some(eve)), expected);
        assert_eq!(periods(&[], Some(eve)), [period(eve, 0, None)]);
        assert_eq!(periods(&[], None), []);
    }
}
