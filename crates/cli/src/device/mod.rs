//! `hallway device`: devices that sign with nobody present.

mod provision;
mod run;

use std::error::Error;
use std::process::ExitCode;

use clap::{Args, Subcommand};

/// Devices that sign with nobody present: provision them, run them.
///
/// Exit codes: 0 done, 1 it failed, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct DeviceCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The maker's side: give a device an identity, and make the maker's attestation
    /// authority if there is none yet.
    Provision(provision::Provision),
    /// The device's side: watch a folder, sign each file that appears in it, and send it until its
    /// receipt arrives.
    Run(run::Run),
}

pub(crate) fn run(command: &DeviceCommand) -> Result<ExitCode, Box<dyn Error>> {
    match &command.action {
        Action::Provision(provision) => provision.run()?,
        Action::Run(run) => run.run()?,
    }
    Ok(ExitCode::SUCCESS)
}
