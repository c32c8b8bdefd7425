//! A gateway in a folder of its own, at a time of the test's choosing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hallway_evidence::Timestamp;
use hallway_gateway::config::Config;
use hallway_gateway::{Clock, Gateway, Start, doors};
use tempfile::TempDir;

/// A clock that stands still until it is set.
#[derive(Debug)]
pub(crate) struct Standing(AtomicU64);

impl Standing {
    pub(crate) fn set(&self, ms: u64) {
        self.0.store(ms, Ordering::Relaxed);
    }
}

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::Relaxed))
    }
}

pub(crate) struct Sample {
    pub(crate) gateway: Gateway,
    pub(crate) clock: Arc<Standing>,
    _folder: TempDir,
}

impl Sample {
    pub(crate) async fn start(ms: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Standing(AtomicU64::new(ms)));
        let start = Start {
            folder: folder.path().to_owned(),
            config: Config {
                listen: "127.0.0.1:0".parse().unwrap(),
                ..Config::default()
            },
            operator_key: None,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            doors: doors::ALL,
        };
        Self {
            gateway: start.ready().await.unwrap().gateway,
            clock,
            _folder: folder,
        }
    }
}
