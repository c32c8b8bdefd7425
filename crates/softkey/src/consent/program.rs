//! A program that decides, or asks the owner.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use hallway_authenticator::Answer;
use rustix::process::{Pid, Signal, kill_process_group};

use super::Wait;

/// How often to check whether a program has ended.
const CHECK_EVERY: Duration = Duration::from_millis(20);
/// How long a program may take to end once it was told to.
const END_WITHIN: Duration = Duration::from_millis(500);

/// A program with all processes that it starts.
pub(super) struct Program(Child);

impl Program {
    /// Starts the program in a process group of its own, so that it can be ended as a whole.
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        command.process_group(0).spawn().map(Self)
    }

    /// Waits until the program ends by itself. When the wait is over first, the error says why.
    pub(super) fn outcome(&mut self, wait: &Wait) -> Result<ExitStatus, Answer> {
        loop {
            match self.0.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => {}
                Err(_) => return Err(Answer::Denied),
            }
            if let Some(over) = wait.over() {
                return Err(over);
            }
            thread::sleep(CHECK_EVERY.min(wait.left()));
        }
    }

    /// Its standard output, if that was piped.
    pub(super) const fn output(&mut self) -> Option<std::process::ChildStdout> {
        self.0.stdout.take()
    }

    fn signal(&self, signal: Signal) {
        // This fails if the group is already gone, which is the aim.
        let _ = kill_process_group(Pid::from_child(&self.0), signal);
    }
}

impl Drop for Program {
    /// Leaves no process behind: those that still run are told to end, and then killed.
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + END_WITHIN;
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(CHECK_EVERY);
        }
        self.signal(Signal::KILL);
        let _ = self.0.wait();
    }
}
