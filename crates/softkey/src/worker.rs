//! One thread that owns the key, and any number of transports that bring it requests.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use hallway_authenticator::RequestKind;

use crate::consent::Job;
use crate::soft_key::SoftKey;

/// A handle to the thread that owns a key. When the last one is gone, the thread ends and the key
/// is closed in good order.
#[derive(Clone)]
pub struct Worker {
    tasks: Sender<Task>,
}

struct Task {
    kind: RequestKind,
    request: Vec<u8>,
    job: Arc<Job>,
    done: Box<dyn FnOnce(Vec<u8>) + Send>,
}

impl Worker {
    /// Starts the thread. Join the handle to wait until the key is closed.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(key: SoftKey) -> io::Result<(Self, JoinHandle<()>)> {
        let (tasks, inbox) = channel();
        let thread = Builder::new()
            .name("security key".into())
            .spawn(move || work(key, &inbox))?;
        Ok((Self { tasks }, thread))
    }

    /// Queues a request as `job`; `done` gets the response on the key's thread.
    pub(crate) fn submit(
        &self,
        kind: RequestKind,
        request: Vec<u8>,
        job: Job,
        done: impl FnOnce(Vec<u8>) + Send + 'static,
    ) -> Arc<Job> {
        let job = Arc::new(job);
        let task = Task {
            kind,
            request,
            job: Arc::clone(&job),
            done: Box::new(done),
        };
        // The thread ends only after the last handle: somebody is there.
        let _ = self.tasks.send(task);
        job
    }
}

fn work(mut key: SoftKey, inbox: &Receiver<Task>) {
    for task in inbox {
        let response = match task.kind {
            RequestKind::Cbor => key.process_job(&task.request, &task.job),
            RequestKind::Msg => key.process_apdu(&task.request, &task.job),
        };
        (task.done)(response);
    }
}
