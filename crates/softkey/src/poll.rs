//! Waiting for a descriptor without getting stuck in a read.

use std::io;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::serve::CHECK_STOP_EVERY;

/// Waits until there is something to read, or the end; false when it is time to check whether to
/// stop.
pub(crate) fn readable(descriptor: &impl AsFd) -> io::Result<bool> {
    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(CHECK_STOP_EVERY.subsec_nanos()),
    };
    let mut watched = [PollFd::new(descriptor, PollFlags::IN)];
    match poll(&mut watched, Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
