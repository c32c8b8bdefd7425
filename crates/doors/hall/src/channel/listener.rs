//! The hall listener: TLS 1.3 with client certificates, beside the web server.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hallway_evidence::{PersonId, RealmName, Timestamp};
use hallway_hall::tls::{self, Identity};
use hallway_hall::{Bundles, HallKey, Leaf, Party, Svid, Usage};
use hallway_spine::Gateway;
use hallway_spine::accept::{
    Arrival, Entrance, ListenError, Room, http, refusing, routed, turned_away,
};
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::pace::{PATIENCE, Pace, Unread};
use hallway_spine::realm_authority::rotation::LONGEST_CERTIFICATE;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls_pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::inside::{Presence, Who};
use super::routes::{self, Caller};
use super::visit;
use crate::HallsOf;
use crate::store::{GrantKind, HallTables};

/// How often the gateway makes itself a new certificate while its authority stays the same.
const RENEW_EVERY: Duration = Duration::from_secs(6 * 3600);
/// How long answers may still take after the asker was put out, or after the gateway was told to
/// stop.
const LAST_ANSWERS_TIMEOUT: Duration = Duration::from_secs(2);

/// A bound hall listener, before anything is served on it.
pub struct HallListener {
    entrance: Entrance,
    unread: Unread,
}

/// Why the listener can't do TLS.
#[derive(Debug, thiserror::Error)]
pub enum HallTlsError {
    /// The gateway's own key.
    #[error("the hall listener's key: {0}")]
    Key(#[from] hallway_hall::KeyError),
    /// The gateway's own certificate.
    #[error("the hall listener's certificate: {0}")]
    Certificate(#[from] hallway_hall::AuthorityError),
    /// rustls refuses.
    #[error("the hall listener: {0}")]
    Tls(#[from] tls::TlsError),
}

/// The gateway's own certificate on the hall listener.
struct Own {
    key: HallKey,
    names: Vec<String>,
    identity: Arc<Identity>,
}

impl HallListener {
    /// Binds `address`.
    ///
    /// # Errors
    /// The address is taken, or not one of this machine.
    pub async fn bind(address: SocketAddr, connections: usize) -> Result<Self, ListenError> {
        Ok(Self {
            entrance: Entrance::bind(address, connections).await?,
            unread: Unread::default(),
        })
    }

    /// Counts unread answers together with those of another listener.
    pub fn sharing(self, unread: Unread) -> Self {
        Self { unread, ..self }
    }

    /// The address that was bound.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.entrance.address()
    }

    /// Serves until `stop` resolves, then gives answers that are under way two seconds.
    pub async fn serve(self, gateway: Gateway, stop: impl Future<Output = ()>) {
        let own = match Own::new(&gateway) {
            Ok(own) => own,
            Err(error) => {
                tracing::error!(%error, "the hall listener does not start");
                return;
            }
        };
        let mut trust = gateway.partners().trust.watch();
        let believed = trust.borrow_and_update().clone();
        let mut acceptor = match own.acceptor(believed) {
            Ok(acceptor) => acceptor,
            Err(error) => {
                tracing::error!(%error, "the hall listener does not start");
                return;
            }
        };
        let router = routes::router(&gateway);
        let connections = TaskTracker::new();
        tokio::pin!(stop);
        let renewal = own.keep_renewed(&gateway);
        tokio::pin!(renewal);
        loop {
            let arrival = tokio::select! {
                () = &mut stop => break,
                () = &mut renewal => continue,
                Ok(()) = trust.changed() => {
                    let believed = trust.borrow_and_update().clone();
                    // Another authority may sign now.
                    own.renew(&gateway);
                    let inside = &gateway.halls().inside;
                    inside.disbelieve(&believed, gateway.now().as_ms());
                    match own.acceptor(believed) {
                        Ok(next) => acceptor = next,
                        Err(error) => {
                            tracing::error!(%error, "the hall listener keeps the authorities that it believed before");
                        }
                    }
                    continue;
                }
                arrival = self.entrance.next() => arrival,
            };
            let (gateway, router, acceptor) = (gateway.clone(), router.clone(), acceptor.clone());
            let trust = trust.clone();
            let pace = self.unread.pace();
            connections.spawn(async move {
                let Arrival {
                    stream,
                    peer,
                    room,
                    place,
                } = arrival;
                let shaken = timeout(PATIENCE, acceptor.accept(tls::Socket::new(stream))).await;
                match (shaken, room) {
                    (Ok(Ok(stream)), Room::Free) => {
                        connection(&gateway, stream, (peer, pace), router, trust).await;
                    }
                    (Ok(Ok(stream)), Room::None) => {
                        refuse(stream, (peer, pace), turned_away()).await
                    }
                    (Ok(Err(error)), _) => {
                        tracing::debug!(%peer, %error, "hall: TLS handshake failed");
                    }
                    (Err(_), _) => tracing::debug!(%peer, "hall: TLS handshake took too long"),
                }
                drop(place);
            });
        }
        gateway.halls().inside.put_everybody_out();
        connections.close();
        let _ = timeout(LAST_ANSWERS_TIMEOUT * 2, connections.wait()).await;
    }
}

impl Own {
    fn new(gateway: &Gateway) -> Result<Self, HallTlsError> {
        let key = HallKey::generate()?;
        let address = gateway.halls().address.as_deref().unwrap_or_default();
        let names = names(address);
        let chain = chain(gateway, &key, &names)?;
        Ok(Self {
            identity: Identity::new(chain, &key)?,
            key,
            names,
        })
    }

    /// The acceptor of new connections. It resumes no earlier sessions, which would carry on a
    /// trust that may have ended.
    fn acceptor(&self, bundles: Bundles) -> Result<TlsAcceptor, HallTlsError> {
        let config = tls::server_config(Arc::clone(&self.identity), bundles)?;
        Ok(TlsAcceptor::from(config))
    }

    async fn keep_renewed(&self, gateway: &Gateway) {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            self.renew(gateway);
        }
    }

    fn renew(&self, gateway: &Gateway) {
        let renewed = chain(gateway, &self.key, &self.names)
            .and_then(|chain| Ok(self.identity.replace(chain, &self.key)?));
        if let Err(error) = renewed {
            tracing::error!(%error, "the hall listener keeps its old certificate");
        }
    }
}

/// The names by which stock tools may check the gateway.
fn names(address: &str) -> Vec<String> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    let mut names = vec![host.to_owned()];
    if loopback {
        names.push("localhost".to_owned());
    }
    names
}

