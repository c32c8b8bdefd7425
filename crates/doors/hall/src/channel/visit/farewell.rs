//! Telling hosts that an opening of one of this realm's people has ended.
//!
//! A grant ends at home for reasons that the host can't see: the person is suspended, the key was
//! removed, an operator ended it. The host is told within seconds. If it can't be reached, the
//! gateway tries again, and the visitor's certificate, which is not renewed, expires meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hallway_evidence::{GrantId, RealmName};
use hallway_spine::Gateway;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::store::{EvidenceHash, PageRequest};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::HallsOf;
use crate::channel::Standing;
use crate::partners::call;
use crate::store::{Grant, GrantKind, HallTables};

/// How often the grants are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The most ends that one request names.
const MOST_ENDS: usize = 256;

/// The body of `POST /partner/ended`: openings that have ended at home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The hashes of the evidence that opened them, hexadecimal.
    pub evidence: Vec<String>,
}

/// The answer to `POST /partner/ended`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {}

impl Ended {
    /// The hashes.
    ///
    /// # Errors
    /// 400 if one of them is not a hash.
    pub fn hashes(&self) -> Result<Vec<EvidenceHash>, Problem> {
        let hashes = self.evidence.iter().map(|hash| hash.parse());
        hashes
            .collect::<Result<_, _>>()
            .map_err(|_| Problem::malformed("a hash of evidence must be 64 hexadecimal digits"))
    }
}

/// Looks every two seconds and tells hosts, until the gateway stops. Every gateway of the realm
/// does so, because telling twice does no harm. Each host is told in a task of its own, so that one
/// that does not answer delays no other.
pub async fn keep_telling(gateway: Gateway) {
    let mut telling: JoinSet<(RealmName, Result<(), Problem>)> = JoinSet::new();
    let mut being_told = BTreeSet::new();
    let mut troubles = Troubles::default();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        while let Some(told) = telling.try_join_next() {
            let (host, result) = match told {
                Ok(told) => told,
                Err(error) => {
                    tracing::error!(%error, "a task that tells a partner of ended grants failed");
                    // The partner of the task is not known any more; telling twice does no harm.
                    being_told.clear();
                    continue;
                }
            };
            being_told.remove(&host);
            troubles.note(&host.to_string(), result);
        }
        let ended = match ended(&gateway, &mut troubles).await {
            Ok(ended) => ended,
            Err(problem) => {
                troubles.note("the grants", Err(problem));
                continue;
            }
        };
        troubles.note("the grants", Ok(()));
        let waiting = ended.values().map(Vec::len).sum();
        gateway.partners().note_farewells(waiting);
        for (host, grants) in ended {
            if being_told.insert(host.clone()) {
                let gateway = gateway.clone();
                telling.spawn(async move {
                    let told = tell_host(&gateway, &host, &grants).await;
                    (host, told)
                });
            }
        }
    }
}

/// Logs what is in the way, once for each partner until it changes.
#[derive(Default)]
struct Troubles(BTreeMap<String, String>);

impl Troubles {
    fn note(&mut self, whose: &str, result: Result<(), Problem>) {
        let Err(problem) = result else {
            self.0.remove(whose);
            return;
        };
        let before = self.0.insert(whose.to_owned(), problem.detail.clone());
        if before.as_ref() != Some(&problem.detail) {
            tracing::warn!(
                whose,
                detail = problem.detail,
                "a partner was not told of ended grants"
            );
        }
    }
}

type Ends = BTreeMap<RealmName, Vec<(GrantId, EvidenceHash)>>;

/// Every end that the host was not told of yet. A grant whose evidence can't be read is tried again
/// later, and delays no other.
async fn ended(gateway: &Gateway, troubles: &mut Troubles) -> Result<Ends, Problem> {
    let now = gateway.now();
    let reader = gateway.store.read();
    let mut ended = Ends::new();
    let mut request = PageRequest::default();
    loop {
        let page = reader.grants().away(now, &request).await?;
        for grant in page.items {
            let whose = grant.id.to_string();
            let over = is_over(gateway, grant).await;
            match over {
                Ok(Some((host, ended_here))) => ended.entry(host).or_default().push(ended_here),
                Ok(None) => {}
                Err(problem) => {
                    troubles.note(&whose, Err(problem));
                    continue;
                }
            }
            troubles.note(&whose, Ok(()));
        }
        match page.next {
            Some(next) => request.after = Some(next),
            None => return Ok(ended),
        }
    }
}

/// The host and the evidence of a grant that has ended.
async fn is_over(
    gateway: &Gateway,
    grant: Grant,
) -> Result<Option<(RealmName, (GrantId, EvidenceHash))>, Problem> {
    let GrantKind::Away { host, .. } = grant.kind.clone() else {
        return Ok(None);
    };
    let which = (grant.id, grant.evidence);
    match Standing::of(&gateway.models, gateway.store.read(), grant, gateway.now()).await {
        Ok(_) => Ok(None),
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(_) => Ok(Some((host, which))),
    }
}

/// Tells one host of its ends, as many as one request takes at a time.
async fn tell_host(
    gateway: &Gateway,
    host: &RealmName,
    grants: &[(GrantId, EvidenceHash)],
) -> Result<(), Problem> {
    for some in grants.chunks(MOST_ENDS) {
        tell_some(gateway, host, some).await?;
    }
    Ok(())
}

async fn tell_some(
    gateway: &Gateway,
    host: &RealmName,
    grants: &[(GrantId, EvidenceHash)],
) -> Result<(), Problem> {
    let told = Ended {
        evidence: grants.iter().map(|(_, hash)| hash.to_string()).collect(),
    };
    let answer = call::post::<Heard>(gateway, host, "/partner/ended", &told).await;
    match answer.map_err(Problem::from) {
        Ok(Heard {}) => {}
        // A realm that is no partner any more has put all visitors out already.
        Err(problem) if problem.code == Code::NotPartner => {}
        Err(problem) => return Err(problem),
    }
    let now = gateway.now();
    gateway
        .transact(|unit| {
            Box::pin(async move {
                for (id, _) in grants {
                    unit.grants().note_told(*id, now).await?;
                }
                Ok::<_, Problem>(())
            })
        })
        .await
}
