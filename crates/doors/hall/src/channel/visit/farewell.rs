//! Telling hosts when what one of our people opened there has ended here.
//!
//! A grant ends at home for reasons that the host can't see: the person is suspended, the key was
//! removed, an operator ended it. The host is told within seconds; while it can't be reached it is
//! told again and again, and the visitor's certificate, which is not renewed, ends meanwhile.

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
const PERIOD: Duration = Duration::from_secs(2);

/// How many ends one request tells.
const AT_ONCE: usize = 256;

/// `POST /partner/ended`: openings that have ended at home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The hashes of the evidence that opened them, hexadecimal.
    pub evidence: Vec<String>,
}

/// The answer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {}

impl Ended {
    /// The hashes.
    ///
    /// # Errors
    /// 400 when one of them is none.
    pub fn hashes(&self) -> Result<Vec<EvidenceHash>, Problem> {
        let hashes = self.evidence.iter().map(|hash| hash.parse());
        hashes
            .collect::<Result<_, _>>()
            .map_err(|_| Problem::malformed("the hash of some evidence is none"))
    }
}

/// Looks every two seconds and tells, for good. Every gateway of the realm does: telling twice
/// does no harm. Each host is told by itself, so that one that does not answer holds up no other.
pub async fn keep_telling(gateway: Gateway) {
    let mut telling: JoinSet<(RealmName, Result<(), Problem>)> = JoinSet::new();
    let mut being_told = BTreeSet::new();
    let mut troubles = Troubles::default();
    loop {
        tokio::time::sleep(PERIOD).await;
        while let Some(told) = telling.try_join_next() {
            let (host, result) = match told {
                Ok(told) => told,
                Err(error) => {
                    tracing::error!(%error, "telling a partner of an end broke off");
                    // Whom it was about is not known any more: telling twice does no harm.
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

/// What is in the way, told once for each until it changes.
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
                "a partner was not told of an end"
            );
        }
    }
}

type Ends = BTreeMap<RealmName, Vec<(GrantId, EvidenceHash)>>;

/// Every end of which the host does not know yet. A grant about which nothing can be found out is
/// looked at again, and keeps nobody else from being told.
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

/// The host and the evidence of a grant that opens nothing any more.
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
    for some in grants.chunks(AT_ONCE) {
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
        // Who is no partner any more has put all visitors out already.
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
