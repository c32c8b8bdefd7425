//! A machine that dials out to the gateway and provides stores and services of one hall, so that no
//! port has to be opened on its side.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use hallway_client::backoff::Backoff;
use hallway_evidence::statement::hall::{ServiceName, StoreName};
use http::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncWrite, BufReader};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use tokio_rustls::rustls::ClientConfig;

use crate::agent_protocol::{
    FromAgent, FromGateway, LONGEST_SILENCE, PING_EVERY, Provides, What, receive, send,
};
use crate::body::read_on;
use crate::client::{self, ClientError};
use crate::files::{self, Store, StoreAccess};
use crate::foreign::told;
use crate::pass::{Flow, Pass};
use crate::problem::{Code, Problem};
use crate::service::Address;
use crate::stream::{self, AGENT_PROTOCOL, BoxStream, Duplex, STREAM_PROTOCOL};
use crate::switchboard::agent_mount;

/// The pause before the first reconnect; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long the gateway may take to send or accept a line.
const LINE_TIMEOUT: Duration = Duration::from_secs(15);
/// The most streams that are open at a time.
const MOST_STREAMS: usize = 1024;

/// The stores and services that an agent, or the gateway itself, provides. Nothing else is reached
/// through a hall.
#[derive(Clone, Default)]
pub struct Provided {
    /// Stores of files.
    pub stores: BTreeMap<StoreName, Arc<dyn Store>>,
    /// TCP services.
    pub services: BTreeMap<ServiceName, Address>,
}

impl Provided {
    /// The names of all stores and services.
    #[must_use]
    pub fn names(&self) -> Provides {
        Provides {
            stores: self.stores.keys().cloned().collect(),
            services: self.services.keys().cloned().collect(),
        }
    }

    /// Connects to a service.
    ///
    /// # Errors
    /// It is not on the list, or can't be reached.
    pub async fn connect(&self, service: &ServiceName) -> Result<BoxStream, Problem> {
        match self.services.get(service) {
            Some(address) => address.connect(service).await,
            None => Err(not_provided("service", service.as_str())),
        }
    }
}

fn not_provided(kind: &str, name: &str) -> Problem {
    Problem::new(Code::NotFound, format!("no {kind} {name} is provided here"))
}

/// What an agent reports about its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentEvent {
    /// The gateway accepted the agent.
    Connected,
    /// The connection ended; the agent connects again after a pause.
    Lost {
        /// Why the connection ended, as a text for people.
        reason: String,
        /// How long the agent waits before it connects again.
        pause: Duration,
    },
    /// The gateway asked for a stream or a store, and the agent could not provide it.
    Failed {
        /// What went wrong, as a text for people.
        reason: String,
    },
}

impl fmt::Display for AgentEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => f.write_str("connected to the gateway"),
            Self::Lost { reason, pause } => {
                write!(f, "lost the gateway: {reason}; trying again in {pause:?}")
            }
            Self::Failed { reason } => f.write_str(reason),
        }
    }
}

/// An agent of one hall, at one gateway. With several gateways behind one name, run one for each.
pub struct Agent<C, E> {
    address: String,
    config: C,
    provided: Arc<Provided>,
    event: E,
}

