//! `hallway mirror`: makes one side like the other.

pub(crate) mod local;
mod pack;
pub(crate) mod plan;
mod steps;
mod unpack;

use std::path::Path;

use clap::Args;
use hallway_evidence::Printable;
use hallway_hall::Right;
use serde::Serialize;

use super::HallCommandError;
use super::duration::OwnGrant;
use super::path::{RelativePath, Side, StorePath};
use super::visit::visit;
use crate::person::PersonArguments;
use plan::{Plan, Sameness, Surplus};
use steps::{Direction, Mirror};

/// Make one side like the other: a folder of this computer and a store of a hall, either way.
///
/// Only what changed is copied: files of another length, and those of another modification time
/// unless their SHA-256 is the same. Files appear when they are complete. If the command is
/// interrupted, run it again: it goes on where it stopped. Links and special files are left out.
///
/// Exit codes: 0 both sides agree, 1 something failed or was in the way, 2 the command line is
/// wrong.
#[derive(Debug, Args)]
pub(crate) struct MirrorCommand {
    /// What to copy: a folder, or [REALM/]HALL:STORE/path.
    from: Side,
    /// Where to: [REALM/]HALL:STORE/path, or a folder.
    to: Side,
    /// Delete what only the target has. Nothing is deleted when anything failed before.
    #[arg(long)]
    delete: bool,
    /// Compare files of one length by SHA-256 even if their times agree.
    #[arg(long)]
    checksum: bool,
    /// Print what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// How many files are copied at a time.
    #[arg(long, value_name = "NUMBER", default_value_t = 8,
          value_parser = clap::value_parser!(u8).range(1..=16))]
    parallel: u8,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    grant: OwnGrant,
    #[command(flatten)]
    person: PersonArguments,
}

/// What was done.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Account {
    /// Files copied.
    pub(super) copied: u64,
    /// Bytes of those.
    pub(super) bytes: u64,
    /// Files that were the same.
    pub(super) same: u64,
    /// Folders made.
    pub(super) made: u64,
    /// Files and folders deleted.
    pub(super) deleted: u64,
    /// What could not be done, each with its reason.
    pub(super) failed: Vec<String>,
    /// What was left out: links, special files, odd names.
    pub(super) skipped: Vec<String>,
}

pub(crate) fn run(command: &MirrorCommand) -> Result<(), HallCommandError> {
    let (direction, folder, place) = sides(&command.from, &command.to)?;
    if direction == Direction::Up {
        // Fails before anybody touches a key in vain.
        std::fs::read_dir(folder)
            .map(drop)
            .map_err(HallCommandError::io(folder.display()))?;
    }
    let runtime = crate::runtime().map_err(HallCommandError::io("the runtime"))?;
    let rights = rights(command, direction, place);
    let lasting = Some(command.grant.milliseconds());
    runtime
        .block_on(visit(
            &command.person,
            &place.hall,
            &rights,
            lasting,
            async |way| {
                let mirror = Mirror {
                    remote: super::remote::Remote::new(way, place.store.clone()),
                    base: place.path.clone(),
                    folder: folder.to_owned(),
                    direction,
                    workers: command.parallel.into(),
                    json: command.json,
                };
                let listings = mirror.list(command.surplus()).await?;
                let plan = Plan::new(
                    &listings.source,
                    &listings.target,
                    command.surplus(),
                    command.sameness(),
                );
                if command.dry_run {
                    tell_plan(&plan, command.json)?;
                    return Ok(());
                }
                let account = mirror.carry_out(plan, listings).await?;
                account.tell(command.json)
            },
        ))
        .map_err(HallCommandError::of_copying)
}

impl MirrorCommand {
    fn surplus(&self) -> Surplus {
        if self.delete {
            Surplus::Delete
        } else {
            Surplus::Keep
        }
    }

    fn sameness(&self) -> Sameness {
        if self.checksum {
            Sameness::Checksum
        } else {
            Sameness::Time
        }
    }
}

fn sides<'a>(
    from: &'a Side,
    to: &'a Side,
) -> Result<(Direction, &'a Path, &'a StorePath), HallCommandError> {
    match (from, to) {
        (Side::Local(folder), Side::Hall(place)) => Ok((Direction::Up, folder, place)),
        (Side::Hall(place), Side::Local(folder)) => Ok((Direction::Down, folder, place)),
        _ => Err(HallCommandError::Sides),
    }
}

/// The rights that the mirror needs, and no others.
fn rights(command: &MirrorCommand, direction: Direction, place: &StorePath) -> Vec<Right> {
    let mut rights = vec![Right::Read(place.store.clone())];
    if direction == Direction::Up && !command.dry_run {
        rights.push(Right::Write(place.store.clone()));
        if command.delete {
            rights.push(Right::Delete(place.store.clone()));
        }
    }
    rights
}

#[derive(Serialize)]
struct Intent {
    copy: Vec<String>,
    compare: Vec<String>,
    delete: Vec<String>,
    blocked: Vec<String>,
    same: u64,
}

fn tell_plan(plan: &Plan, json: bool) -> Result<(), HallCommandError> {
    let names = |paths: &[super::path::RelativePath]| -> Vec<String> {
        paths.iter().map(ToString::to_string).collect()
    };
    let intent = Intent {
        copy: names(&plan.copy),
        compare: names(&plan.compare),
        delete: [names(&plan.clear), names(&plan.delete)].concat(),
        blocked: names(&plan.blocked),
        same: plan.same,
    };
    if json {
        println!("{}", serde_json::to_string(&intent)?);
        return Ok(());
    }
    for (verb, paths) in [
        ("copy", &intent.copy),
        ("compare", &intent.compare),
        ("delete", &intent.delete),
        ("in the way", &intent.blocked),
    ] {
        for path in paths {
            println!("{verb:<12}{}", Printable(path));
        }
    }
    eprintln!("{} files are the same.", intent.same);
    Ok(())
}

impl Account {
    /// The number of steps done with one path, 1 or 0; a failure is recorded. A failure that other
    /// paths would meet as well is returned, and ends the mirror.
    fn note(
        &mut self,
        path: &RelativePath,
        result: Result<(), HallCommandError>,
    ) -> Result<u64, HallCommandError> {
        match result {
            Ok(()) => Ok(1),
            Err(error) if error.is_passing() => Err(error),
            Err(error) => {
                self.failed.push(format!("{path}: {error}"));
                Ok(0)
            }
        }
    }

    /// Prints what was done; if anything failed, returns an error.
    fn tell(&self, json: bool) -> Result<(), HallCommandError> {
        if json {
            println!("{}", serde_json::to_string(self)?);
        } else {
            for path in &self.skipped {
                eprintln!("left out: {}", Printable(path));
            }
            for reason in &self.failed {
                eprintln!("{}", Printable(reason));
            }
            println!(
                "{} copied ({}), {} the same, {} deleted",
                self.copied,
                indicatif::HumanBytes(self.bytes),
                self.same,
                self.deleted
            );
        }
        match self.failed.len() as u64 {
            0 => Ok(()),
            failed => Err(HallCommandError::Some(
                failed,
                failed + self.copied + self.same + self.made + self.deleted,
            )),
        }
    }
}
