//! A tunnel in one process: plain TCP in, mutual TLS 1.3 over loopback, plain TCP out.

use std::convert::Infallible;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hallway_hall::tls::{self, Identity};
use hallway_hall::{
    Address, Authority, Bundle, Bundles, HallClient, HallKey, Leaf, Opening, Party, Pass,
    ServiceName, SpiffeId, Usage, stream,
};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose, SanType};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, rustls};

/// The bytes that each direction of a bare copy reads at once: as many as the hall reads.
const BUFFER_BYTES: usize = 64 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// tokio-rustls on both sides and tokio's own copy.
    Bare,
    /// The hall's client and server.
    Hall,
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(kind: &str) -> Result<Self, String> {
        match kind {
            "bare" => Ok(Self::Bare),
            "hall" => Ok(Self::Hall),
            other => Err(format!("{other} is no tunnel")),
        }
    }
}

/// Relays until standard input ends.
pub(crate) fn run(kind: Kind, sink: SocketAddr) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.spawn(async move {
        let realm = Realm::new();
        let far = realm.listen(kind, sink).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let near = Near::new(&realm, far);
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            tcp.set_nodelay(true).unwrap();
            let near = near.clone();
            tokio::spawn(async move { near.relay(kind, tcp).await });
        }
    });
    let _ = std::io::stdin().read(&mut [0]);
    std::process::exit(0);
}

/// The time that each opening took.
#[derive(Default)]
pub(crate) struct Times {
    pub(crate) bare: Vec<Duration>,
    pub(crate) resumed: Vec<Duration>,
    pub(crate) hall: Vec<Duration>,
}

/// Opens streams to a service one after the other, each until the service has answered.
pub(crate) async fn openings(number: u32) -> Times {
    let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sink = service.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = service.accept().await.unwrap();
            tokio::spawn(async move {
                tcp.write_all(b"!").await.unwrap();
                let _ = tcp.read(&mut [0]).await;
            });
        }
    });
    let realm = Realm::new();
    let bare = Near::new(&realm, realm.listen(Kind::Bare, sink).await);
    let hall = Near::new(&realm, realm.listen(Kind::Hall, sink).await);
    bare.open_bare().await.read_exact(&mut [0]).await.unwrap();
    hall.open_hall().await.read_exact(&mut [0]).await.unwrap();
    // In turns, so that other work of the machine slows all of them.
    let mut times = Times::default();
    for _ in 0..number {
        // Without a session to resume.
        let first = Near::new(&realm, bare.far);
        let began = Instant::now();
        first.open_bare().await.read_exact(&mut [0]).await.unwrap();
        times.bare.push(began.elapsed());
        let began = Instant::now();
        bare.open_bare().await.read_exact(&mut [0]).await.unwrap();
        times.resumed.push(began.elapsed());
        let began = Instant::now();
        hall.open_hall().await.read_exact(&mut [0]).await.unwrap();
        times.hall.push(began.elapsed());
    }
    times
}

#[derive(Clone)]
struct Near {
    far: SocketAddr,
    config: Arc<rustls::ClientConfig>,
    client: HallClient,
    service: ServiceName,
}

impl Near {
    fn new(realm: &Realm, far: SocketAddr) -> Self {
        let (chain, key) = realm.issue(Party::Person("ada".to_owned()), Usage::Client);
        let identity = Identity::new(chain.clone(), &key).unwrap();
        let gateway = realm.gateway();
        let config =
            tls::client_config(identity, realm.bundles(), gateway.clone(), tls::HTTP_1).unwrap();
        let opening = Opening {
            address: far.to_string(),
            gateway,
            bundle: realm.bundle(),
            chain,
            key,
            home: None,
        };
        Self {
            far,
            config,
            client: HallClient::new(opening).unwrap(),
            service: "sink".parse().unwrap(),
        }
    }

