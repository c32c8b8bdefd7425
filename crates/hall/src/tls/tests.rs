use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::rustls::{AlertDescription, HandshakeKind, pki_types::ServerName};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

use super::*;
use crate::authority::Usage;
use crate::authority::sample::{Holder, QUARTER_HOUR_MS, Realm, now_ms, realm};
use crate::identity::Party;

const HOUR_MS: u64 = 4 * QUARTER_HOUR_MS;

struct Server {
    config: Arc<ServerConfig>,
}

impl Server {
    fn new(realm: &Realm) -> Self {
        Self::trusting(realm, realm.bundles())
    }

    fn trusting(realm: &Realm, bundles: Bundles) -> Self {
        let config = server_config(realm.gateway().identity(), bundles).unwrap();
        Self { config }
    }

    /// One connection: what the client and what the server see.
    async fn meet(
        &self,
        client: Arc<ClientConfig>,
    ) -> (io::Result<TlsStream<DuplexStream>>, Result<Svid, String>) {
        let (near, far) = duplex(64 * 1024);
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config));
        let serving = tokio::spawn(async move {
            let mut stream = acceptor
                .accept(far)
                .await
                .map_err(|error| error.to_string())?;
            stream.write_all(b"!").await.unwrap();
            peer(stream.get_ref().1, now_ms()).map_err(|error| error.to_string())
        });
        let name = ServerName::try_from("hall").unwrap();
        let client = async {
            let mut stream = TlsConnector::from(client).connect(name, near).await?;
            // In TLS 1.3 a client learns from its first read whether it was let in.
            stream.read_exact(&mut [0]).await?;
            Ok(stream)
        }
        .await;
        (client, serving.await.unwrap())
    }
}

fn client(realm: &Realm, holder: &Holder) -> Arc<ClientConfig> {
    let gateway = realm.id(&Party::Gateway);
    client_config(holder.identity(), realm.bundles(), gateway, HTTP_1).unwrap()
}

fn alert(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

#[tokio::test]
async fn both_ends_learn_who_the_other_is() {
    let bank = realm("bank.example");
    let (met, seen) = Server::new(&bank)
        .meet(client(&bank, &bank.person("ada")))
        .await;
    assert_eq!(
        seen.unwrap().id.to_string(),
        "spiffe://bank.example/person/ada"
    );
    let met = met.unwrap();
    let gateway = peer(met.get_ref().1, now_ms()).unwrap();
    assert_eq!(gateway.id.to_string(), "spiffe://bank.example/gateway");
    assert_eq!(met.get_ref().1.alpn_protocol(), Some(HTTP_1));
}

#[tokio::test]
async fn certificates_that_do_not_hold_are_refused_with_an_alert_that_says_why() {
    let (bank, shop) = (realm("bank.example"), realm("shop.example"));
    // Says that it is the bank, and is not: another authority of the same name.
    let forger = realm("bank.example");
    let now = now_ms();
    let ada = || Party::Person("ada".to_owned());
    let names = vec!["localhost".to_owned()];
    let cases = [
        (
            "expired",
            bank.issue(ada(), Usage::Client, now - HOUR_MS, now - 2000),
            AlertDescription::CertificateExpired,
        ),
        (
            "not yet valid",
            bank.issue(ada(), Usage::Client, now + HOUR_MS, now + 2 * HOUR_MS),
            AlertDescription::CertificateExpired,
        ),
        ("foreign", shop.person("ada"), AlertDescription::UnknownCA),
        (
            "self-made",
            forger.person("ada"),
            AlertDescription::UnknownCA,
        ),
        (
            "a server's",
            bank.issue(Party::Gateway, Usage::Server { names }, now, now + HOUR_MS),
            AlertDescription::UnsupportedCertificate,
        ),
    ];
    let server = Server::new(&bank);
    for (what, holder, expected) in cases {
        let (met, seen) = server.meet(client(&bank, &holder)).await;
        assert!(seen.is_err(), "{what}");
        assert_eq!(alert(&met.unwrap_err()), Some(expected), "{what}");
    }
}

#[tokio::test]
async fn nobody_comes_in_without_a_certificate() {
    let bank = realm("bank.example");
    let anonymous = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier::Gateway::new(
            bank.bundles(),
            bank.id(&Party::Gateway),
            &provider(),
        )))
        .with_no_client_auth();
    let (met, seen) = Server::new(&bank).meet(Arc::new(anonymous)).await;
    assert!(seen.is_err());
    assert_eq!(
        alert(&met.unwrap_err()),
        Some(AlertDescription::CertificateRequired)
    );
}

