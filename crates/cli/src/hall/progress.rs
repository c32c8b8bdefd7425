//! How far copies are, on standard error.

use std::io::IsTerminal;

use hallway_evidence::Printable;
use indicatif::{ProgressBar, ProgressStyle};

/// Bytes and files of one command.
#[derive(Clone, Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Of `bytes` in all. Without a terminal, or for a program, nothing is shown.
    pub(crate) fn new(bytes: u64, json: bool) -> Self {
        if json || !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let template = "{bar:24} {bytes}/{total_bytes}  {bytes_per_sec}  {eta}  {wide_msg}";
        let bar = ProgressBar::new(bytes);
        Self(match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        })
    }

    /// These went over; of what was there already from an earlier attempt, too.
    pub(crate) fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// These have to go again.
    pub(crate) fn take_back(&self, bytes: u64) {
        self.0.dec(bytes);
        self.0.reset_eta();
    }

    /// What is being copied.
    pub(crate) fn name(&self, what: &impl ToString) {
        self.0.set_message(Printable(&what.to_string()).to_string());
    }

    /// Says something above the bar.
    pub(crate) fn say(&self, line: &str) {
        self.0.suspend(|| eprintln!("{}", Printable(line)));
    }

    /// It is over.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