fn chain(
    gateway: &Gateway,
    key: &HallKey,
    names: &[String],
) -> Result<Vec<CertificateDer<'static>>, HallTlsError> {
    let own = gateway.halls().authorities.in_use();
    let now = gateway.now();
    let leaf = own.signing.issue(&Leaf {
        party: Party::Gateway,
        public_key: key.public(),
        not_before_ms: now.as_ms(),
        not_after_ms: now.plus(LONGEST_CERTIFICATE).as_ms(),
        usage: Usage::Server {
            names: names.to_vec(),
        },
        provenance: None,
    })?;
    Ok(vec![leaf])
}

/// The certificate, as far as this realm believes it. That of a partner's person counts no longer
/// than this realm's own certificates are valid, even if the home realm made it for longer. A home
/// realm that is cut off renews none, so its visitors stay no longer than that.
fn believed(gateway: &Gateway, svid: Svid) -> Svid {
    let ours = svid.id.trust_domain() == gateway.halls().authorities.in_use().bundle.trust_domain();
    match svid.id.party() {
        Some(Party::Person(_)) if !ours => {
            let issued = Timestamp::from_ms(svid.not_before_ms);
            let longest = issued.plus(gateway.halls().certificate).as_ms();
            Svid {
                not_after_ms: svid.not_after_ms.min(longest),
                ..svid
            }
        }
        _ => svid,
    }
}

fn not_renewed() -> Problem {
    Problem::new(
        Code::CertificateTooOld,
        "this realm believes a visitor's certificate for a shorter time than it is valid; renew it at home",
    )
}

/// Lets the holder of a certificate in. The certificate says who that is, the database whether they
/// may enter now.
async fn enter(gateway: &Gateway, svid: &Svid) -> Result<Arc<Presence>, Problem> {
    let nobody = || {
        Problem::new(
            Code::UnknownGrant,
            "no grant was given for this certificate",
        )
    };
    let key = svid.public_key.sha256();
    let domain = svid.id.trust_domain();
    if domain != gateway.halls().authorities.in_use().bundle.trust_domain() {
        // TLS has checked that the realm's own authority says so.
        let realm: RealmName = domain.as_str().parse().map_err(|_| nobody())?;
        return match svid.id.party() {
            Some(Party::Person(id)) => {
                let person = id.parse().map_err(|_| nobody())?;
                visit::arrive(gateway, realm, person, svid).await
            }
            Some(Party::Gateway) => {
                gateway
                    .halls()
                    .inside
                    .enter(gateway, Who::Partner(realm))
                    .await
            }
            _ => Err(nobody()),
        };
    }
    match svid.id.party() {
        Some(Party::Person(id)) => {
            let grant = gateway.store.read().grants().by_key(&key).await?;
            let grant = grant.ok_or_else(nobody)?;
            let id: PersonId = id.parse().map_err(|_| nobody())?;
            if grant.person != id || matches!(grant.kind, GrantKind::Visitor(_)) {
                return Err(nobody());
            }
            gateway.halls().inside.guest(gateway, &grant).await
        }
        Some(Party::Agent { hall, agent }) => {
            let who = Who::Agent {
                hall,
                name: agent,
                key,
            };
            gateway.halls().inside.enter(gateway, who).await
        }
        _ => Err(nobody()),
    }
}

