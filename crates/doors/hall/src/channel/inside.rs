//! The people, agents and gateways that are inside through this gateway, and putting them out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hallway_evidence::statement::hall::{AgentName, HallName, Right, ServiceName, StoreName};
use hallway_evidence::{GrantId, PersonId, RealmName};
use hallway_hall::{Bundles, Pass, tls};
use hallway_spine::Gateway;
use hallway_spine::http::problem::{Code, Problem};
use rustls_pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;

use super::standing::{self, Standing};
use crate::store::{Grant, GrantKind, HallTables};
use crate::{HallsOf, partners};

/// How often the standing of everybody inside is looked up again, and how old an answer may be.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a presence stays inside while the database does not answer.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a presence that does nothing is still listed.
const LISTED_FOR: Duration = Duration::from_secs(30);

/// The owner of a connection or of a browser's requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The holder of a grant.
    Guest(GrantId),
    /// A partner's person who has shown no evidence yet.
    Newcomer {
        /// The person's home realm.
        home: RealmName,
        /// The person's id in that realm.
        person: PersonId,
        /// SHA-256 of the person's public key.
        key: [u8; 32],
    },
    /// A partner's gateway.
    Partner(RealmName),
    /// An agent.
    Agent {
        /// The agent's hall.
        hall: HallName,
        /// The agent's name.
        name: AgentName,
        /// SHA-256 of its public key.
        key: [u8; 32],
    },
}

/// A store or service of a hall.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    /// Files.
    Store(StoreName),
    /// A TCP service.
    Service(ServiceName),
}

impl From<&Right> for Thing {
    fn from(right: &Right) -> Self {
        match right {
            Right::Read(store) | Right::Write(store) | Right::Delete(store) => {
                Self::Store(store.clone())
            }
            Right::Connect(service) => Self::Service(service.clone()),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guest(grant) => write!(f, "the holder of grant {grant}"),
            Self::Newcomer { home, person, .. } => write!(f, "person {person} of {home}"),
            Self::Partner(realm) => write!(f, "the gateway of {realm}"),
            Self::Agent { hall, name, .. } => write!(f, "the agent {name} of {hall}"),
        }
    }
}

/// A presence: one person, agent or gateway that is inside.
#[derive(Debug)]
pub struct Presence {
    /// The owner of the presence.
    pub who: Who,
    /// Cancelled to put the presence out; counts the bytes that flow.
    pub pass: Pass,
    checked: Mutex<Checked>,
    /// The certificate that was shown last; `None` for a browser.
    shown: Mutex<Option<Shown>>,
}

#[derive(Debug)]
struct Shown {
    /// Leaf first.
    chain: Vec<CertificateDer<'static>>,
    ends_ms: u64,
}

#[derive(Debug)]
struct Checked {
    at: Instant,
    used: Instant,
    standing: Option<Arc<Standing>>,
    /// Cancelled when a right on a thing ends while the grant goes on.
    cuts: BTreeMap<Thing, CancellationToken>,
}

impl Checked {
    /// Takes in the new standing, and cuts what it no longer allows.
    fn take(&mut self, asked: Instant, standing: Option<&Arc<Standing>>) {
        let rights = |standing: Option<&Arc<Standing>>| -> BTreeSet<Right> {
            let rights = standing
                .into_iter()
                .flat_map(|standing| standing.rights.iter());
            rights.cloned().collect()
        };
        for lost in rights(self.standing.as_ref()).difference(&rights(standing)) {
            if let Some(cut) = self.cuts.remove(&Thing::from(lost)) {
                cut.cancel();
            }
        }
        self.at = asked;
        self.standing = standing.cloned();
    }
}

/// A guest who is inside, as lists show one.
#[derive(Clone, Debug)]
pub struct Glance {
    /// The grant.
    pub grant: GrantId,
    /// The hall.
    pub hall: HallName,
    /// The person's id.
    pub person: PersonId,
    /// The person's name.
    pub name: String,
    /// The person's home realm, if it is another one.
    pub home: Option<RealmName>,
    /// Bytes received from the guest.
    pub received: u64,
    /// Bytes sent to the guest.
    pub sent: u64,
    /// Streams open now.
    pub streams: usize,
}