#[tokio::test]
async fn a_client_refuses_a_server_that_is_not_the_gateway() {
    let (bank, shop) = (realm("bank.example"), realm("shop.example"));
    let now = now_ms();
    let names = || vec!["localhost".to_owned()];
    let person = Party::Person("eve".to_owned());
    for (what, holder) in [
        ("another realm's gateway", shop.gateway()),
        (
            "a person with a server's certificate",
            bank.issue(person, Usage::Server { names: names() }, now, now + HOUR_MS),
        ),
        (
            "a gateway with a client's certificate",
            bank.issue(Party::Gateway, Usage::Client, now, now + HOUR_MS),
        ),
        (
            "an expired gateway",
            bank.issue(
                Party::Gateway,
                Usage::Server { names: names() },
                now - HOUR_MS,
                now - 2000,
            ),
        ),
    ] {
        let server = Server {
            config: server_config(holder.identity(), bank.bundles()).unwrap(),
        };
        let (met, _) = server.meet(client(&bank, &bank.person("ada"))).await;
        assert!(met.is_err(), "{what}");
    }
}

#[tokio::test]
async fn two_realms_vouch_each_for_its_own_people_only() {
    let (bank, shop) = (realm("bank.example"), realm("shop.example"));
    let both = Bundles::new([&bank.bundle(), &shop.bundle()]).unwrap();
    let server = Server::trusting(&bank, both);
    let (_, seen) = server.meet(client(&bank, &shop.person("bob"))).await;
    assert_eq!(
        seen.unwrap().id.to_string(),
        "spiffe://shop.example/person/bob"
    );
    // An authority of the shop that makes people of the bank.
    let forger = realm("bank.example");
    let (_, seen) = server.meet(client(&bank, &forger.person("ada"))).await;
    assert!(seen.is_err());
}

#[tokio::test]
async fn sessions_are_resumed_and_keep_their_name() {
    let bank = realm("bank.example");
    let (server, config) = (Server::new(&bank), client(&bank, &bank.person("ada")));
    let (first, _) = server.meet(Arc::clone(&config)).await;
    assert_eq!(
        first.unwrap().get_ref().1.handshake_kind(),
        Some(HandshakeKind::Full)
    );
    let (second, seen) = server.meet(config).await;
    assert_eq!(
        second.unwrap().get_ref().1.handshake_kind(),
        Some(HandshakeKind::Resumed)
    );
    assert_eq!(seen.unwrap().id.path(), "/person/ada");
}

#[tokio::test]
async fn a_resumed_session_ends_with_its_certificate() {
    let bank = realm("bank.example");
    let server = Server::new(&bank);
    let (met, _) = server.meet(client(&bank, &bank.person("ada"))).await;
    let met = met.unwrap();
    let end = peer(met.get_ref().1, now_ms()).unwrap().not_after_ms;
    assert_eq!(peer(met.get_ref().1, end), Err(PeerError::Expired));
    assert!(peer(met.get_ref().1, end - 1).is_ok());
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_from_the_next_handshake_on() {
    let bank = realm("bank.example");
    let server = Server::new(&bank);
    let ada = bank.person("ada");
    let identity = ada.identity();
    let eve = bank.person("eve");
    assert!(identity.replace(eve.chain.clone(), &ada.key).is_err());
    identity.replace(eve.chain.clone(), &eve.key).unwrap();
    let gateway = bank.id(&Party::Gateway);
    let config = client_config(identity, bank.bundles(), gateway, HTTP_1).unwrap();
    let (_, seen) = server.meet(config).await;
    assert_eq!(seen.unwrap().id.path(), "/person/eve");
}

#[tokio::test]
async fn older_versions_of_tls_are_refused() {
    let bank = realm("bank.example");
    let ada = bank.person("ada");
    let old = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier::Gateway::new(
            bank.bundles(),
            bank.id(&Party::Gateway),
            &provider(),
        )))
        .with_client_cert_resolver(ada.identity());
    let (met, _) = Server::new(&bank).meet(Arc::new(old)).await;
    assert_eq!(
        alert(&met.unwrap_err()),
        Some(AlertDescription::ProtocolVersion)
    );
}