impl<C, E> Agent<C, E>
where
    C: Fn() -> Arc<ClientConfig> + Send + Sync,
    E: Fn(AgentEvent) + Send + Sync,
{
    /// An agent for the gateway at `address` (`HOST:PORT`). `config` is asked before each
    /// connection, so that a renewed certificate is used: [`crate::tls::client_config`] with
    /// [`crate::tls::HTTP_1`]. `event` is told what happens.
    pub fn new(address: &str, config: C, provided: Provided, event: E) -> Self {
        Self {
            address: address.to_owned(),
            config,
            provided: Arc::new(provided),
            event,
        }
    }

    /// Serves until `stop`, and connects again whenever the connection breaks.
    ///
    /// # Errors
    /// The gateway refuses the agent for good: its certificate or what it provides, or because it
    /// was dismissed.
    pub async fn run(&self, stop: impl Future<Output = ()>) -> Result<(), ClientError> {
        tokio::pin!(stop);
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        // Streams have connections of their own, and outlive the one that asked for them.
        let mut streams = JoinSet::new();
        loop {
            let served = tokio::select! {
                () = &mut stop => return Ok(()),
                served = self.serve(&mut backoff, &mut streams) => served,
            };
            let reason = match served {
                Err(error @ ClientError::Refused { .. }) => return Err(error),
                Err(ClientError::Problem(problem)) if is_final(problem.status) => {
                    return Err(problem.into());
                }
                Err(error) => error.to_string(),
                Ok(()) => "the gateway ended the connection".to_owned(),
            };
            let pause = backoff.wait();
            (self.event)(AgentEvent::Lost { reason, pause });
            tokio::select! {
                () = &mut stop => return Ok(()),
                () = sleep(pause) => {}
            }
        }
    }

    /// One control connection, from its beginning to its end.
    async fn serve(
        &self,
        backoff: &mut Backoff,
        streams: &mut JoinSet<()>,
    ) -> Result<(), ClientError> {
        let control = self.open("/agent/control", AGENT_PROTOCOL).await?;
        let (reader, mut writer) = tokio::io::split(control);
        let mut reader = BufReader::new(reader);
        send(&mut writer, &FromAgent::Provides(self.provided.names())).await?;
        let answer = timeout(LINE_TIMEOUT, receive(&mut reader)).await;
        match answer.map_err(io::Error::from)?? {
            Some(FromGateway::Welcome {}) => {}
            Some(FromGateway::Refused {
                status,
                code,
                detail,
            }) => return Err(told(status, &code, &detail).into()),
            Some(_) | None => {
                let reason = "it does not say whether the agent may provide this";
                return Err(ClientError::Answer(reason.to_owned()));
            }
        }
        (self.event)(AgentEvent::Connected);
        backoff.reset();

        let (failures, failed) = mpsc::channel::<(String, Problem)>(64);
        let (asks, mut asked) = mpsc::channel(64);
        // Reading a line must not be cut off in the middle, so it is a future of its own.
        let hearing = async {
            while let Some(message) = timeout(LONGEST_SILENCE, receive(&mut reader)).await?? {
                if let FromGateway::Dial { id, what } = message {
                    let _ = asks.send((id, what)).await;
                }
            }
            Ok::<(), io::Error>(())
        };
        let working = async {
            while let Some((id, what)) = asked.recv().await {
                while streams.try_join_next().is_some() {}
                if streams.len() >= MOST_STREAMS {
                    let problem = busy();
                    let _ = failures.send((id, problem)).await;
                    continue;
                }
                let dialling = Dialling {
                    address: self.address.clone(),
                    config: (self.config)(),
                    provided: Arc::clone(&self.provided),
                };
                let (failures, told) = (failures.clone(), id.clone());
                streams.spawn(async move {
                    if let Err(problem) = dialling.serve(&id, what).await {
                        tracing::debug!(%problem, "a stream could not be opened");
                        let _ = failures.send((told, problem)).await;
                    }
                });
            }
        };
        tokio::select! {
            heard = hearing => Ok(heard?),
            told = self.tell(&mut writer, failed) => Ok(told?),
            () = working => Ok(()),
        }
    }

    /// Reports each stream that could not be opened, to the gateway too, and pings the gateway.
    async fn tell(
        &self,
        writer: &mut (impl AsyncWrite + Unpin),
        mut failed: mpsc::Receiver<(String, Problem)>,
    ) -> io::Result<()> {
        let mut pings = interval(PING_EVERY);
        loop {
            let message = tokio::select! {
                _ = pings.tick() => FromAgent::Ping {},
                Some((dial, problem)) = failed.recv() => {
                    let reason = problem.to_string();
                    (self.event)(AgentEvent::Failed { reason });
                    failure(dial, &problem)
                }
            };
            timeout(LINE_TIMEOUT, send(writer, &message)).await??;
        }
    }

    async fn open(&self, path: &str, protocol: &'static str) -> Result<BoxStream, ClientError> {
        open(&self.address, (self.config)(), path, protocol).await
    }
}

