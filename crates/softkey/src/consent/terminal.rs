//! The owner at a terminal.

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
        eprint!("{} {choices} ", sentence(question));
        let _ = io::stderr().flush();
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
            Answer::TimedOut => eprintln!("\nno answer in time: refused"),
            Answer::Cancelled => eprintln!("\nno longer wanted"),
            _ => eprintln!("refused"),
        }
        answer
    }
}

/// Asks for a passphrase without showing it.
///
/// # Errors
/// When there is no terminal to ask on.
pub fn ask_passphrase(prompt: &str) -> io::Result<Zeroizing<String>> {
    rpassword::prompt_password(prompt).map(Zeroizing::new)
}
