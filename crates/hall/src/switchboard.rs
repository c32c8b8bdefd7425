//! The gateway's side of agents: which are connected, what they provide, and streams to them.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hallway_evidence::statement::hall::{AgentName, HallName, ServiceName, StoreName};
use http::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::BufReader;
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use self::link::{Link, MOST_DIALS, ToStore};
use crate::agent_protocol::{
    FromAgent, FromGateway, LONGEST_SILENCE, MOST_PROVIDED, PING_EVERY, Provides, What, receive,
    send,
};
use crate::body::{AnyBody, Body};
use crate::files::{Afar, Discovery, Here};
use crate::foreign::{self, Asked};
use crate::pass::Way;
use crate::problem::{Code, IntoResponse, Problem};
use crate::stream::{self, AGENT_PROTOCOL, BoxStream, STREAM_PROTOCOL};

mod forwarded;
mod link;
mod locked;

pub(crate) use forwarded::agent_mount;

/// How long an agent may take to send or accept a line, or to open a stream.
const AGENT_TIMEOUT: Duration = Duration::from_secs(15);

type Key = (HallName, AgentName);

/// All agents that are connected to this gateway. Clones share them.
///
/// With several gateways behind one name, an agent connects to each of them.
#[derive(Clone, Default)]
pub struct Switchboard {
    links: Arc<Mutex<BTreeMap<Key, Arc<Link>>>>,
}

impl Switchboard {
    /// No agent is connected yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Which agents of `hall` are connected, and what each provides.
    #[must_use]
    pub fn provides(&self, hall: &HallName) -> Vec<(AgentName, Provides)> {
        self.links()
            .iter()
            .filter(|((of, _), _)| of == hall)
            .map(|((_, agent), link)| (agent.clone(), link.provides.clone()))
            .collect()
    }

    /// Answers `GET /agent/control`: the agent counts as connected until the connection ends or is
    /// silent for a minute, or `cut` is cancelled, as when the agent is dismissed. `judge` gets
    /// what the agent announces, or what is wrong with that, and says whether the agent may provide
    /// it; an agent that may not is told why.
    pub async fn control<B, J>(
        &self,
        hall: HallName,
        agent: AgentName,
        mut request: Request<B>,
        cut: CancellationToken,
        judge: impl FnOnce(Result<Provides, Problem>) -> J + Send + 'static,
    ) -> Response<Body>
    where
        J: Future<Output = Result<(), Problem>> + Send + 'static,
    {
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
                    .listen((hall.clone(), agent.clone()), stream, judge)
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

    async fn listen<J>(
        &self,
        key: Key,
        stream: impl stream::Duplex,
        judge: impl FnOnce(Result<Provides, Problem>) -> J,
    ) -> io::Result<()>
    where
        J: Future<Output = Result<(), Problem>>,
    {
        let (reader, mut writer) = tokio::io::split(stream);
        let mut reader = BufReader::new(reader);
        let hello = timeout(AGENT_TIMEOUT, receive(&mut reader)).await?;
        let announced = announced(hello)?;
        let judged = judge(announced.clone()).await;
        let provides = match judged.and(announced) {
            Ok(provides) => provides,
            Err(problem) => {
                let reason = problem.to_string();
                let refused = FromGateway::Refused {
                    status: problem.status,
                    code: problem.code,
                    detail: problem.detail,
                };
                timeout(AGENT_TIMEOUT, send(&mut writer, &refused)).await??;
                return Err(io::Error::other(reason));
            }
        };
        let (dials, mut asked) = mpsc::channel(MOST_DIALS);
        let link = Arc::new(Link::new(provides, dials));
        let _present = Present::enter(self, key, Arc::clone(&link));
        timeout(AGENT_TIMEOUT, send(&mut writer, &FromGateway::Welcome {})).await??;

        // Reading a line must not be cut off in the middle, so it is a future of its own.
        let hearing = async {
            while let Some(message) = timeout(LONGEST_SILENCE, receive(&mut reader)).await?? {
                match message {
                    FromAgent::Ping {} | FromAgent::Provides(_) => {}
                    FromAgent::Failed {
                        dial,
                        status,
                        code,
                        detail,
                    } => link.deliver(&dial, Err(foreign::said(status, &code, &detail))),
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
                timeout(AGENT_TIMEOUT, send(&mut writer, &message)).await??;
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
            let detail = "the request for this stream has ended";
            return Problem::new(Code::NotFound, detail).into_response();
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

    /// Has an agent of `hall` answer a request for `store`, as [`crate::files::serve`] would here;
    /// `discovery` tells which locks there are.
    pub(crate) async fn files(
        &self,
        hall: &HallName,
        store: &StoreName,
        here: Here<'_>,
        request: Request<impl AnyBody>,
        discovery: &dyn Discovery,
    ) -> Response<Body> {
        let made = self.afar(hall, store, here).and_then(|afar| {
            let asked = Asked::of(&request)?;
            let request = forwarded::request(request, here.mount, store, here.pass)?;
            Ok((afar, asked, request))
        });
        let (afar, asked, request) = match made {
            Ok(made) => made,
            Err(problem) => return foreign::protected(problem.into_response()),
        };
        let response = afar.answer(&asked, request, discovery).await;
        response.map(|body| here.pass.over(body, Way::Sent))
    }

    /// The store of an agent of `hall`.
    ///
    /// # Errors
    /// No connected agent provides it.
    pub(crate) fn afar(
        &self,
        hall: &HallName,
        store: &StoreName,
        here: Here<'_>,
    ) -> Result<Afar<ToStore>, Problem> {
        let link = self.find(hall, |provides| provides.stores.contains(store));
        let link = link.ok_or_else(|| absent("store", store.as_str()))?;
        Ok(Afar {
            sends: link.store(store, here.access),
            there: agent_mount(store),
            mount: here.mount.to_owned(),
        })
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

/// What an agent says first, or what is wrong with it. It is an error if nothing came.
fn announced(hello: io::Result<Option<FromAgent>>) -> io::Result<Result<Provides, Problem>> {
    let wrong = |detail: &str| Ok(Err(Problem::new(Code::Malformed, detail)));
    match hello {
        Ok(Some(FromAgent::Provides(provides))) => {
            let too_many = provides.stores.len().max(provides.services.len()) > MOST_PROVIDED;
            if too_many {
                return wrong("the agent provides too much");
            }
            Ok(Ok(provides))
        }
        Ok(Some(_)) => wrong("the agent did not say what it provides"),
        Ok(None) => Err(io::ErrorKind::UnexpectedEof.into()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            wrong("the agent did not say what it provides, in names of a-z, 0-9 and '-'")
        }
        Err(error) => Err(error),
    }
}

/// An agent counts as connected as long as this is kept.
struct Present {
    switchboard: Switchboard,
    key: Key,
    link: Arc<Link>,
}

impl Present {
    fn enter(switchboard: &Switchboard, key: Key, link: Arc<Link>) -> Self {
        tracing::info!(hall = %key.0, agent = %key.1, "an agent connected");
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
        self.link.leave();
    }
}

fn absent(kind: &str, name: &str) -> Problem {
    Problem::new(
        Code::NotProvided,
        format!("the {kind} {name} is not available now: its agent is not connected"),
    )
}

#[cfg(test)]
mod tests;
