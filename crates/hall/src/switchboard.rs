//! The gateway's side of agents: which are there, what they provide, and streams to them.

use hallway_evidence::statement::hall::{AgentName, HallName, ServiceName, StoreName};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE};
use http::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::BufReader;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::agent_protocol::{
    FromAgent, FromGateway, MOST_PROVIDED, PING_EVERY, Provides, SILENCE, What, receive, send,
};
use crate::body::{self, AnyError, Body};
use crate::files::StoreAccess;
use crate::pass::{Pass, Way};
use crate::pool::{Pool, SendError};
use crate::problem::Problem;
use crate::stream::{self, AGENT_PROTOCOL, BoxStream, STREAM_PROTOCOL};

/// How long an agent may take to give a stream.
const PATIENCE: Duration = Duration::from_secs(15);
/// The most streams that are being asked for from one agent.
const MOST_DIALS: usize = 256;

type Key = (HallName, AgentName);
type Pools = HashMap<(StoreName, StoreAccess), Arc<Pool<Problem>>>;

/// An agent that is there.
struct Link {
    provides: Provides,
    dials: mpsc::Sender<FromGateway>,
    /// Streams that were asked for and have not come yet.
    waiting: Mutex<HashMap<String, oneshot::Sender<Result<BoxStream, Problem>>>>,
    pools: Mutex<Pools>,
    /// A newer connection of the same agent takes over.
    replaced: CancellationToken,
}

/// All agents that this gateway hears from. Cloning shares it.
///
/// With several gateways behind one name, an agent connects to each of them.
#[derive(Clone, Default)]
pub struct Switchboard {
    links: Arc<Mutex<BTreeMap<Key, Arc<Link>>>>,
}

impl Switchboard {
    /// Nobody is there yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Which agents of `hall` are there, and what each provides.
    #[must_use]
    pub fn provides(&self, hall: &HallName) -> Vec<(AgentName, Provides)> {
        self.links()
            .iter()
            .filter(|((of, _), _)| of == hall)
            .map(|((_, agent), link)| (agent.clone(), link.provides.clone()))
            .collect()
    }

    /// Answers `GET /agent/control`: the agent is there until the connection ends, is silent for a
    /// minute, or `cut` is cancelled, as when it is dismissed.
    pub async fn control<B>(
        &self,
        hall: HallName,
        agent: AgentName,
        mut request: Request<B>,
        cut: CancellationToken,
    ) -> Response<Body> {
        let upgrade = match stream::accept_upgrade(&mut request, AGENT_PROTOCOL) {
            Ok(upgrade) => upgrade,
            Err(problem) => return problem.into_response(),
        };
        let switchboard = self.clone();
        tokio::spawn(async move {
            let listening = async {
                let upgraded = upgrade.await.map_err(io::Error::other)?;
                let stream = TokioIo::new(upgraded);
                switchboard
                    .listen((hall.clone(), agent.clone()), stream)
                    .await
            };
            tokio::select! {
                () = cut.cancelled() => tracing::info!(%hall, %agent, "an agent was dismissed"),
                ended = listening => match ended {
                    Ok(()) => tracing::info!(%hall, %agent, "an agent left"),
                    Err(error) => tracing::info!(%hall, %agent, %error, "an agent was lost"),
                },
            }
        });
        stream::switching(AGENT_PROTOCOL)
    }

    async fn listen(&self, key: Key, stream: impl stream::Duplex) -> io::Result<()> {
        let (reader, mut writer) = tokio::io::split(stream);
        let mut reader = BufReader::new(reader);
        let hello = timeout(PATIENCE, receive(&mut reader)).await?;
        let Some(FromAgent::Provides(provides)) = hello? else {
            return Err(io::Error::other("it did not say what it provides"));
        };
        if provides.stores.len() > MOST_PROVIDED || provides.services.len() > MOST_PROVIDED {
            return Err(io::Error::other("it provides too much"));
        }
        let (dials, mut asked) = mpsc::channel(MOST_DIALS);
        let link = Arc::new(Link {
            provides,
            dials,
            waiting: Mutex::default(),
            pools: Mutex::default(),
            replaced: CancellationToken::new(),
        });
        let _present = Present::enter(self, key, Arc::clone(&link));

        // Reading a line is not to be broken off in the middle, so it has a task of its own.
        let hearing = async {
            while let Some(message) = timeout(SILENCE, receive(&mut reader)).await?? {
                match message {
                    FromAgent::Ping {} | FromAgent::Provides(_) => {}
                    FromAgent::Failed {
                        dial,
                        status,
                        code,
                        detail,
                    } => link.deliver(
                        &dial,
                        Err(Problem {
                            status,
                            code,
                            detail,
                        }),
                    ),
                }
            }
            Ok(())
        };
        let telling = async {
            let mut pings = interval(PING_EVERY);
            loop {
                let message = tokio::select! {
                    _ = pings.tick() => FromGateway::Ping {},
                    Some(message) = asked.recv() => message,
                };
                timeout(PATIENCE, send(&mut writer, &message)).await??;
            }
        };
        tokio::select! {
            heard = hearing => heard,
            told = telling => told,
            () = link.replaced.cancelled() => Ok(()),
        }
    }