/// Whether a refusal with this status is final, so that trying again is useless.
const fn is_final(status: u16) -> bool {
    matches!(status, 400 | 401 | 403 | 409 | 410)
}

async fn open(
    address: &str,
    config: Arc<ClientConfig>,
    path: &str,
    protocol: &'static str,
) -> Result<BoxStream, ClientError> {
    let host = HeaderValue::try_from(address)
        .map_err(|_| ClientError::Answer(format!("{address:?} is not an address")))?;
    let stream = client::connect(address, config).await?;
    client::upgrade(stream, path, protocol, &host).await
}

fn busy() -> Problem {
    Problem::new(
        Code::AgentBusy,
        "the agent has as many streams open as it may: try again later",
    )
}

fn failure(dial: String, problem: &Problem) -> FromAgent {
    FromAgent::Failed {
        dial,
        status: problem.status,
        code: problem.code.clone(),
        detail: problem.detail.clone(),
    }
}

/// One stream that the gateway asked for.
struct Dialling {
    address: String,
    config: Arc<ClientConfig>,
    provided: Arc<Provided>,
}

impl Dialling {
    /// Looks up and connects the service or store first, and only then dials the gateway.
    async fn serve(self, id: &str, what: What) -> Result<(), Problem> {
        match what {
            What::Service(service) => {
                let far = self.provided.connect(&service).await?;
                let near = self.dial(id).await?;
                if let Err(error) = stream::join(near, far, &Flow::default()).await {
                    tracing::debug!(%service, %error, "a stream broke");
                }
            }
            What::Store { name, access } => {
                let store = self
                    .provided
                    .stores
                    .get(&name)
                    .cloned()
                    .ok_or_else(|| not_provided("store", name.as_str()))?;
                let near = self.dial(id).await?;
                serve_store(near, store, &name, access).await;
            }
        }
        Ok(())
    }

    async fn dial(&self, id: &str) -> Result<BoxStream, Problem> {
        let path = format!("/agent/dial/{id}");
        open(
            &self.address,
            Arc::clone(&self.config),
            &path,
            STREAM_PROTOCOL,
        )
        .await
        .map_err(|error| {
            let detail = format!("the agent cannot dial back: {error}");
            Problem::new(Code::AgentLost, detail)
        })
    }
}

/// Answers HTTP/1.1 requests for one store until the gateway ends the stream. The gateway has
/// checked the client, and says when it asks for the stream what the client may do.
async fn serve_store(
    stream: impl Duplex + 'static,
    store: Arc<dyn Store>,
    name: &StoreName,
    access: StoreAccess,
) {
    let (mount, pass) = (agent_mount(name), Pass::default());
    let service = service_fn(|request| {
        let (store, mount, pass) = (Arc::clone(&store), &mount, &pass);
        async move {
            Ok::<_, std::convert::Infallible>(
                files::serve(store, access, mount, pass, read_on(request)).await,
            )
        }
    });
    let mut server = http1::Builder::new();
    // The gateway keeps streams for later requests, so waiting for a request is no fault.
    server.timer(TokioTimer::new()).header_read_timeout(None);
    if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a store's stream ended early");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::files::FolderStore;

    #[tokio::test]
    async fn a_gateway_that_still_sends_hears_the_refusal_of_an_agent() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(FolderStore::open(folder.path()).unwrap());
        let (mut gateway, here) = duplex(64 * 1024);
        let name = "data".parse().unwrap();
        tokio::spawn(async move {
            serve_store(here, store, &name, StoreAccess::default()).await;
        });
        let body = vec![7; 8 * 1024 * 1024];
        let mount = agent_mount(&"data".parse().unwrap());
        let length = body.len();
        let head = format!(
            "PUT {mount}/new HTTP/1.1\r\nHost: agent\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        gateway.write_all(head.as_bytes()).await.unwrap();
        gateway.write_all(&body).await.unwrap();
        let mut answer = String::new();
        gateway.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        assert!(answer.contains("write:data"), "{answer}");
    }
}
