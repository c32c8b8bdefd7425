//! A gateway's hall listener as tests need one: it trusts one person and one agent, and counts.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hallway_evidence::statement::hall::{HallName, Rights};
use hallway_webauthn::wire::Base64Url;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ClientConfig;
use tokio_util::sync::CancellationToken;

use crate::agent::{Agent, AgentEvent, Provided};
use crate::agent_protocol::Provides;
use crate::authority::sample::{Holder, QUARTER_HOUR_MS, Realm, now_ms, realm};
use crate::authority::{Leaf, Usage};
use crate::body::{self, Body, Unread, read_on};
use crate::client::{ClientError, Grant, HallClient, Opening, Person, Renewed};
use crate::files::{Here, NoLocks, StoreAccess};
use crate::identity::Party;
use crate::pass::Pass;
use crate::problem::{Code, IntoResponse, Problem};
use crate::svid::Svid;
use crate::switchboard::Switchboard;
use crate::{files, stream, tls};

/// A realm with its gateway, listening.
pub(crate) struct Site {
    pub(crate) realm: Realm,
    pub(crate) address: SocketAddr,
    pub(crate) shared: Arc<Shared>,
    listening: CancellationToken,
}

/// The state that requests share.
pub(crate) struct Shared {
    pub(crate) switchboard: Switchboard,
    /// What the gateway provides itself.
    pub(crate) provided: Provided,
    pub(crate) rights: Rights,
    pub(crate) pass: Pass,
    pub(crate) handshakes: AtomicUsize,
    renewing: Realm,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.listening.cancel();
    }
}

