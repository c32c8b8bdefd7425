//! The witness endpoint, as c2sp.org/tlog-witness has it, on two gateways of one realm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, header};
use hallway_evidence::Hash;
use hallway_evidence::log::{
    AddCheckpoint, Appender, Checkpoint, CosignerKey, Level, Plan, SigningKey, TileSet,
};
use hallway_gateway::config::Config;
use hallway_gateway::{Gateway, Start, SystemClock, routes};
use hallway_spine::settings::WatchedLog;
use tower::ServiceExt;

fn key() -> SigningKey {
    SigningKey::from_seed("beta.example/log", &[1; 32]).unwrap()
}

/// A log whose entries from `branch` on are those of another life.
struct Log(Vec<Hash>);

impl Log {
    fn new(branch: u8) -> Self {
        let entry = |n: u8| {
            let mut entry = [n; 32];
            entry[0] = u8::from(n >= branch);
            entry
        };
        Self((0..60).map(entry).collect())
    }

    fn note(&self, size: u64) -> String {
        let grown = Appender::new().append(&self.0[..size as usize]);
        Checkpoint::new(key().name(), grown.size, grown.root)
            .unwrap()
            .sign(&key())
    }

    fn request(&self, old: u64, new: u64) -> String {
        let mut tiles = TileSet::default();
        for (tile, bytes) in Appender::new().append(&self.0[..new as usize]).tiles {
            if tile.level != Level::Entries {
                tiles.insert(tile, &bytes).unwrap();
            }
        }
        let proof = Plan::consistency(old, new).unwrap().hashes(&tiles).unwrap();
        AddCheckpoint::new(old, proof, self.note(new)).to_string()
    }
}

/// A gateway that watches the log.
async fn gateway(folder: &Path) -> Gateway {
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        witnessed: vec![WatchedLog {
            key: key().verifier(),
        }],
        ..Config::default()
    };
    let start = Start {
        folder: folder.to_owned(),
        config,
        operator_key: None,
        clock: Arc::new(SystemClock),
        doors: hallway_gateway::doors::ALL,
    };
    start.ready().await.unwrap().gateway
}

/// What it answers: status, media type, body.
async fn ask(gateway: &Gateway, body: impl Into<Body>) -> (u16, String, String) {
    let request = Request::post("/witness/add-checkpoint")
        .body(body.into())
        .unwrap();
    let answer = routes::router(gateway).oneshot(request).await.unwrap();
    let media_type = answer.headers().get(header::CONTENT_TYPE);
    let media_type = media_type.map(|value| value.to_str().unwrap().to_owned());
    let status = answer.status().as_u16();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 16)
        .await
        .unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    (status, media_type.unwrap_or_default(), body)
}

async fn status(gateway: &Gateway, body: impl Into<Body>) -> u16 {
    ask(gateway, body).await.0
}

async fn size_of(gateway: &Gateway, body: String) -> String {
    let (status, media_type, size) = ask(gateway, body).await;
    assert_eq!((status, media_type.as_str()), (409, "text/x.tlog.size"));
    size
}

fn check(key: &CosignerKey, note: &str, lines: &str) {
    key.cosigned(&format!("{note}{lines}")).unwrap();
    assert_eq!(lines.lines().count(), 1);
}

