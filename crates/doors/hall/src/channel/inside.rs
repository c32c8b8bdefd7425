//! Who is inside through this gateway, and putting them out.

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

/// How often everybody inside is looked at again, and how old an answer may be.
const PERIOD: Duration = Duration::from_secs(2);
/// How long somebody stays inside while the database does not answer.
const BLIND: Duration = Duration::from_secs(30);
/// How long somebody who does nothing is still listed.
const LINGER: Duration = Duration::from_secs(30);

/// Whom a connection or a browser belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The holder of a grant.
    Guest(GrantId),
    /// A partner's person who has shown no evidence yet.
    Newcomer {
        /// The realm where they are at home.
        home: RealmName,
        /// Who, there.
        person: PersonId,
        /// SHA-256 of their public key.
        key: [u8; 32],
    },
    /// A partner's gateway.
    Partner(RealmName),
    /// A machine that provides something.
    Agent {
        /// In which hall.
        hall: HallName,
        /// Called what.
        name: AgentName,
        /// SHA-256 of its public key.
        key: [u8; 32],
    },
}

/// Something that a hall offers.
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

/// Somebody who is inside.
#[derive(Debug)]
pub struct Presence {
    /// Who.
    pub who: Who,
    /// Cancelled to put them out; counts what flows.
    pub pass: Pass,
    checked: Mutex<Checked>,
    /// The certificate that was shown last; nothing for a browser.
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
    /// Cancelled where a right on a thing goes while the grant goes on.
    cuts: BTreeMap<Thing, CancellationToken>,
}

impl Checked {
    /// Takes in what is so now, and cuts what no longer is.
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

/// What is shown of a guest who is inside.
#[derive(Clone, Debug)]
pub struct Glance {
    /// The grant.
    pub grant: GrantId,
    /// In which hall.
    pub hall: HallName,
    /// Whose.
    pub person: PersonId,
    /// The person's name.
    pub name: String,
    /// The realm where they are at home, when it is another one.
    pub home: Option<RealmName>,
    /// Bytes that came from them.
    pub received: u64,
    /// Bytes that went to them.
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
            // Anybody with the authority's key can be one; it comes again for each question.
            Who::Partner(_) => false,
            // It comes again, with its newest certificate.
            Who::Agent { .. } => {
                tls::is_believed(believed, chain, now_ms.min(ends_ms.saturating_sub(1000)))
            }
            // A certificate that has ended is no sign: its authority may have gone in its turn.
            _ => now_ms >= *ends_ms || tls::is_believed(believed, chain, now_ms),
        }
    }

    /// What goes with a request or stream on `thing`: it is cut when the grant ends, and when any
    /// of the rights on it goes that `standing` has.
    pub fn pass_for(&self, standing: &Standing, thing: Thing) -> Pass {
        let mut checked = self.checked();
        let on = |standing: &Standing| -> Vec<Right> {
            let rights = standing.rights.iter();
            let on = rights.filter(|right| Thing::from(*right) == thing);
            on.cloned().collect()
        };
        // What was looked up may have been overtaken since.
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
    /// 403: whoever it is has been put out.
    pub async fn standing(&self, gateway: &Gateway) -> Result<Option<Arc<Standing>>, Problem> {
        {
            let mut checked = self.checked();
            checked.used = Instant::now();
            if checked.at.elapsed() < PERIOD && !self.pass.cut.is_cancelled() {
                return Ok(checked.standing.clone());
            }
        }
        self.look(gateway).await
    }

    /// Asks the database, and cuts what is open when it says no.
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
                if !problem.status().is_server_error() || self.checked().at.elapsed() > BLIND {
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

    /// Lets `who` in, if they may.
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

    /// Looks at everybody again, at once: after something here changed who may be inside.
    pub async fn look_again(&self, gateway: &Gateway) {
        let everybody: Vec<Arc<Presence>> = self.all().values().cloned().collect();
        for presence in everybody {
            // What it says is in the presence, which cuts itself off.
            let _ = presence.look(gateway).await;
        }
        self.all().retain(|_, presence| {
            let busy = Arc::strong_count(presence) > 1 || presence.pass.flow.streams() > 0;
            let idle = presence.checked().used.elapsed() > LINGER;
            !presence.pass.cut.is_cancelled() && (busy || !idle)
        });
    }

    /// Looks at everybody every two seconds, for good.
    pub async fn watch(gateway: Gateway) {
        loop {
            tokio::time::sleep(PERIOD).await;
            gateway.halls().inside.look_again(&gateway).await;
        }
    }

    /// Puts everybody out for whose certificate nobody vouches any more.
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
