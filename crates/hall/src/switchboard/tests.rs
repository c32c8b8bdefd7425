use std::path::Path;

use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::agent::{AgentEvent, Provided};
use crate::authority::Usage;
use crate::authority::sample::{QUARTER_HOUR_MS, now_ms, realm};
use crate::body;
use crate::client::{ClientError, HallClient};
use crate::files::FolderStore;
use crate::identity::Party;
use crate::site::{Site, hall};

fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(name: &str) -> T {
    name.parse().unwrap()
}

/// A service that answers with what it got, once that has ended.
async fn echo() -> Provided {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut reader, mut writer) = tcp.split();
                tokio::io::copy(&mut reader, &mut writer).await.unwrap();
                writer.shutdown().await.unwrap();
            });
        }
    });
    let mut provided = Provided::default();
    provided.services.insert(name("echo"), name(&address));
    provided
}

fn folder(path: &Path) -> Provided {
    let mut provided = Provided::default();
    let store = FolderStore::open(path).unwrap();
    provided.stores.insert(name("data"), Arc::new(store));
    provided
}

async fn ask(client: &HallClient, method: &str, path: &str, body: Body) -> (u16, Bytes) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(body)
        .unwrap();
    let response = client.forward(request).await.unwrap();
    let status = response.status().as_u16();
    (
        status,
        response.into_body().collect().await.unwrap().to_bytes(),
    )
}

async fn says(stream: &mut BoxStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut heard = vec![0; text.len()];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, text.as_bytes());
}

#[tokio::test]
async fn a_stream_leads_to_the_gateways_own_service_and_ends_on_both_sides() {
    let site = Site::new(echo().await, &["connect:echo"]).await;
    let mut stream = site.client().stream(&name("echo")).await.unwrap();
    says(&mut stream, "hello").await;
    let flow = Arc::clone(&site.shared.pass.flow);
    assert_eq!((flow.received(), flow.streams()), (5, 1));
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    while flow.streams() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(flow.sent(), 5);
}

#[tokio::test]
async fn all_of_a_long_echo_comes_back_after_the_sender_has_ended() {
    for by_agent in [false, true] {
        let provided = if by_agent {
            Provided::default()
        } else {
            echo().await
        };
        let site = Site::new(provided, &["connect:echo"]).await;
        let mut agent = None;
        if by_agent {
            let (stop, mut events) = site.agent(echo().await);
            events.recv().await.unwrap();
            site.agents(1).await;
            agent = Some(stop);
        }
        let stream = site.client().stream(&name("echo")).await.unwrap();
        let (mut reader, mut writer) = tokio::io::split(stream);
        let data: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let sent = data.clone();
        tokio::spawn(async move {
            writer.write_all(&sent).await.unwrap();
            writer.shutdown().await.unwrap();
        });
        let mut heard = Vec::new();
        reader.read_to_end(&mut heard).await.unwrap();
        assert!(heard == data, "{} of {} bytes", heard.len(), data.len());
        drop(agent);
    }
}

#[tokio::test]
async fn a_stream_leads_to_an_agents_service() {
    let site = Site::new(Provided::default(), &["connect:echo"]).await;
    let (_stop, mut events) = site.agent(echo().await);
    assert_eq!(events.recv().await, Some(AgentEvent::Connected));
    site.agents(1).await;
    let provides = site.shared.switchboard.provides(&hall());
    assert!(provides[0].1.services.contains("echo"));

    let client = site.client();
    let mut streams = Vec::new();
    for number in 0..20 {
        let mut stream = client.stream(&name("echo")).await.unwrap();
        says(&mut stream, &format!("stream {number}")).await;
        streams.push(stream);
    }
    for stream in &mut streams {
        says(stream, "still there").await;
    }
}

#[tokio::test]
async fn a_service_that_is_not_on_the_list_is_not_reached() {
    let site = Site::new(Provided::default(), &["connect:echo"]).await;
    let (_stop, mut events) = site.agent(echo().await);
    events.recv().await.unwrap();
    site.agents(1).await;
    let Err(ClientError::Problem(problem)) = site.client().stream(&name("ssh")).await else {
        panic!("it was reached");
    };
    assert_eq!(
        (problem.status, problem.code.as_str()),
        (503, "not-provided")
    );
    // Nor by an agent that is asked for what it does not provide.
    let link = site.shared.switchboard.find(&hall(), |_| true).unwrap();
    let refused = link.open(What::Service(name("ssh"))).await.err().unwrap();
    assert_eq!(refused.code, "not-found");
}