/// Everybody who is inside through this gateway.
#[derive(Debug, Default)]
pub struct Inside(Mutex<BTreeMap<Who, Arc<Presence>>>);

impl Presence {
    fn checked(&self) -> MutexGuard<'_, Checked> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the certificate of another connection: its chain, leaf first, and when the leaf ends.
    pub fn shows(&self, chain: &[CertificateDer<'static>], ends_ms: u64) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.as_ref().is_none_or(|shown| shown.chain != chain) {
            let chain = chain.to_vec();
            *shown = Some(Shown { chain, ends_ms });
        }
    }

    /// Whether `believed` still vouch for the certificate that was shown last.
    fn is_believed(&self, believed: &Bundles, now_ms: u64) -> bool {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Shown { chain, ends_ms }) = shown.as_ref() else {
            return true;
        };
        match &self.who {
            // A gateway connects anew for each request, so it need not stay.
            Who::Partner(_) => false,
            // An agent connects again, with its newest certificate.
            Who::Agent { .. } => {
                tls::is_believed(believed, chain, now_ms.min(ends_ms.saturating_sub(1000)))
            }
            // An expired certificate says nothing: its authority may have retired in its turn.
            _ => now_ms >= *ends_ms || tls::is_believed(believed, chain, now_ms),
        }
    }

    /// The token for a request or stream on `thing`. It is cancelled when the grant ends, or when
    /// any right on `thing` ends that `standing` has.
    pub fn pass_for(&self, standing: &Standing, thing: Thing) -> Pass {
        let mut checked = self.checked();
        let on = |standing: &Standing| -> Vec<Right> {
            let rights = standing.rights.iter();
            let on = rights.filter(|right| Thing::from(*right) == thing);
            on.cloned().collect()
        };
        // The standing may have changed since it was looked up.
        let is_so = checked.standing.as_deref().map(on) == Some(on(standing));
        let cut = if is_so {
            let cut = checked.cuts.entry(thing);
            cut.or_insert_with(|| self.pass.cut.child_token()).clone()
        } else {
            let cut = CancellationToken::new();
            cut.cancel();
            cut
        };
        Pass {
            cut,
            flow: Arc::clone(&self.pass.flow),
        }
    }

    /// What the holder of the grant may do now; nothing for an agent. At most two seconds old.
    ///
    /// # Errors
    /// 403: the presence was put out.
    pub async fn standing(&self, gateway: &Gateway) -> Result<Option<Arc<Standing>>, Problem> {
        {
            let mut checked = self.checked();
            checked.used = Instant::now();
            if checked.at.elapsed() < LOOK_EVERY && !self.pass.cut.is_cancelled() {
                return Ok(checked.standing.clone());
            }
        }
        self.look(gateway).await
    }

    /// Asks the database, and cuts what is open if the grant no longer stands.
    async fn look(&self, gateway: &Gateway) -> Result<Option<Arc<Standing>>, Problem> {
        if self.pass.cut.is_cancelled() {
            return Err(put_out());
        }
        let asked = Instant::now();
        match self.ask(gateway).await {
            Ok(standing) => {
                self.checked().take(asked, standing.as_ref());
                Ok(standing)
            }
            Err(problem) => {
                if !problem.status().is_server_error()
                    || self.checked().at.elapsed() > DATABASE_TIMEOUT
                {
                    if problem.code == Code::WaitingForApproval {
                        tracing::debug!(who = %self.who, "not let in before it is approved");
                    } else {
                        tracing::info!(who = %self.who, code = %problem.code, "put out of a hall");
                    }
                    self.pass.cut.cancel();
                }
                Err(problem)
            }
        }
    }

    async fn ask(&self, gateway: &Gateway) -> Result<Option<Arc<Standing>>, Problem> {
        let reader = gateway.store.read();
        match &self.who {
            Who::Guest(id) => {
                let grant = reader.grants().get(*id).await?.ok_or_else(put_out)?;
                let models = &gateway.models;
                let standing = Standing::of(models, reader, grant, gateway.now()).await?;
                Ok(Some(Arc::new(standing)))
            }
            Who::Newcomer { home, .. } | Who::Partner(home) => {
                partners::active(reader, home).await?;
                Ok(None)
            }
            Who::Agent { hall, name, key } => {
                standing::agent(reader, hall, name, key).await?;
                Ok(None)
            }
        }
    }
}