#[tokio::test]
async fn each_refusal_has_its_status() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(folder.path()).await;
    let log = Log::new(u8::MAX);
    for body in [
        "",
        "{}",
        "old 1\n",
        &log.request(0, 5).replace("old 0", "old 00"),
    ] {
        assert_eq!(status(&gateway, body.to_owned()).await, 400, "{body}");
    }
    assert_eq!(status(&gateway, vec![0xff; 100]).await, 400);
    assert_eq!(status(&gateway, vec![b'x'; 100_000]).await, 413);
    let unknown = SigningKey::from_seed("gamma.example/log", &[1; 32]).unwrap();
    let head = Checkpoint::new(unknown.name(), 1, [1; 32]).unwrap();
    let request = AddCheckpoint::new(0, Vec::new(), head.sign(&unknown));
    assert_eq!(status(&gateway, request.to_string()).await, 404);
    let stranger = SigningKey::from_seed(key().name(), &[2; 32]).unwrap();
    let head = Checkpoint::new(stranger.name(), 1, [1; 32]).unwrap();
    let request = AddCheckpoint::new(0, Vec::new(), head.sign(&stranger));
    assert_eq!(status(&gateway, request.to_string()).await, 403);
    let forged = log.request(0, 5).replacen("\n5\n", "\n6\n", 1);
    assert_eq!(status(&gateway, forged).await, 403);
    let above = log.request(0, 5).replacen("old 0", "old 6", 1);
    assert_eq!(status(&gateway, above).await, 400);

    // Nothing of that left a trace.
    assert_eq!(size_of(&gateway, log.request(3, 5)).await, "0\n");
    let (ok, _, lines) = ask(&gateway, log.request(0, 5)).await;
    assert_eq!(ok, 200);
    check(gateway.witness.key(), &log.note(5), &lines);
    assert_eq!(size_of(&gateway, log.request(0, 9)).await, "5\n");
    assert_eq!(size_of(&gateway, log.request(3, 4)).await, "5\n");
    let (ok, _, lines) = ask(&gateway, log.request(5, 9)).await;
    assert_eq!(ok, 200);
    check(gateway.witness.key(), &log.note(9), &lines);
    let (ok, _, again) = ask(&gateway, log.request(9, 9)).await;
    assert_eq!(ok, 200);
    check(gateway.witness.key(), &log.note(9), &again);

    let spoiled = log.request(9, 12).replacen("\n\n", "\nAAAA\n\n", 1);
    assert_eq!(status(&gateway, spoiled).await, 400);
    let line = format!("\n{}=\n\n", "A".repeat(43));
    let spoiled = log.request(9, 12).replacen("\n\n", &line, 1);
    assert_eq!(status(&gateway, spoiled).await, 422);
    let known = gateway.store.read().witnessed().of(key().name()).await;
    let known = known.unwrap().unwrap();
    assert_eq!(known.doubted.map(|(size, _)| size), Some(12));
    assert_eq!(known.fork, None);
    assert_eq!(status(&gateway, log.request(9, 12)).await, 200);
}

#[tokio::test]
async fn a_rewritten_log_is_refused_for_good_and_the_proof_is_kept() {
    for (known, second) in [(9, 9), (9, 14)] {
        let folder = tempfile::tempdir().unwrap();
        let gateway = gateway(folder.path()).await;
        let (log, rewritten) = (Log::new(u8::MAX), Log::new(4));
        assert_eq!(status(&gateway, log.request(0, known)).await, 200);
        let (got, media_type, words) = ask(&gateway, rewritten.request(known, second)).await;
        // Of two trees of one size no proof tells (c2sp.org/tlog-witness).
        assert_eq!(got, if known == second { 409 } else { 422 });
        assert_ne!(media_type, "text/x.tlog.size");
        assert!(words.contains("rewritten"), "{words}");
        // Whoever asks now, for which of the two lives ever: no.
        for request in [
            log.request(known, 20),
            rewritten.request(known, 20),
            log.request(known, known),
        ] {
            let (status, _, words) = ask(&gateway, request).await;
            assert_eq!(status, 403);
            assert!(words.contains("rewritten"), "{words}");
        }
        let kept = gateway.store.read().witnessed().of(key().name()).await;
        let (fork, _) = kept.unwrap().unwrap().fork.unwrap();
        let forked = fork.verify(&key().verifier()).unwrap();
        assert_eq!((forked.first, forked.second), (known, second));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_gateways_never_cosign_two_trees_of_one_size() {
    let folder = tempfile::tempdir().unwrap();
    let gateways = [gateway(folder.path()).await, gateway(folder.path()).await];
    let cosigner = gateways[0].witness.key().clone();
    assert_eq!(cosigner, *gateways[1].witness.key());
    let lives: [Arc<Log>; 2] = [Arc::new(Log::new(u8::MAX)), Arc::new(Log::new(0))];
    let mut racing = tokio::task::JoinSet::new();
    for round in 0..24u64 {
        for (which, life) in lives.iter().enumerate() {
            let (gateway, life) = (
                gateways[(round as usize + which) % 2].clone(),
                Arc::clone(life),
            );
            racing.spawn(async move {
                let size = 1 + round % 6;
                let (status, _, lines) = ask(&gateway, life.request(0, size)).await;
                (which, size, life.note(size), status, lines)
            });
        }
    }
    let mut signed = std::collections::HashMap::new();
    for (which, size, note, status, lines) in racing.join_all().await {
        if status != 200 {
            assert!(matches!(status, 409 | 422 | 403), "{status}: {lines}");
            continue;
        }
        check(&cosigner, &note, &lines);
        assert_eq!(
            *signed.entry(size).or_insert(which),
            which,
            "two trees of {size}"
        );
    }
    // All that was signed is one log: nothing else was ever cosigned.
    assert_eq!(signed.len(), 1, "{signed:?}");
}
