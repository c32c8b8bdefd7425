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
    /// Starts to read standard input, of which nothing else may be read any more.
    ///
    /// # Errors
    /// When the system gives no thread.
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
        // What was typed before the question is no answer to it.
        while self.lines.try_recv().is_ok() {}
        // What a long touch is on a device: nothing that happens by mistake.
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
            Answer::Cancelled => say(format_args!("\nno longer wanted\n")),
            _ => say(format_args!("refused\n")),
        }
        answer
    }
}

/// Says something on standard error. Where nobody can hear it, nobody answers either, and the question
/// ends by itself: that is no reason to panic.
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
