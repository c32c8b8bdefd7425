use std::convert::Infallible;

use http::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Barrier, Notify};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::authority::sample::{Realm, realm};
use crate::identity::Party;
use crate::tls;

/// A hall listener of `realm` that answers every request alike, in its own time.
async fn listening<F>(
    realm: &Realm,
    answer: impl Fn() -> F + Clone + Send + Sync + 'static,
) -> Place
where
    F: Future<Output = StatusCode> + Send + 'static,
{
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap().to_string();
    let config = tls::server_config(realm.gateway().identity(), realm.bundles()).unwrap();
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(config);
        loop {
            let (tcp, _) = tcp.accept().await.unwrap();
            let (acceptor, answer) = (acceptor.clone(), answer.clone());
            tokio::spawn(async move {
                let stream = acceptor.accept(tcp).await.unwrap();
                let service = service_fn(move |_: Request<Incoming>| {
                    let answered = answer();
                    async move {
                        let mut response = Response::new(body::empty());
                        *response.status_mut() = answered.await;
                        Ok::<_, Infallible>(response)
                    }
                });
                let server = http1::Builder::new();
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Place {
        address,
        gateway: realm.id(&Party::Gateway),
        bundle: realm.bundle(),
    }
}

fn client(realm: &Realm, host: Place, home: Option<Place>) -> HallClient {
    let holder = realm.person("ada");
    HallClient::new(Opening {
        address: host.address,
        gateway: host.gateway,
        bundle: host.bundle,
        chain: holder.chain,
        key: holder.key,
        home,
    })
    .unwrap()
}

#[tokio::test]
async fn a_grant_is_ended_at_home_without_waiting_for_the_host() {
    let realm = realm("bank.example");
    let both = Arc::new(Barrier::new(2));
    // Neither answers before the other is asked.
    let answer = move || {
        let both = Arc::clone(&both);
        async move {
            both.wait().await;
            StatusCode::NO_CONTENT
        }
    };
    let host = listening(&realm, answer.clone()).await;
    let home = listening(&realm, answer).await;
    client(&realm, host, Some(home)).end().await.unwrap();
}

#[tokio::test]
async fn the_result_of_ending_a_grant_is_that_of_home() {
    let realm = realm("bank.example");
    let (good, bad) = (StatusCode::NO_CONTENT, StatusCode::FORBIDDEN);
    for (at_host, at_home, ended) in [(bad, good, true), (good, bad, false)] {
        let host = listening(&realm, move || async move { at_host }).await;
        let home = listening(&realm, move || async move { at_home }).await;
        let done = client(&realm, host, Some(home)).end().await;
        assert_eq!(done.is_ok(), ended, "{done:?}");
    }
    let alone = listening(&realm, move || async move { bad }).await;
    assert!(client(&realm, alone, None).end().await.is_err());
}

#[tokio::test]
async fn a_host_that_never_answers_a_visit_is_given_up() {
    let realm = realm("bank.example");
    let asked = Arc::new(Notify::new());
    let asking = Arc::clone(&asked);
    let silent = listening(&realm, move || {
        asking.notify_one();
        std::future::pending()
    });
    let client = client(&realm, silent.await, None);
    let visiting = tokio::spawn(async move { client.visit::<Value>(Vec::new()).await });
    asked.notified().await;
    // From here on, only time passes.
    tokio::time::pause();
    let error = visiting.await.unwrap().unwrap_err();
    assert!(
        matches!(error, ClientError::Slow { patience, .. } if patience == ANSWER),
        "{error}"
    );
}