    async fn open_bare(&self) -> tokio_rustls::client::TlsStream<TcpStream> {
        let tcp = TcpStream::connect(self.far).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let name = ServerName::try_from("hall").unwrap();
        let connector = TlsConnector::from(Arc::clone(&self.config));
        connector.connect(name, tcp).await.unwrap()
    }

    async fn open_hall(&self) -> stream::BoxStream {
        self.client.stream(&self.service).await.unwrap()
    }

    async fn relay(&self, kind: Kind, mut tcp: TcpStream) {
        match kind {
            Kind::Bare => {
                let mut far = self.open_bare().await;
                let _ =
                    copy_bidirectional_with_sizes(&mut tcp, &mut far, BUFFER_BYTES, BUFFER_BYTES)
                        .await;
            }
            Kind::Hall => {
                let far = self.open_hall().await;
                let _ = stream::join(tcp, far, &hallway_hall::Flow::default()).await;
            }
        }
    }
}

struct Realm {
    authority: Authority,
}

impl Realm {
    fn new() -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.subject_alt_names = vec![SanType::URI("spiffe://bench.example".try_into().unwrap())];
        let certificate = params.self_signed(&key).unwrap();
        let authority = Authority::new(certificate.der(), &key.serialize_der()).unwrap();
        Self { authority }
    }

    fn bundle(&self) -> Bundle {
        Bundle::new(vec![self.authority.certificate().clone()]).unwrap()
    }

    fn bundles(&self) -> Bundles {
        Bundles::new([&self.bundle()]).unwrap()
    }

    fn gateway(&self) -> SpiffeId {
        SpiffeId::new(self.authority.trust_domain().clone(), &Party::Gateway).unwrap()
    }

    fn issue(&self, party: Party, usage: Usage) -> (Vec<CertificateDer<'static>>, HallKey) {
        let key = HallKey::generate().unwrap();
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
        let leaf = Leaf {
            party,
            public_key: key.public(),
            not_before_ms: now,
            not_after_ms: now + 3_600_000,
            usage,
            provenance: None,
        };
        (vec![self.authority.issue(&leaf).unwrap()], key)
    }

    /// The far end: from TLS to the sink.
    async fn listen(&self, kind: Kind, sink: SocketAddr) -> SocketAddr {
        let names = vec!["localhost".to_owned()];
        let (chain, key) = self.issue(Party::Gateway, Usage::Server { names });
        let identity = Identity::new(chain, &key).unwrap();
        let config = tls::server_config(identity, self.bundles()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                tcp.set_nodelay(true).unwrap();
                let acceptor = TlsAcceptor::from(Arc::clone(&config));
                tokio::spawn(async move {
                    match kind {
                        Kind::Bare => serve_bare(acceptor, tcp, sink).await,
                        Kind::Hall => serve_hall(acceptor, tcp, sink).await,
                    }
                });
            }
        });
        address
    }
}

async fn serve_bare(acceptor: TlsAcceptor, tcp: TcpStream, sink: SocketAddr) {
    let Ok(mut near) = acceptor.accept(tcp).await else {
        return;
    };
    let mut far = TcpStream::connect(sink).await.unwrap();
    let _ = copy_bidirectional_with_sizes(&mut near, &mut far, BUFFER_BYTES, BUFFER_BYTES).await;
}

async fn serve_hall(acceptor: TlsAcceptor, tcp: TcpStream, sink: SocketAddr) {
    let Ok(near) = acceptor.accept(tls::Socket::new(tcp)).await else {
        return;
    };
    let address: Address = sink.to_string().parse().unwrap();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let address = address.clone();
        async move {
            let service = "sink".parse().unwrap();
            let open = address.connect(&service);
            Ok::<_, Infallible>(stream::serve(request, Pass::default(), open).await)
        }
    });
    let server = http1::Builder::new();
    let _ = server
        .serve_connection(TokioIo::new(near), service)
        .with_upgrades()
        .await;
}
