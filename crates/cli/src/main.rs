//! The `hallway` command.

// Before the others, which print with its macros.
#[macro_use]
mod terminal;

mod attest;
mod device;
mod gateway;
mod hall;
mod key;
mod log;
mod logging;
mod person;
mod private_socket;
mod shell;
mod table;
mod tour;
mod trust;
mod verify;
mod web;

use std::any::TypeId;
use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use hallway_client::without_user;
use hallway_evidence::log::{CosignerKey, VerifierKey};
use hallway_evidence::{Line, Printable, is_unprintable};

/// One FIDO2 key opens every door.
///
/// Exit codes: 0 done, 1 it failed or did not hold, 2 the command line is wrong.
#[derive(Debug, Parser)]
#[command(
    name = "hallway",
    version,
    propagate_version = true,
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Tour(tour::TourCommand),
    Serve(gateway::ServeCommand),
    Backup(gateway::BackupCommand),
    Restore(gateway::RestoreCommand),
    OperatorKey(gateway::OperatorKeyCommand),
    Key(key::KeyCommand),
    Device(device::DeviceCommand),
    Join(web::JoinCommand),
    SignIn(web::SignInCommand),
    SignOut(web::SignOutCommand),
    Link(web::LinkCommand),
    Open(hall::OpenCommand),
    Ls(hall::LsCommand),
    Get(hall::GetCommand),
    Put(hall::PutCommand),
    Rm(hall::RmCommand),
    Mirror(hall::MirrorCommand),
    Connect(hall::ConnectCommand),
    Hall(hall::HallCommand),
    Verify(verify::VerifyCommand),
    Log(log::LogCommand),
    Trust(trust::TrustCommand),
    Attest(attest::AttestCommand),
    Completions(shell::CompletionsCommand),
    Manual(shell::ManualCommand),
}

impl Command {
    /// Whether the command's files are as open as the person's umask makes them: downloads, and
    /// what is public. All other commands keep keys, sessions, payloads and evidence, in private
    /// files. (What a gateway or an agent writes into the folder of a hall is as open as that
    /// folder.)
    const fn writes_for_others(&self) -> bool {
        match self {
            Self::Get(_)
            | Self::Mirror(_)
            | Self::Verify(_)
            | Self::Log(_)
            | Self::Trust(_)
            | Self::Attest(_)
            | Self::Completions(_)
            | Self::Manual(_) => true,
            Self::Tour(_)
            | Self::Serve(_)
            | Self::Backup(_)
            | Self::Restore(_)
            | Self::OperatorKey(_)
            | Self::Key(_)
            | Self::Device(_)
            | Self::Join(_)
            | Self::Link(_)
            | Self::SignIn(_)
            | Self::SignOut(_)
            | Self::Open(_)
            | Self::Ls(_)
            | Self::Put(_)
            | Self::Rm(_)
            | Self::Connect(_)
            | Self::Hall(_) => false,
        }
    }
}

impl Cli {
    /// Reads a command line. A value of foreign text may begin with a dash, as base64url does once
    /// in 64 times: the word after such a flag is its value, whatever it is (`getopt_long` does the
    /// same).
    fn read(line: impl Iterator<Item = OsString>) -> Result<Self, clap::Error> {
        let matches = foreign_values_as_they_are(Self::command()).try_get_matches_from(line)?;
        Self::from_arg_matches(&matches)
    }
}

fn foreign_values_as_they_are(command: clap::Command) -> clap::Command {
    let foreign = [
        TypeId::of::<String>(),
        TypeId::of::<Line>(),
        TypeId::of::<VerifierKey>(),
        TypeId::of::<CosignerKey>(),
        TypeId::of::<i64>(),
    ];
    command
        .mut_args(|argument| {
            let kind = argument.get_value_parser().type_id();
            let is_foreign = foreign.iter().any(|foreign| kind == *foreign);
            let takes_value = argument.get_action().takes_values() && !argument.is_positional();
            argument.allow_hyphen_values(is_foreign && takes_value)
        })
        .mut_subcommands(foreign_values_as_they_are)
}

/// A relying party id that is given on the command line.
fn relying_party_id(text: &str) -> Result<String, &'static str> {
    hallway_client::relying_party_id(text)
        .ok_or("a relying party id is a domain such as gate.example")
}

fn main() -> ExitCode {
    let command = match Cli::read(std::env::args_os()) {
        Ok(line) => line.command,
        Err(error) => return terminal::end(instead_of_a_command(&error)),
    };
    if !command.writes_for_others() {
        // Files of mode 600, folders of mode 700, whatever the umask was.
        rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    }
    let code = match run(command) {
        Ok(code) => code,
        Err(error) => {
            terminal::complain(&*error);
            ExitCode::FAILURE
        }
    };
    terminal::end(code)
}

