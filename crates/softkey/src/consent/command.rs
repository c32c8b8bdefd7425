//! Consent by a program that the owner chose.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use hallway_authenticator::{Answer, Question};

use super::program::Program;
use super::sentence::variables;
use super::terminal::say;
use super::{Asker, Wait};

/// Runs a program for each question; exit code 0 is yes, everything else is no.
///
/// The program gets the question in its environment: `HALLWAY_OPERATION` is `register`, `sign-in`,
/// `sign-data`, `select`, `reset`, `backup` or `restore`; with it come `HALLWAY_RELYING_PARTY`,
/// `HALLWAY_USER`, `HALLWAY_SIGNING_KEY` (what it will take to have data signed: `nothing`,
/// `presence` or `verification`), `HALLWAY_APPLICATION` (U2F: a SHA-256 in hexadecimal digits) and
/// `HALLWAY_RESET_TOUCH` (`short` or `long`), where they apply. A website chose the relying party
/// and the user: they must not be handed to a shell unquoted. The program's standard output is
/// dropped. When the time is up or the client cancels, the program is ended with all processes
/// that it started.
pub struct ConsentCommand(PathBuf);

impl ConsentCommand {
    /// The program to run, which gets no arguments.
    pub const fn new(program: PathBuf) -> Self {
        Self(program)
    }
}

/// All variables of a question: an inherited value must not be taken for this question's.
const VARIABLES: [&str; 6] = [
    "HALLWAY_OPERATION",
    "HALLWAY_RELYING_PARTY",
    "HALLWAY_USER",
    "HALLWAY_SIGNING_KEY",
    "HALLWAY_APPLICATION",
    "HALLWAY_RESET_TOUCH",
];
/// Secrets that open the key: the program does not need them.
const SECRETS: [&str; 2] = ["HALLWAY_PASSPHRASE", "HALLWAY_PIN"];

impl Asker for ConsentCommand {
    fn ask(&mut self, question: &Question<'_>, wait: &Wait) -> Answer {
        let mut command = Command::new(&self.0);
        for name in VARIABLES.iter().chain(&SECRETS) {
            command.env_remove(name);
        }
        command
            .envs(variables(question))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let mut program = match Program::start(&mut command) {
            Ok(program) => program,
            Err(error) => {
                say(format_args!(
                    "refused: {} cannot be run: {error}\n",
                    self.0.display()
                ));
                return Answer::Denied;
            }
        };
        match program.outcome(wait) {
            Ok(status) if status.success() => Answer::Granted,
            Ok(_) => Answer::Denied,
            Err(answer) => answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::sync::atomic::Ordering;

    use super::super::patient;
    use super::*;

    const QUESTION: Question<'static> = Question::MakeCredential {
        rp_id: "gate.example",
        user: Some("ada"),
        signing_key: None,
    };

    fn script(folder: &Path, text: &str) -> ConsentCommand {
        let path = folder.join("consent");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        ConsentCommand::new(path)
    }

    #[test]
    fn the_exit_code_of_the_program_decides() {
        let folder = tempfile::tempdir().unwrap();
        let told = "test \"$HALLWAY_OPERATION $HALLWAY_RELYING_PARTY $HALLWAY_USER\" = \
                    'register gate.example ada'";
        let mut asker = script(folder.path(), told);
        let (wait, _) = patient();
        assert_eq!(asker.ask(&QUESTION, &wait), Answer::Granted);
        let other = Question::GetAssertion {
            rp_id: "gate.example",
        };
        assert_eq!(asker.ask(&other, &wait), Answer::Denied);
        let hostile = Question::GetAssertion { rp_id: "a\0b" };
        assert_eq!(asker.ask(&hostile, &wait), Answer::Denied);
    }

    #[test]
    fn a_missing_program_counts_as_no() {
        let (wait, _) = patient();
        let mut asker = ConsentCommand::new("/nowhere".into());
        assert_eq!(asker.ask(&QUESTION, &wait), Answer::Denied);
    }

    #[test]
    fn a_cancelled_program_is_ended_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let pipe = format!(
            "sleep 600 & echo $! > {0}.new; mv {0}.new {0}; wait",
            pid.display()
        );
        let mut asker = script(folder.path(), &pipe);
        let (wait, job) = patient();
        let watching = std::thread::spawn({
            let pid = pid.clone();
            move || {
                while !pid.exists() {
                    std::thread::yield_now();
                }
                job.cancelled.store(true, Ordering::Relaxed);
            }
        });
        assert_eq!(asker.ask(&QUESTION, &wait), Answer::Cancelled);
        watching.join().unwrap();
        let started = std::fs::read_to_string(pid).unwrap();
        let status = format!("/proc/{}/stat", started.trim());
        let is_over = || match std::fs::read_to_string(&status) {
            // A zombie waits for its new parent, and is over.
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        };
        // The signal was sent; the kernel may still be about to deliver it.
        while !is_over() {
            std::thread::yield_now();
        }
    }
}
