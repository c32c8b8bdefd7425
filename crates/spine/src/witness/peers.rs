//! The witnesses that this realm asks, and the logs to which it is witness: configured ones, and partners'.

use std::time::Duration;

use hallway_evidence::log::{CosignerKey, VerifierKey};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use crate::Gateway;
use crate::settings::{WatchedLog, WitnessAddress};
use crate::store::StoreError;

/// The most witnesses that `hallway.toml` names.
const MAX_WITNESSES: usize = 16;
/// How long an answer may take, from the look-up of the name to the last byte.
const PATIENCE: Duration = Duration::from_secs(10);

/// A witness to ask.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its key.
    pub key: CosignerKey,
    /// Its submission prefix.
    pub url: Url,
    /// The connections to it.
    pub client: Client,
}

/// The witness settings of `hallway.toml`.
#[derive(Debug)]
pub struct Configured {
    witnesses: Vec<Peer>,
    logs: Vec<VerifierKey>,
}

/// Why `[[witnesses]]` or `[[witnessed]]` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PeersError {
    /// A witness or a log is configured twice.
    #[error("\"{0}\" stands twice in [[witnesses]] or [[witnessed]]")]
    Twice(String),
    /// There are too many witnesses.
    #[error("[[witnesses]] names {0}; at most 16 are asked")]
    TooMany(usize),
    /// TLS does not start.
    #[error("connections to witnesses: {0}")]
    Client(#[from] reqwest::Error),
}

impl Configured {
    /// Reads the settings. No witness is asked yet.
    ///
    /// # Errors
    /// [`PeersError`].
    pub fn new(witnesses: &[WitnessAddress], watched: &[WatchedLog]) -> Result<Self, PeersError> {
        let client = Client::builder()
            .user_agent(concat!("hallway/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            .build()?;
        let witnesses = witnesses
            .iter()
            .map(|witness| Peer {
                key: witness.key.clone(),
                url: witness.url.as_url().clone(),
                client: client.clone(),
            })
            .collect::<Vec<_>>();
        if witnesses.len() > MAX_WITNESSES {
            return Err(PeersError::TooMany(witnesses.len()));
        }
        let logs: Vec<_> = watched.iter().map(|log| log.key.clone()).collect();
        once(witnesses.iter().map(|witness| witness.key.name()))?;
        once(logs.iter().map(VerifierKey::name))?;
        Ok(Self { witnesses, logs })
    }
}

fn once<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), PeersError> {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(PeersError::Twice(name.to_owned()));
        }
    }
    Ok(())
}

/// The name under which a realm cosigns.
pub fn witness_name(realm: &str) -> String {
    format!("{realm}/witness")
}

/// The key of the log with this origin, if this realm is witness to it.
///
/// # Errors
/// When the database fails.
pub async fn log_key(gateway: &Gateway, origin: &str) -> Result<Option<VerifierKey>, StoreError> {
    if let Some(key) = configured_key(gateway, origin) {
        return Ok(Some(key.clone()));
    }
    for door in gateway.doors.each() {
        if let Some(key) = door.watched_log(gateway, origin).await? {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// The key of the log with this origin that the configuration names.
pub fn configured_key<'g>(gateway: &'g Gateway, origin: &str) -> Option<&'g VerifierKey> {
    let logs = &gateway.witness.configured.logs;
    logs.iter().find(|key| key.name() == origin)
}

/// The witnesses of this realm's log. For a name in the configuration and of a partner, the configuration
/// counts.
///
/// # Errors
/// When the database fails.
pub async fn witnesses(gateway: &Gateway) -> Result<Vec<Peer>, StoreError> {
    let mut peers = gateway.witness.configured.witnesses.clone();
    for door in gateway.doors.each() {
        for peer in door.witnesses(gateway).await? {
            if !peers
                .iter()
                .any(|other| other.key.name() == peer.key.name())
            {
                peers.push(peer);
            }
        }
    }
    Ok(peers)
}

#[cfg(test)]
mod tests {
    use hallway_evidence::log::{CosigningKey, SigningKey};

    use super::*;
    use serde::{Deserialize, Serialize};

    use crate::settings::WitnessAddress;

    #[derive(Serialize, Deserialize)]
    struct File {
        witnesses: Vec<WitnessAddress>,
        witnessed: Vec<WatchedLog>,
    }

    fn witness(name: &str, url: &str) -> WitnessAddress {
        WitnessAddress {
            key: CosigningKey::from_seed(name, &[1; 32])
                .unwrap()
                .cosigner()
                .clone(),
            url: url.parse().unwrap(),
        }
    }

    fn read(witnesses: Vec<WitnessAddress>, logs: &[&str]) -> Result<Configured, PeersError> {
        let file = File {
            witnesses,
            witnessed: logs
                .iter()
                .map(|name| WatchedLog {
                    key: SigningKey::from_seed(name, &[2; 32]).unwrap().verifier(),
                })
                .collect(),
        };
        // Through a file, as an operator writes it.
        let text = toml::to_string(&file).unwrap();
        let file: File = toml::from_str(&text).unwrap();
        Configured::new(&file.witnesses, &file.witnessed)
    }

    #[test]
    fn the_file_names_witnesses_and_logs() {
        let here = witness("a/witness", "http://localhost:81/witness");
        let there = witness("b/witness", "https://b.example/witness/");
        let found = read(vec![here, there], &["c/log"]).unwrap();
        assert_eq!(found.witnesses.len(), 2);
        assert_eq!(found.logs[0].name(), "c/log");
    }

    #[test]
    fn plain_http_two_of_a_name_and_too_many_are_refused() {
        for url in ["http://b.example/", "ftp://localhost/", "b.example"] {
            let text = toml::to_string(&witness("b", "https://b.example/")).unwrap();
            let text = text.replace("https://b.example/", url);
            assert!(toml::from_str::<WitnessAddress>(&text).is_err(), "{url}");
        }
        let twice = vec![witness("b", "https://b"), witness("b", "https://c")];
        assert!(matches!(read(twice, &[]), Err(PeersError::Twice(_))));
        assert!(matches!(
            read(Vec::new(), &["c/log", "c/log"]),
            Err(PeersError::Twice(_))
        ));
        let many = (0..17).map(|n| witness(&format!("w{n}"), "https://w"));
        assert!(matches!(
            read(many.collect(), &[]),
            Err(PeersError::TooMany(17))
        ));
    }
}
