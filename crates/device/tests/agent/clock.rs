//! A clock that runs as fast as the test does.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use hallway_device::Clock;
use hallway_evidence::Timestamp;

/// Waiting takes a millisecond and moves the clock by the whole wait.
#[derive(Clone)]
pub struct VirtualClock(Arc<AtomicU64>);

impl VirtualClock {
    pub fn new() -> Self {
        let now = Timestamp::from(SystemTime::now());
        Self(Arc::new(AtomicU64::new(now.as_ms())))
    }

    pub fn read(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::SeqCst))
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.read()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let clock = self.0.clone();
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            clock.fetch_add(duration.as_millis() as u64, Ordering::SeqCst);
        })
    }
}
