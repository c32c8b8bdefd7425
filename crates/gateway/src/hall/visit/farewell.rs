//! Telling hosts when what one of our people opened there has ended here.
//!
//! A grant ends at home for reasons that the host can't see: the person is suspended, the key was
//! removed, an operator ended it. The host is told within seconds; while it can't be reached it is
//! told again and again, and the visitor's certificate, which is not renewed, ends meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use hallway_evidence::{GrantId, RealmName};
use serde::{Deserialize, Serialize};
use tokio_util::task::AbortOnDropHandle;

use crate::Gateway;
use crate::hall::Standing;
use crate::http::problem::Problem;
use crate::partners::call;
use crate::store::{EvidenceHash, Grant, GrantKind, PageRequest};

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
/// does no harm. Each host has a task of its own, so that one which does not answer keeps no other
/// from hearing.
pub async fn keep_telling(gateway: Gateway) {
    let mut telling: BTreeMap<RealmName, Telling> = BTreeMap::new();
    let mut complained: BTreeMap<RealmName, String> = BTreeMap::new();
    loop {
        tokio::time::sleep(PERIOD).await;
        let (done, under_way): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut telling)
            .into_iter()
            .partition(|(_, task)| task.is_finished());
        telling = under_way;
        for (host, task) in done {
            match task.await {
                Ok(Err(problem)) if complained.get(&host) != Some(&problem.detail) => {
                    tracing::warn!(%host, detail = problem.detail, "a partner was not told of an end");
                    complained.insert(host, problem.detail);
                }
                Ok(Err(_)) => {}
                Ok(Ok(())) | Err(_) => drop(complained.remove(&host)),
            }
        }
        match untold(&gateway).await {
            Ok(ended) => {
                for (host, grants) in ended {
                    telling.entry(host.clone()).or_insert_with(|| {
                        let told = tell_host(gateway.clone(), host, grants);
                        AbortOnDropHandle::new(tokio::spawn(told))
                    });
                }
            }
            Err(problem) => {
                tracing::warn!(
                    detail = problem.detail,
                    "what ended for visitors is not known"
                );
            }
        }
    }
}

/// A host is being told.
type Telling = AbortOnDropHandle<Result<(), Problem>>;

/// What ended, and its evidence.
type EndedHere = (GrantId, EvidenceHash);

/// What has ended here and is open at a host, by host.
async fn untold(gateway: &Gateway) -> Result<BTreeMap<RealmName, Vec<EndedHere>>, Problem> {
    let now = gateway.now();
    let reader = gateway.store.read();
    let mut ended: BTreeMap<RealmName, Vec<EndedHere>> = BTreeMap::new();
    let mut request = PageRequest::default();
    loop {
        let page = reader.grants().away(now, &request).await?;
        for grant in page.items {
            if let Some((host, ended_here)) = is_over(gateway, grant).await? {
                ended.entry(host).or_default().push(ended_here);
            }
        }
        match page.next {
            Some(next) => request.after = Some(next),
            None => return Ok(ended),
        }
    }
}

async fn tell_host(
    gateway: Gateway,
    host: RealmName,
    grants: Vec<EndedHere>,
) -> Result<(), Problem> {
    for some in grants.chunks(AT_ONCE) {
        tell_some(&gateway, &host, some).await?;
    }
    Ok(())
}

/// The host and the evidence of a grant that opens nothing any more.
async fn is_over(
    gateway: &Gateway,
    grant: Grant,
) -> Result<Option<(RealmName, EndedHere)>, Problem> {
    let GrantKind::Away { host, .. } = grant.kind.clone() else {
        return Ok(None);
    };
    let which = (grant.id, grant.evidence);
    match Standing::of(&gateway.models, gateway.store.read(), grant, gateway.now()).await {
        Ok(_) => Ok(None),
        Err(problem) if problem.status.is_server_error() => Err(problem),
        Err(_) => Ok(Some((host, which))),
    }
}

async fn tell_some(
    gateway: &Gateway,
    host: &RealmName,
    grants: &[EndedHere],
) -> Result<(), Problem> {
    let told = Ended {
        evidence: grants.iter().map(|(_, hash)| hash.to_string()).collect(),
    };
    let answer = call::post::<Heard>(gateway, host, "/partner/ended", &told).await;
    match answer.map_err(Problem::from) {
        Ok(Heard {}) => {}
        // Who is no partner any more has put all visitors out already.
        Err(problem) if problem.code == "not-partner" => {}
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
