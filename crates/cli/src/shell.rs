//! `hallway completions` and `hallway manual`: made from the same description as the commands.

use std::error::Error;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;

use crate::terminal;

/// Print the completions for a shell.
#[derive(Debug, Args)]
pub(crate) struct CompletionsCommand {
    /// The shell.
    shell: Shell,
}

/// Write the manual pages.
#[derive(Debug, Args)]
pub(crate) struct ManualCommand {
    /// The folder for them, such as ~/.local/share/man/man1.
    folder: PathBuf,
}

pub(crate) fn completions(command: &CompletionsCommand, mut described: Command) {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut described, "hallway", &mut script);
    terminal::write_all(&script);
}

pub(crate) fn manual(command: &ManualCommand, described: Command) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(&command.folder)?;
    clap_mangen::generate_to(described, &command.folder)
        .map_err(|error| format!("{}: {error}", command.folder.display()).into())
}
