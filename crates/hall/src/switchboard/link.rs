//! One connected agent: asking it for streams, and the connections to it that are kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use hallway_evidence::statement::hall::StoreName;
use http::header::{HOST, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::AGENT_TIMEOUT;
use crate::agent_protocol::{FromGateway, Provides, What};
use crate::body::Body;
use crate::files::{Sends, StoreAccess};
use crate::pool::{Pool, SendError};
use crate::problem::{Code, Problem};
use crate::stream::BoxStream;

/// The most streams that one agent may be asked for at a time.
pub(super) const MOST_DIALS: usize = 256;

type Pools = HashMap<(StoreName, StoreAccess), Arc<Pool<Problem>>>;
type Asked = HashMap<String, oneshot::Sender<Result<BoxStream, Problem>>>;

/// A connected agent.
pub(super) struct Link {
    pub(super) provides: Provides,
    dials: mpsc::Sender<FromGateway>,
    /// Streams that were asked for and have not come yet.
    waiting: Mutex<Asked>,
    pools: Mutex<Pools>,
    /// Cancelled when a newer connection of the same agent takes over.
    pub(super) replaced: CancellationToken,
}

impl Link {
    /// The agent that gets what is sent to `dials`.
    pub(super) fn new(provides: Provides, dials: mpsc::Sender<FromGateway>) -> Self {
        Self {
            provides,
            dials,
            waiting: Mutex::default(),
            pools: Mutex::default(),
            replaced: CancellationToken::new(),
        }
    }

    /// The agent is gone: requests that wait for a stream fail now.
    pub(super) fn leave(&self) {
        self.waiting().clear();
        self.pools().clear();
    }

    /// Asks for a stream, and waits for it.
    #[tracing::instrument(level = "debug", name = "agent", skip_all, fields(?what))]
    pub(super) async fn open(&self, what: What) -> Result<BoxStream, Problem> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| {
            tracing::error!(%error, "no randomness");
            lost()
        })?;
        let id = hex::encode(random);
        let (sender, receiver) = oneshot::channel();
        {
            let mut waiting = self.waiting();
            if waiting.len() >= MOST_DIALS {
                return Err(Problem::new(
                    Code::AgentBusy,
                    "the agent has too many streams to open: try again",
                ));
            }
            waiting.insert(id.clone(), sender);
        }
        // Ends the wait also when the caller goes away meanwhile.
        let _waiting = Waiting {
            link: self,
            id: &id,
        };
        let message = FromGateway::Dial {
            id: id.clone(),
            what,
        };
        self.dials.send(message).await.map_err(|_| lost())?;
        match timeout(AGENT_TIMEOUT, receiver).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(_)) => Err(lost()),
            Err(_) => Err(Problem::new(
                Code::AgentSlow,
                format!("the agent gave no stream within {AGENT_TIMEOUT:?}"),
            )),
        }
    }

    /// Sends requests to a store under these rights.
    pub(super) fn store(self: &Arc<Self>, store: &StoreName, access: StoreAccess) -> ToStore {
        ToStore {
            store: store.clone(),
            pool: self.pool(store, access),
        }
    }

    /// The connections that are kept for a store; each set of rights has its own.
    fn pool(self: &Arc<Self>, store: &StoreName, access: StoreAccess) -> Arc<Pool<Problem>> {
        let link = Arc::downgrade(self);
        let name = store.clone();
        let mut pools = self.pools();
        let pool = pools.entry((store.clone(), access)).or_insert_with(|| {
            Arc::new(Pool::new(move || {
                let (link, name) = (link.clone(), name.clone());
                async move {
                    let link = link.upgrade().ok_or_else(lost)?;
                    link.open(What::Store { name, access }).await
                }
            }))
        });
        Arc::clone(pool)
    }

    pub(super) fn take(&self, id: &str) -> Option<oneshot::Sender<Result<BoxStream, Problem>>> {
        self.waiting().remove(id)
    }

    pub(super) fn deliver(&self, id: &str, opened: Result<BoxStream, Problem>) {
        if let Some(waiting) = self.take(id) {
            let _ = waiting.send(opened);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Asked> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pools(&self) -> MutexGuard<'_, Pools> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends requests to a store of an agent.
#[derive(Clone)]
pub(crate) struct ToStore {
    store: StoreName,
    pool: Arc<Pool<Problem>>,
}

#[async_trait]
impl Sends for ToStore {
    async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>, Problem> {
        request
            .headers_mut()
            .insert(HOST, HeaderValue::from_static("agent"));
        match self.pool.send(request).await {
            Ok(response) => Ok(response),
            Err(SendError::Connect(problem)) => Err(problem),
            Err(error @ SendError::Http(_)) => {
                tracing::debug!(%error, store = %self.store, "an agent broke off");
                Err(Problem::new(
                    Code::AgentLost,
                    format!(
                        "the agent that provides {} broke off: try again",
                        self.store
                    ),
                ))
            }
        }
    }
}

struct Waiting<'a> {
    link: &'a Link,
    id: &'a str,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.link.take(self.id);
    }
}

fn lost() -> Problem {
    Problem::new(
        Code::AgentLost,
        "the agent went away: try again when it is back",
    )
}