async fn connection(
    gateway: &Gateway,
    stream: TlsStream<tls::Socket<TcpStream>>,
    (peer, pace): (SocketAddr, Pace),
    router: Router,
    trust: watch::Receiver<Bundles>,
) {
    let chain = stream.get_ref().1.peer_certificates();
    let chain = chain.unwrap_or_default().to_vec();
    let svid = match tls::peer(stream.get_ref().1, gateway.now().as_ms()) {
        Ok(svid) => svid,
        Err(error) => {
            tracing::info!(%peer, %error, "hall: a certificate was refused");
            return;
        }
    };
    let svid = believed(gateway, svid);
    if gateway.now().as_ms() >= svid.not_after_ms {
        tracing::info!(%peer, id = %svid.id, "hall: the home realm issued the certificate too long ago");
        return refuse(stream, (peer, pace), not_renewed()).await;
    }
    match enter(gateway, &svid).await {
        Ok(presence) => {
            presence.shows(&chain, svid.not_after_ms);
            // The believed authorities may have changed during the handshake.
            let now_ms = gateway.now().as_ms();
            if trust.has_changed().unwrap_or(true)
                && !tls::is_believed(&trust.borrow(), &chain, now_ms)
            {
                tracing::info!(%peer, id = %svid.id, "hall: no believed authority vouches for the certificate");
                return;
            }
            let cut = presence.pass.cut.clone();
            let caller = Caller {
                presence,
                svid,
                address: peer.ip().to_string(),
            };
            let inner = router.map_request(move |mut request: Request<Body>| {
                request.extensions_mut().insert(caller.clone());
                request
            });
            serve(stream, (peer, pace), inner, cut.cancelled_owned()).await;
        }
        Err(problem) => {
            // A waiting guest asks every two seconds. That is expected, and no refusal.
            if problem.code == Code::WaitingForApproval {
                tracing::debug!(%peer, id = %svid.id, "hall: waits for an approval");
            } else {
                let code = problem.code;
                tracing::info!(%peer, id = %svid.id, %code, "hall: refused at the door");
            }
            refuse(stream, (peer, pace), problem).await;
        }
    }
}

/// Answers every request with the problem.
async fn refuse(
    stream: TlsStream<tls::Socket<TcpStream>>,
    (peer, pace): (SocketAddr, Pace),
    problem: Problem,
) {
    serve(
        stream,
        (peer, pace),
        refusing(problem),
        tokio::time::sleep(PATIENCE),
    )
    .await;
}

/// Serves one connection until it ends, or is told to by `end`.
async fn serve<S>(
    stream: TlsStream<tls::Socket<TcpStream>>,
    (peer, pace): (SocketAddr, Pace),
    service: S,
    end: impl Future<Output = ()>,
) where
    S: tower::Service<Request<Body>, Response = axum::response::Response, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    let answering = pace.clone();
    let _requests = pace.until_it_ends();
    let service = service_fn(move |request: Request<Incoming>| {
        let (service, pace) = (service.clone(), answering.clone());
        async move {
            let answer = |request, turn| {
                // Who calls is known from the handshake: its place on the route is taken at once.
                drop(turn);
                service.oneshot(routed(request))
            };
            pace.serve(request, answer).await
        }
    });
    let builder = http();
    let served = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(served, end);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = end => {
            served.as_mut().graceful_shutdown();
            timeout(LAST_ANSWERS_TIMEOUT, served).await.unwrap_or(Ok(()))
        }
        () = pace.lost() => {
            tracing::debug!(%peer, "hall: put out: it asks nothing, or does not read its answer");
            Ok(())
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "hall: a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stock_tools_check_the_host_of_the_address() {
        assert_eq!(names("hall.example:8443"), ["hall.example"]);
        assert_eq!(names("127.0.0.1:8443"), ["127.0.0.1", "localhost"]);
        assert_eq!(names("[::1]:8443"), ["::1", "localhost"]);
    }
}