#[tokio::test]
async fn a_service_that_is_down_is_told_from_behind_the_agent() {
    let mut provided = echo().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    drop(taken);
    provided.services.insert(name("down"), name(&address));
    let site = Site::new(Provided::default(), &["connect:echo"]).await;
    let (_stop, mut events) = site.agent(provided);
    events.recv().await.unwrap();
    site.agents(1).await;
    let error = site.client().stream(&name("down")).await.err().unwrap();
    let ClientError::Problem(problem) = &error else {
        panic!("{error}");
    };
    assert_eq!(
        (problem.status, problem.code.as_str()),
        (502, "service-down")
    );
    assert!(error.is_passing());
}

#[tokio::test]
async fn files_of_an_agent_are_reached_with_the_rights_of_the_grant() {
    let far = tempfile::tempdir().unwrap();
    let site = Site::new(Provided::default(), &["read:data", "write:data"]).await;
    let (_stop, mut events) = site.agent(folder(far.path()));
    events.recv().await.unwrap();
    site.agents(1).await;
    let client = site.client();
    let big = Bytes::from(vec![7; 3_000_000]);
    let path = "/files/data/a%20b?x=1";
    let (status, _) = ask(&client, "PUT", path, body::full(big.clone())).await;
    assert_eq!(status, 201);
    assert!(std::fs::read(far.path().join("a b")).unwrap() == big);
    let (status, got) = ask(&client, "GET", path, body::empty()).await;
    assert!((status, got) == (200, big));
    let (status, list) = ask(&client, "GET", "/files/data", body::empty()).await;
    assert_eq!(status, 200);
    assert!(String::from_utf8(list.to_vec()).unwrap().contains("a b"));
    let (status, _) = ask(&client, "DELETE", path, body::empty()).await;
    assert_eq!(status, 403);
    assert_eq!(site.shared.pass.flow.received(), 3_000_000);
    // One after the other, they share the agent's connections.
    let before = site
        .shared
        .handshakes
        .load(std::sync::atomic::Ordering::Relaxed);
    for _ in 0..20 {
        ask(&client, "HEAD", path, body::empty()).await;
    }
    let after = site
        .shared
        .handshakes
        .load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_killed_agent_is_missed_at_once_and_back_when_it_starts_again() {
    let far = tempfile::tempdir().unwrap();
    let site = Site::new(Provided::default(), &["read:data", "write:data"]).await;
    let (stop, mut events) = site.agent(folder(far.path()));
    events.recv().await.unwrap();
    site.agents(1).await;
    let client = site.client();
    let put = |body| ask(&client, "PUT", "/files/data/a", body);
    assert_eq!(put(body::full("one")).await.0, 201);
    stop.cancel();
    site.agents(0).await;
    let (status, problem) = put(body::full("two")).await;
    assert_eq!(status, 503);
    assert!(
        String::from_utf8(problem.to_vec())
            .unwrap()
            .contains("not-provided")
    );
    let (_stop, mut events) = site.agent(folder(far.path()));
    events.recv().await.unwrap();
    site.agents(1).await;
    assert_eq!(put(body::full("three")).await.0, 204);
    assert_eq!(std::fs::read(far.path().join("a")).unwrap(), b"three");
}

#[tokio::test]
async fn a_newer_connection_of_an_agent_takes_over() {
    let site = Site::new(Provided::default(), &["connect:echo"]).await;
    let (_first, mut events) = site.agent(Provided::default());
    events.recv().await.unwrap();
    site.agents(1).await;
    let (_second, mut newer) = site.agent(echo().await);
    newer.recv().await.unwrap();
    assert!(matches!(events.recv().await, Some(AgentEvent::Lost { .. })));
    site.agents(1).await;
}

#[tokio::test]
async fn an_ended_grant_cuts_open_streams() {
    let site = Site::new(echo().await, &["connect:echo"]).await;
    let mut stream = site.client().stream(&name("echo")).await.unwrap();
    says(&mut stream, "hello").await;
    site.shared.pass.cut.cancel();
    // Without the end that TLS knows, so that nobody takes it for the end of the data.
    let ended = stream.read_to_end(&mut Vec::new()).await;
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_renewed_certificate_is_used_from_then_on() {
    let site = Site::new(Provided::default(), &["read:data"]).await;
    let now = now_ms();
    let ada = Party::Person("ada".to_owned());
    let client = site.client_of(
        site.realm
            .issue(ada, Usage::Client, now, now + QUARTER_HOUR_MS),
    );
    let first = client.grant().await.unwrap();
    assert_eq!(first.certificate_ends_ms, client.certificate_ends_ms());
    let renewed = client.renew().await.unwrap();
    assert!(renewed.certificate_ends_ms > first.certificate_ends_ms);
    assert_eq!(client.certificate_ends_ms(), renewed.certificate_ends_ms);
    let second = client.grant().await.unwrap();
    assert_eq!(second.certificate_ends_ms, renewed.certificate_ends_ms);
}

#[tokio::test]
async fn a_client_says_clearly_why_it_is_refused() {
    let site = Site::new(Provided::default(), &["connect:echo"]).await;
    let stranger = site.client_of(realm("bank.example").person("ada"));
    let error = stranger.grant().await.unwrap_err();
    assert!(error.to_string().contains("UnknownCA"), "{error}");
    assert!(!error.is_passing(), "{error}");

    let address = site.address;
    let client = site.client();
    drop(site);
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let error = client.grant().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert!(error.is_passing());
}

#[tokio::test]
async fn nobody_dials_for_a_stream_that_nobody_waits_for() {
    let site = Site::new(Provided::default(), &["connect:echo"]).await;
    let request = stream::upgrade_request("/agent/dial/1", STREAM_PROTOCOL).unwrap();
    let answer = site
        .shared
        .switchboard
        .dial(&hall(), &name("far"), "1", request)
        .await;
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn properties_of_an_agents_files_are_written_at_the_gateway() {
    let far = tempfile::tempdir().unwrap();
    std::fs::create_dir(far.path().join("sub")).unwrap();
    std::fs::write(far.path().join("a b.txt"), "hello").unwrap();
    let site = Site::new(Provided::default(), &["read:data"]).await;
    let (_stop, mut events) = site.agent(folder(far.path()));
    events.recv().await.unwrap();
    site.agents(1).await;
    let properties = |path: &'static str, depth: &'static str| {
        let client = site.client();
        async move {
            let request = Request::builder()
                .method("PROPFIND")
                .uri(path)
                .header("depth", depth)
                .body(body::empty())
                .unwrap();
            let response = client.forward(request).await.unwrap();
            let status = response.status().as_u16();
            let whole = response.into_body().collect().await.unwrap().to_bytes();
            (status, String::from_utf8(whole.to_vec()).unwrap())
        }
    };
    let (status, list) = properties("/files/data/", "1").await;
    assert_eq!(status, 207);
    for place in ["/files/data/", "/files/data/sub/", "/files/data/a%20b.txt"] {
        assert!(
            list.contains(&format!("<D:href>{place}</D:href>")),
            "{place}: {list}"
        );
    }
    assert!(list.contains("<D:getcontentlength>5</D:getcontentlength>"));
    let (status, one) = properties("/files/data/a%20b.txt", "0").await;
    assert_eq!((status, one.matches("<D:response>").count()), (207, 1));
    let (status, missing) = properties("/files/data/other", "0").await;
    assert_eq!(status, 404);
    assert!(missing.contains("not-found"), "{missing}");
    assert_eq!(properties("/files/data/", "infinity").await.0, 403);
}

#[tokio::test]
async fn an_agent_that_may_not_provide_something_hears_why_and_ends() {
    let far = tempfile::tempdir().unwrap();
    let mut provided = folder(far.path());
    let store = Arc::new(FolderStore::open(far.path()).unwrap());
    provided.stores.insert(name("denied"), store);
    let site = Site::new(Provided::default(), &["read:data"]).await;
    let refused = site.run_agent(provided).await.unwrap_err();
    let ClientError::Problem(problem) = &refused else {
        panic!("{refused}");
    };
    assert_eq!(
        (problem.status, problem.code.as_str()),
        (403, "not-invited-for")
    );
    assert!(problem.detail.contains("“denied”"));
    assert!(site.shared.switchboard.provides(&hall()).is_empty());
}
