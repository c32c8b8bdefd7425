//! One thread that owns the key, and any number of transports that bring it requests.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use hallway_authenticator::{Caller, RequestKind};

use crate::consent::Job;
use crate::soft_key::SoftKey;

/// A handle to the thread that owns a key. When the last handle is dropped, the thread ends and
/// closes the key cleanly.
#[derive(Clone)]
pub struct Worker {
    tasks: Sender<Task>,
    /// How many connections there were so far.
    connections: Arc<AtomicU64>,
}

enum Task {
    Process(Request),
    /// Ends what this caller began.
    Forget(Caller),
}

/// A request that a transport brings.
pub(crate) struct Request {
    pub(crate) caller: Caller,
    pub(crate) kind: RequestKind,
    pub(crate) bytes: Vec<u8>,
    pub(crate) job: Arc<Job>,
    /// Gets the response, on the key's thread.
    pub(crate) done: Box<dyn FnOnce(Vec<u8>) + Send>,
}

impl Worker {
    /// Starts the thread. Join the handle to wait until the key is closed.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub fn start(key: SoftKey) -> io::Result<(Self, JoinHandle<()>)> {
        let (tasks, inbox) = channel();
        let thread = Builder::new()
            .name("security key".into())
            .spawn(move || work(key, &inbox))?;
        let worker = Self {
            tasks,
            connections: Arc::default(),
        };
        Ok((worker, thread))
    }

    /// A number for a connection that has channel numbers of its own.
    pub(crate) fn number_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// Queues a request.
    pub(crate) fn submit(&self, request: Request) {
        self.queue(Task::Process(request));
    }

    /// Ends what this caller began with the requests that it queued before.
    pub(crate) fn forget(&self, caller: Caller) {
        self.queue(Task::Forget(caller));
    }

    fn queue(&self, task: Task) {
        // The thread ends only after the last handle: it is there to receive this.
        let _ = self.tasks.send(task);
    }
}

fn work(mut key: SoftKey, inbox: &Receiver<Task>) {
    for task in inbox {
        match task {
            Task::Forget(caller) => key.forget(caller),
            Task::Process(request) => {
                let Request {
                    caller, bytes, job, ..
                } = &request;
                let response = match request.kind {
                    RequestKind::Cbor => key.process_job(*caller, bytes, job),
                    RequestKind::Msg => key.process_apdu(bytes, job),
                };
                (request.done)(response);
            }
        }
    }
}