impl Site {
    pub(crate) async fn new(provided: Provided, rights: &[&str]) -> Self {
        let realm = realm("bank.example");
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let config = tls::server_config(realm.gateway().identity(), realm.bundles()).unwrap();
        let shared = Arc::new(Shared {
            switchboard: Switchboard::new(),
            provided,
            rights: Rights::parse(rights.iter().copied()).unwrap(),
            pass: Pass::default(),
            handshakes: AtomicUsize::new(0),
            renewing: realm.again(),
        });
        let (listening, serving) = (CancellationToken::new(), Arc::clone(&shared));
        let stop = listening.clone();
        tokio::spawn(async move {
            let acceptor = TlsAcceptor::from(config);
            loop {
                let (tcp, _) = tokio::select! {
                    () = stop.cancelled() => return,
                    accepted = tcp.accept() => accepted.unwrap(),
                };
                let (acceptor, shared, stop) =
                    (acceptor.clone(), Arc::clone(&serving), stop.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(tcp).await else {
                        return;
                    };
                    shared.handshakes.fetch_add(1, Ordering::Relaxed);
                    let peer = tls::peer(stream.get_ref().1, now_ms()).unwrap();
                    let service = service_fn(move |request| {
                        let (shared, peer) = (Arc::clone(&shared), peer.clone());
                        async move { Ok::<_, Infallible>(shared.answer(&peer, read_on(request)).await) }
                    });
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let serving =
                        builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
                    tokio::select! {
                        () = stop.cancelled() => {}
                        _ = serving => {}
                    }
                });
            }
        });
        Self {
            realm,
            address,
            shared,
            listening,
        }
    }

    pub(crate) fn client(&self) -> HallClient {
        self.client_of(self.realm.person("ada"))
    }

    pub(crate) fn client_of(&self, holder: Holder) -> HallClient {
        HallClient::new(Opening {
            address: self.address.to_string(),
            gateway: self.realm.id(&Party::Gateway),
            bundle: self.realm.bundle(),
            chain: holder.chain,
            key: holder.key,
            home: None,
        })
        .unwrap()
    }

    /// An agent that runs until the token is cancelled, and what it tells.
    pub(crate) fn agent(
        &self,
        provided: Provided,
    ) -> (
        CancellationToken,
        tokio::sync::mpsc::UnboundedReceiver<AgentEvent>,
    ) {
        let (sender, events) = tokio::sync::mpsc::unbounded_channel();
        let agent = self.agent_telling(provided, move |event| {
            let _ = sender.send(event);
        });
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move { agent.run(stopped).await });
        (stop, events)
    }

    /// Runs an agent until it is refused.
    pub(crate) async fn run_agent(&self, provided: Provided) -> Result<(), ClientError> {
        let agent = self.agent_telling(provided, |_| {});
        agent.run(std::future::pending()).await
    }

    fn agent_telling<E: Fn(AgentEvent) + Send + Sync>(
        &self,
        provided: Provided,
        event: E,
    ) -> Agent<impl Fn() -> Arc<ClientConfig> + Send + Sync + use<E>, E> {
        let party = Party::Agent {
            hall: hall(),
            agent: "far".parse().unwrap(),
        };
        let now = now_ms();
        let holder = self
            .realm
            .issue(party, Usage::Client, now, now + QUARTER_HOUR_MS);
        let gateway = self.realm.id(&Party::Gateway);
        let config = tls::client_config(
            holder.identity(),
            self.realm.bundles(),
            gateway,
            tls::HTTP_1,
        );
        let config = config.unwrap();
        Agent::new(
            &self.address.to_string(),
            move || Arc::clone(&config),
            provided,
            event,
        )
    }

    /// Waits until the switchboard hears as many agents as `wanted`.
    pub(crate) async fn agents(&self, wanted: usize) {
        while self.shared.switchboard.provides(&hall()).len() != wanted {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
}

pub(crate) fn hall() -> HallName {
    "vault".parse().unwrap()
}

impl Shared {
    async fn answer(&self, peer: &Svid, request: Request<Unread<Incoming>>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (peer.id.party(), request.method(), &segments[..]) {
            (Some(Party::Person(_)), &Method::GET, ["grant"]) => json(&Grant {
                hall: hall(),
                person: Person {
                    id: "ada".to_owned(),
                    name: "Ada".to_owned(),
                },
                rights: self.rights.clone(),
                ends_ms: u64::MAX,
                certificate_ends_ms: peer.not_after_ms,
            }),
            (Some(party @ Party::Person(_)), &Method::POST, ["grant", "renew"]) => {
                let now = now_ms();
                let leaf = Leaf {
                    party,
                    public_key: &peer.public_key,
                    not_before_ms: now,
                    not_after_ms: now + 2 * QUARTER_HOUR_MS,
                    usage: Usage::Client,
                    provenance: None,
                };
                let leaf = self.renewing.authority.issue(&leaf).unwrap();
                json(&Renewed {
                    certificate_ends_ms: Svid::read(&leaf).unwrap().not_after_ms,
                    certificates: vec![Base64Url::from(leaf.as_ref())],
                    bundle: Vec::new(),
                    host_bundle: Vec::new(),
                })
            }
            (Some(Party::Person(_)), _, ["connect", service]) => {
                let service = service.parse().unwrap();
                stream::serve(request, self.pass.clone(), async {
                    if self.provided.services.contains_key(&service) {
                        self.provided.connect(&service).await
                    } else {
                        self.switchboard.connect(&hall(), &service).await
                    }
                })
                .await
            }
            (Some(Party::Person(_)), _, ["files", store, ..]) => {
                let mount = format!("/files/{store}");
                let store = store.parse().unwrap();
                let access = StoreAccess::of(&self.rights, &store);
                match self.provided.stores.get(&store) {
                    Some(own) => {
                        files::serve(Arc::clone(own), access, &mount, &self.pass, request).await
                    }
                    None => {
                        let here = Here {
                            access,
                            mount: &mount,
                            pass: &self.pass,
                        };
                        let switchboard = &self.switchboard;
                        switchboard
                            .files(&hall(), &store, here, request, &NoLocks)
                            .await
                    }
                }
            }
            (Some(Party::Agent { hall, agent }), _, ["agent", "control"]) => {
                let cut = CancellationToken::new();
                let judge = |announced: Result<Provides, Problem>| async move {
                    match announced {
                        Ok(all) if all.stores.contains("denied") => {
                            let detail = "the store “denied” is none of this agent's";
                            Err(Problem::new(Code::NotInvitedFor, detail))
                        }
                        announced => announced.map(drop),
                    }
                };
                self.switchboard
                    .control(hall, agent, request, cut, judge)
                    .await
            }
            (Some(Party::Agent { hall, agent }), _, ["agent", "dial", id]) => {
                self.switchboard.dial(&hall, &agent, id, request).await
            }
            _ => Problem::new(Code::NotFound, "nothing is here").into_response(),
        }
    }
}

fn json(value: &impl serde::Serialize) -> Response<Body> {
    Response::new(body::full(serde_json::to_vec(value).unwrap()))
}