    /// Answers `GET /agent/dial/{id}`: the stream that was asked for with this id.
    pub async fn dial<B>(
        &self,
        hall: &HallName,
        agent: &AgentName,
        id: &str,
        mut request: Request<B>,
    ) -> Response<Body> {
        let upgrade = match stream::accept_upgrade(&mut request, STREAM_PROTOCOL) {
            Ok(upgrade) => upgrade,
            Err(problem) => return problem.into_response(),
        };
        let link = self.links().get(&(hall.clone(), agent.clone())).cloned();
        let Some(waiting) = link.and_then(|link| link.take(id)) else {
            let detail = "nobody waits for this stream any more";
            return Problem::new(StatusCode::NOT_FOUND, "not-found", detail).into_response();
        };
        tokio::spawn(async move {
            match upgrade.await {
                Ok(upgraded) => {
                    let _ = waiting.send(Ok(Box::new(TokioIo::new(upgraded))));
                }
                Err(error) => tracing::debug!(%error, "an agent's stream did not come"),
            }
        });
        stream::switching(STREAM_PROTOCOL)
    }

    /// A stream to a service of `hall` that one of its agents provides.
    ///
    /// # Errors
    /// No agent provides it, or the agent can't reach it.
    pub async fn connect(
        &self,
        hall: &HallName,
        service: &ServiceName,
    ) -> Result<BoxStream, Problem> {
        let link = self
            .find(hall, |provides| provides.services.contains(service))
            .ok_or_else(|| absent("service", service.as_str()))?;
        link.open(What::Service(service.clone())).await
    }

    /// Has an agent of `hall` answer a request for `store`, as [`crate::files::serve`] would here.
    pub async fn files<B>(
        &self,
        hall: &HallName,
        store: &StoreName,
        access: StoreAccess,
        mount: &str,
        pass: &Pass,
        request: Request<B>,
    ) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<AnyError>,
    {
        let link = self.find(hall, |provides| provides.stores.contains(store));
        let Some(link) = link else {
            return absent("store", store.as_str()).into_response();
        };
        let request = match forwarded(request, mount, store, pass) {
            Ok(request) => request,
            Err(problem) => return problem.into_response(),
        };
        match link.pool(store, access).send(request).await {
            Ok(response) => {
                let mut response = response.map(|body| pass.over(body::boxed(body), Way::Sent));
                strip(response.headers_mut());
                response
            }
            Err(SendError::Connect(problem)) => problem.into_response(),
            Err(error @ SendError::Http(_)) => {
                tracing::debug!(%error, %store, "an agent broke off");
                Problem::new(
                    StatusCode::BAD_GATEWAY,
                    "agent-lost",
                    format!("the agent that provides {store} broke off: try again"),
                )
                .into_response()
            }
        }
    }

    fn find(&self, hall: &HallName, provides: impl Fn(&Provides) -> bool) -> Option<Arc<Link>> {
        self.links()
            .iter()
            .find(|((of, _), link)| of == hall && provides(&link.provides))
            .map(|(_, link)| Arc::clone(link))
    }

