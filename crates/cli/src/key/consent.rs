//! Who confirms what a key is asked to do.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hallway_softkey::{
    Asker, Consent, ConsentCommand, ConsentPolicy, DesktopNotification, Terminal,
};

use super::KeyCommandError;
use super::error::failed;

/// Who confirms what the key is asked to do.
#[derive(clap::Args, Debug)]
pub(super) struct ConsentArguments {
    /// Who confirms what the key is asked to do.
    #[arg(long, value_enum, default_value = "ask")]
    consent: ConsentKind,
    /// Let the policy in FILE decide: what it does not allow is refused. docs/keys.md has an
    /// example.
    #[arg(long, value_name = "FILE", conflicts_with = "consent")]
    policy: Option<PathBuf>,
    /// Run PROGRAM for each question; its exit code 0 confirms. The variables HALLWAY_OPERATION,
    /// HALLWAY_RELYING_PARTY, HALLWAY_USER, HALLWAY_APPLICATION and HALLWAY_RESET_TOUCH say what
    /// the question is about.
    #[arg(long, value_name = "PROGRAM", conflicts_with_all = ["consent", "policy"])]
    consent_command: Option<PathBuf>,
    /// How long to wait for an answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30",
          value_parser = clap::value_parser!(u64).range(1..=600))]
    answer_within: u64,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum ConsentKind {
    /// Ask on this terminal, each time.
    Ask,
    /// Ask by a desktop notification with two buttons, each time.
    Desktop,
    /// Confirm everything.
    Always,
    /// Confirm nothing: only silent assertions work.
    Never,
}

/// The longest policy file that is read.
const MAX_POLICY_BYTES: u64 = 64 * 1024;

impl ConsentArguments {
    /// The consent that was chosen.
    pub(super) fn choose(&self) -> Result<Consent, KeyCommandError> {
        let asker: Box<dyn Asker> = match (&self.policy, &self.consent_command, self.consent) {
            (Some(path), ..) => Box::new(policy(path)?),
            (_, Some(program), _) => Box::new(ConsentCommand::new(program.clone())),
            (.., ConsentKind::Ask) => Box::new(Terminal::new().map_err(failed("the terminal"))?),
            (.., ConsentKind::Desktop) => Box::new(DesktopNotification),
            (.., ConsentKind::Always) => return Ok(Consent::Always),
            (.., ConsentKind::Never) => return Ok(Consent::Never),
        };
        Ok(Consent::Ask {
            asker,
            within: Duration::from_secs(self.answer_within),
        })
    }

    /// The same if standard input carries reports, so that nobody can be asked on it.
    pub(super) fn choose_without_terminal(&self) -> Result<Consent, KeyCommandError> {
        if self.asks_on_terminal() {
            return Err(KeyCommandError::NobodyToAsk);
        }
        self.choose()
    }

    const fn asks_on_terminal(&self) -> bool {
        matches!(self.consent, ConsentKind::Ask)
            && self.policy.is_none()
            && self.consent_command.is_none()
    }
}

fn policy(path: &Path) -> Result<ConsentPolicy, KeyCommandError> {
    let file = |error| KeyCommandError::File {
        path: path.into(),
        error,
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|opened| opened.take(MAX_POLICY_BYTES + 1).read_to_string(&mut text))
        .map_err(file)?;
    text.parse().map_err(|error| KeyCommandError::Policy {
        path: path.into(),
        error,
    })
}
