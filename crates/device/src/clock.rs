//! The clock, passed in, so that tests need not wait.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use hallway_evidence::Timestamp;

/// Tells the time and waits.
pub trait Clock: Send + Sync {
    /// The time of the device.
    fn now(&self) -> Timestamp;

    /// Returns after `duration`.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// The computer's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}