    fn links(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An agent is there as long as this is kept.
struct Present {
    switchboard: Switchboard,
    key: Key,
    link: Arc<Link>,
}

impl Present {
    fn enter(switchboard: &Switchboard, key: Key, link: Arc<Link>) -> Self {
        tracing::info!(hall = %key.0, agent = %key.1, "an agent is there");
        let older = switchboard.links().insert(key.clone(), Arc::clone(&link));
        if let Some(older) = older {
            older.replaced.cancel();
        }
        Self {
            switchboard: switchboard.clone(),
            key,
            link,
        }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        {
            let mut links = self.switchboard.links();
            // A newer connection of the same agent stays.
            if links
                .get(&self.key)
                .is_some_and(|present| Arc::ptr_eq(present, &self.link))
            {
                links.remove(&self.key);
            }
        }
        // Whoever waits for a stream is told now.
        self.link.waiting().clear();
        self.link.pools().clear();
    }
}

impl Link {
    async fn open(&self, what: What) -> Result<BoxStream, Problem> {
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
                    StatusCode::SERVICE_UNAVAILABLE,
                    "agent-busy",
                    "the agent has too many streams to open: try again",
                ));
            }
            waiting.insert(id.clone(), sender);
        }
        // Also when whoever asked goes away meanwhile.
        let _waiting = Waiting {
            link: self,
            id: &id,
        };
        let message = FromGateway::Dial {
            id: id.clone(),
            what,
        };
        self.dials.send(message).await.map_err(|_| lost())?;
        match timeout(PATIENCE, receiver).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(_)) => Err(lost()),
            Err(_) => Err(Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                "agent-slow",
                format!("the agent gave no stream within {PATIENCE:?}"),
            )),
        }
    }

    /// The connections that are kept for a store, for each set of rights its own.
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

    fn take(&self, id: &str) -> Option<oneshot::Sender<Result<BoxStream, Problem>>> {
        self.waiting().remove(id)
    }

    fn deliver(&self, id: &str, opened: Result<BoxStream, Problem>) {
        if let Some(waiting) = self.take(id) {
            let _ = waiting.send(opened);
        }
    }

    fn waiting(
        &self,
    ) -> std::sync::MutexGuard<'_, HashMap<String, oneshot::Sender<Result<BoxStream, Problem>>>>
    {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pools(&self) -> std::sync::MutexGuard<'_, Pools> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
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
        StatusCode::BAD_GATEWAY,
        "agent-lost",
        "the agent went away: try again when it is back",
    )
}

fn absent(kind: &str, name: &str) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not-provided",
        format!("nobody provides the {kind} {name} now: its agent is not connected"),
    )
}

/// What an agent mounts a store at.
pub(crate) fn agent_mount(store: &StoreName) -> String {
    format!("/files/{store}")
}

/// The request as an agent gets it: mounted as there, and without what belongs to the connection.
fn forwarded<B>(
    request: Request<B>,
    mount: &str,
    store: &StoreName,
    pass: &Pass,
) -> Result<Request<Body>, Problem>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<AnyError>,
{
    let malformed = |detail: &str| Problem::new(StatusCode::BAD_REQUEST, "malformed", detail);
    let (mut head, body) = request.into_parts();
    let there = agent_mount(store);
    let moved = |path: &str| {
        let below = path.strip_prefix(mount)?;
        (below.is_empty() || below.starts_with('/')).then(|| format!("{there}{below}"))
    };
    let target = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = moved(target)
        .or_else(|| moved(target.split('?').next().unwrap_or_default()))
        .and_then(|path| path.parse().ok())
        .ok_or_else(|| malformed("the path is not of this store"))?;
    if let Some(destination) = head.headers.get("destination") {
        let destination = destination
            .to_str()
            .ok()
            .and_then(|value| value.parse::<http::Uri>().ok())
            .and_then(|uri| moved(uri.path()))
            .and_then(|path| HeaderValue::try_from(path).ok())
            .ok_or_else(|| {
                let detail = format!("Destination has to begin with {mount}/");
                Problem::new(StatusCode::BAD_GATEWAY, "other-store", detail)
            })?;
        head.headers.insert("destination", destination);
    }
    strip(&mut head.headers);
    head.headers.insert(HOST, HeaderValue::from_static("agent"));
    head.version = http::Version::HTTP_11;
    head.extensions.clear();
    let body = pass.over(body::boxed(body), Way::Received);
    Ok(Request::from_parts(head, body))
}

/// Takes away what belongs to one connection (RFC 9110, 7.6.1), and who asks: that is the
/// gateway's to know.
fn strip(headers: &mut http::HeaderMap) {
    for name in [
        CONNECTION,
        UPGRADE,
        TE,
        TRANSFER_ENCODING,
        http::header::COOKIE,
        http::header::SET_COOKIE,
        http::header::AUTHORIZATION,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ] {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests;