/// Prints the help that was asked for, or what is wrong with the command line. clap repeats
/// arguments as they are, so if one could begin a line, the text is made from escaped arguments.
fn instead_of_a_command(error: &clap::Error) -> ExitCode {
    let given = || std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    let text = if given().any(|argument| argument.contains(is_unprintable)) {
        let harmless = given().map(|argument| Printable(&argument).to_string());
        match Cli::read(harmless.map(Into::into)) {
            Err(same) => same.to_string(),
            // Nothing was wrong but the characters that were escaped.
            Ok(_) => format!("{}\n", Printable(error.to_string().trim_end())),
        }
    } else {
        error.to_string()
    };
    let text = without_users(naming_the_variable(error, text));
    if error.use_stderr() {
        eprint!("{text}");
    } else {
        print!("{text}");
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Names the variable that gave a wrong value: clap names the flag even then.
fn naming_the_variable(error: &clap::Error, text: String) -> String {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else {
        return text;
    };
    let flag = argument.split(' ').next().unwrap_or_default();
    let is_given = |word: OsString| {
        let word = word.to_string_lossy().into_owned();
        word.strip_prefix(flag)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    };
    if flag.is_empty() || std::env::args_os().any(is_given) {
        return text;
    }
    match variable_of(&Cli::command(), flag) {
        Some(variable) => text.replace(argument, &variable),
        None => text,
    }
}

/// The variable that is set and gives the value of a flag, in any command.
fn variable_of(command: &clap::Command, flag: &str) -> Option<String> {
    let name = flag.strip_prefix("--")?;
    let here = command.get_arguments().find_map(|argument| {
        let variable = argument.get_env()?;
        let is_it = argument.get_long() == Some(name) && std::env::var_os(variable).is_some();
        is_it.then(|| variable.to_string_lossy().into_owned())
    });
    let mut below = command.get_subcommands();
    here.or_else(|| below.find_map(|command| variable_of(command, flag)))
}

/// clap repeats a wrong value: removes a user's name and password from addresses in it.
fn without_users(text: String) -> String {
    let words = std::env::args_os().chain(std::env::vars_os().filter_map(|(name, value)| {
        let is_ours = name.to_string_lossy().starts_with("HALLWAY_");
        is_ours.then_some(value)
    }));
    words.fold(text, |text, word| {
        let word = Printable(&word.to_string_lossy()).to_string();
        let Some((before, _)) = word.split_once("://") else {
            return text;
        };
        // The value comes after `--flag=`.
        let value = before.rfind('=').map_or(0, |at| at + 1);
        let address = &word[value..];
        text.replace(address, &without_user(address))
    })
}

fn run(command: Command) -> Result<ExitCode, Box<dyn Error>> {
    match command {
        Command::Tour(command) => return tour::run(command),
        Command::Serve(command) => gateway::serve(command)?,
        Command::Backup(command) => gateway::back_up(&command)?,
        Command::Restore(command) => gateway::restore(&command)?,
        Command::OperatorKey(command) => gateway::operator_key(&command)?,
        Command::Key(command) => return Ok(key(command)),
        Command::Device(command) => return device::run(&command),
        Command::Join(command) => web::join(&command)?,
        Command::SignIn(command) => web::sign_in(&command)?,
        Command::SignOut(command) => web::sign_out(&command)?,
        Command::Link(command) => web::link(command)?,
        Command::Open(command) => return Ok(hall::open(command)?),
        Command::Ls(command) => hall::ls(&command)?,
        Command::Get(command) => hall::get(&command)?,
        Command::Put(command) => hall::put(&command)?,
        Command::Rm(command) => hall::rm(&command)?,
        Command::Mirror(command) => hall::mirror(&command)?,
        Command::Connect(command) => hall::connect(&command)?,
        Command::Hall(command) => hall::manage(command)?,
        Command::Verify(command) => return verify::run(&command),
        Command::Log(command) => return log::run(&command),
        Command::Trust(command) => trust::run(command)?,
        Command::Attest(command) => return attest::run(&command),
        Command::Completions(command) => shell::completions(&command, Cli::command()),
        Command::Manual(command) => shell::manual(&command, Cli::command())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn key(command: key::KeyCommand) -> ExitCode {
    match key::run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::complain(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    // A file that reaches the limit of the system (RLIMIT_FSIZE) is an error of that file, as a
    // full disk is; without a handler its signal would end the program.
    let _inside = runtime.enter();
    let limit = rustix::process::Signal::XFSZ.as_raw();
    let _ = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(limit))?;
    Ok(runtime)
}

/// Resolves on Ctrl-C or SIGTERM. Listens from the call on, so that a signal that comes before
/// anybody awaits is not missed. Must be called within the runtime.
fn told_to_stop() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    async move {
        let [Ok(mut interrupt), Ok(mut terminate)] = signals else {
            tracing::warn!("signals can't be awaited: they end the program at once");
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_of_the_commands_holds() {
        foreign_values_as_they_are(Cli::command()).debug_assert();
    }

    #[test]
    fn foreign_text_may_begin_with_a_dash() {
        let read = |line: &[&str]| Cli::read(line.iter().map(OsString::from)).is_ok();
        for line in [
            &["hallway", "attest", "explain", "--challenge", "-Yabc", "f"][..],
            &["hallway", "attest", "explain", "--challenge", "--Ya", "f"],
            &["hallway", "attest", "explain", "f", "--challenge", "-json"],
            &["hallway", "attest", "explain", "--at", "-1", "f"],
            &[
                "hallway",
                "attest",
                "explain",
                "f",
                "--acme",
                "--key-authorization",
                "-Y.-Z",
            ],
            &["hallway", "key", "passkeys", "delete", "--id", "-YQ", "k"],
            &[
                "hallway", "key", "passkeys", "rename", "--id", "-YQ", "--name", "-n", "k",
            ],
            &[
                "hallway", "hall", "agent", "--config", "c", "--join", "-link",
            ],
            &["hallway", "hall", "create", "lab", "--title", "-50 %"],
            &["hallway", "join", "link", "--name", "-Ada-", "--label", "-"],
        ] {
            assert!(read(line), "{line:?}");
        }
        // If no foreign text is expected, a word that begins with a dash is taken as a flag.
        for line in [
            &["hallway", "verify", "f", "--trust", "--json"][..],
            &["hallway", "verify", "-f"],
            &["hallway", "attest", "explain", "f", "--challenge"],
        ] {
            assert!(!read(line), "{line:?}");
        }
    }
}
