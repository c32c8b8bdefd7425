//! The progress of copies, on standard error.

use std::io::IsTerminal;

use hallway_evidence::Printable;
use indicatif::{ProgressBar, ProgressStyle};

/// Bytes and files of one command.
#[derive(Clone, Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar up to `bytes`. Without a terminal, or with `json`, nothing is shown.
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

    /// Counts bytes that were copied, also those of an earlier attempt.
    pub(crate) fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// Uncounts bytes that have to be copied again.
    pub(crate) fn take_back(&self, bytes: u64) {
        self.0.dec(bytes);
        self.0.reset_eta();
    }

    /// Shows what is being copied.
    pub(crate) fn name(&self, what: &impl ToString) {
        self.0.set_message(Printable(&what.to_string()).to_string());
    }

    /// Prints a line above the bar.
    pub(crate) fn say(&self, line: &str) {
        self.0.suspend(|| eprintln!("{}", Printable(line)));
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
