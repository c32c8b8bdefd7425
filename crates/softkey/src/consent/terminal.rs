//! The owner at a terminal.

use std::fmt;
use std::io::{self, BufRead, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use hallway_authenticator::{Answer, Question, ResetTouch};
use zeroize::Zeroizing;

use super::sentence::sentence;
use super::{Asker, Wait};

/// Asks on standard error and reads the answer from standard input.
pub struct Terminal {
    lines: Receiver<String>,
}

impl Terminal {
    /// Starts to read standard input. Nothing else may read from it afterwards.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub fn new() -> io::Result<Self> {
        let (sender, lines) = channel();
        thread::Builder::new()
            .name("terminal".into())
            .spawn(move || {
                for line in io::stdin().lock().lines() {
                    let Ok(line) = line else { return };
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self { lines })
    }
}

impl Asker for Terminal {
    fn ask(&mut self, question: &Question<'_>, wait: &Wait) -> Answer {
        // Lines that were typed before the question do not answer it.
        while self.lines.try_recv().is_ok() {}
        // Typing a whole word stands for a long touch: nobody does it by mistake.
        let yes: &[&str] = match question {
            Question::Reset {
                touch: ResetTouch::Long,
            } => &["erase"],
            _ => &["y", "yes"],
        };
        let choices = if yes.len() == 1 { "[erase/N]" } else { "[y/N]" };
        say(format_args!("{} {choices} ", sentence(question)));
        let answer = loop {
            if let Some(over) = wait.over() {
                break over;
            }
            let slice = wait.left().min(Duration::from_millis(50));
            match self.lines.recv_timeout(slice) {
                Ok(line) => {
                    let line = line.trim().to_ascii_lowercase();
                    if yes.contains(&line.as_str()) {
                        return Answer::Granted;
                    }
                    break Answer::Denied;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break Answer::Denied,
            }
        };
        match answer {
            Answer::TimedOut => say(format_args!("\nno answer in time: refused\n")),
            Answer::Cancelled => say(format_args!("\nthe client cancelled\n")),
            _ => say(format_args!("refused\n")),
        }
        answer
    }
}

/// Writes to standard error. A failure is ignored: nobody sees the question then, and it ends by
/// itself.
pub(super) fn say(text: fmt::Arguments<'_>) {
    let mut stderr = io::stderr();
    let _ = stderr.write_fmt(text).and_then(|()| stderr.flush());
}

/// Asks for a passphrase without showing it.
///
/// # Errors
/// When there is no terminal to ask on.
pub fn ask_passphrase(prompt: &str) -> io::Result<Zeroizing<String>> {
    rpassword::prompt_password(prompt).map(Zeroizing::new)
}