fn put_out() -> Problem {
    Problem::new(
        Code::GrantEnded,
        "this grant has ended; open the hall again",
    )
}

impl Inside {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Who, Arc<Presence>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the holder of `grant` in, if it is good.
    ///
    /// # Errors
    /// As [`Standing::of`].
    pub async fn guest(&self, gateway: &Gateway, grant: &Grant) -> Result<Arc<Presence>, Problem> {
        self.enter(gateway, Who::Guest(grant.id)).await
    }

    /// Lets `who` in, if allowed.
    ///
    /// # Errors
    /// 403.
    pub async fn enter(&self, gateway: &Gateway, who: Who) -> Result<Arc<Presence>, Problem> {
        let found = self.all().get(&who).cloned();
        let known = found.filter(|presence| !presence.pass.cut.is_cancelled());
        let presence = known.unwrap_or_else(|| {
            Arc::new(Presence {
                who: who.clone(),
                pass: Pass::default(),
                checked: Mutex::new(Checked {
                    at: Instant::now(),
                    used: Instant::now(),
                    standing: None,
                    cuts: BTreeMap::new(),
                }),
                shown: Mutex::default(),
            })
        });
        presence.look(gateway).await?;
        // Two connections of one grant may come at once: both are the same presence.
        let mut all = self.all();
        let kept = all.entry(who).or_insert_with(|| Arc::clone(&presence));
        if kept.pass.cut.is_cancelled() {
            *kept = presence;
        }
        Ok(Arc::clone(kept))
    }

    /// The guests inside the halls of this realm, in one of them or in all.
    pub fn guests(&self, hall: Option<&HallName>) -> Vec<Glance> {
        let all = self.all();
        let glance = |presence: &Arc<Presence>| {
            let standing = presence.checked().standing.clone()?;
            let here = !matches!(standing.grant.kind, GrantKind::Away { .. });
            let inside = here && hall.is_none_or(|hall| standing.grant.hall == *hall);
            inside.then(|| Glance {
                grant: standing.grant.id,
                hall: standing.grant.hall.clone(),
                person: standing.person.id,
                name: standing.person.name.clone(),
                home: standing.person.home.clone(),
                received: presence.pass.flow.received(),
                sent: presence.pass.flow.sent(),
                streams: presence.pass.flow.streams(),
            })
        };
        all.values().filter_map(glance).collect()
    }

    /// Looks at everybody again at once, after a change at this gateway.
    pub async fn look_again(&self, gateway: &Gateway) {
        let everybody: Vec<Arc<Presence>> = self.all().values().cloned().collect();
        for presence in everybody {
            // The presence takes in the outcome, and cuts itself off.
            let _ = presence.look(gateway).await;
        }
        self.all().retain(|_, presence| {
            let busy = Arc::strong_count(presence) > 1 || presence.pass.flow.streams() > 0;
            let idle = presence.checked().used.elapsed() > LISTED_FOR;
            !presence.pass.cut.is_cancelled() && (busy || !idle)
        });
    }

    /// Looks at everybody every two seconds, until the gateway stops.
    pub async fn watch(gateway: Gateway) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            gateway.halls().inside.look_again(&gateway).await;
        }
    }

    /// Puts everybody out whose certificate no believed authority vouches for.
    pub fn disbelieve(&self, believed: &Bundles, now_ms: u64) {
        for presence in self.all().values() {
            if !presence.is_believed(believed, now_ms) {
                tracing::info!(who = %presence.who, "put out of a hall: its authority is gone");
                presence.pass.cut.cancel();
            }
        }
    }

    /// Cuts everything: the gateway stops.
    pub fn put_everybody_out(&self) {
        for presence in self.all().values() {
            presence.pass.cut.cancel();
        }
    }
}
