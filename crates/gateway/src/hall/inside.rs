//! Who is inside through this gateway, and putting them out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hallway_evidence::statement::hall::Name;
use hallway_evidence::{GrantId, PersonId};
use hallway_hall::Pass;

use super::standing::{self, Standing};
use crate::Gateway;
use crate::http::problem::Problem;
use crate::store::Grant;

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
    /// A machine that provides something.
    Agent {
        /// In which hall.
        hall: Name,
        /// Called what.
        name: Name,
        /// SHA-256 of its public key.
        key: [u8; 32],
    },
}

/// Somebody who is inside.
#[derive(Debug)]
pub struct Presence {
    /// Who.
    pub who: Who,
    /// Cancelled to put them out; counts what flows.
    pub pass: Pass,
    checked: Mutex<Checked>,
}

#[derive(Debug)]
struct Checked {
    at: Instant,
    used: Instant,
    standing: Option<Arc<Standing>>,
}

/// What is shown of a guest who is inside.
#[derive(Clone, Debug)]
pub struct Glance {
    /// The grant.
    pub grant: GrantId,
    /// In which hall.
    pub hall: Name,
    /// Whose.
    pub person: PersonId,
    /// The person's name.
    pub name: String,
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
                let mut checked = self.checked();
                checked.at = asked;
                checked.standing.clone_from(&standing);
                Ok(standing)
            }
            Err(problem) => {
                if !problem.status.is_server_error() || self.checked().at.elapsed() > BLIND {
                    tracing::info!(who = ?self.who, code = problem.code, "put out of a hall");
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
                let standing = Standing::of(&gateway.models, reader, grant, gateway.now()).await?;
                Ok(Some(Arc::new(standing)))
            }
            Who::Agent { hall, name, key } => {
                standing::agent(reader, hall, name, key).await?;
                Ok(None)
            }
        }
    }
}

fn put_out() -> Problem {
    Problem::forbidden("grant-ended", "this grant has ended; open the hall again")
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
                }),
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

    /// The guests inside, in one hall or in all.
    pub fn guests(&self, hall: Option<&Name>) -> Vec<Glance> {
        let all = self.all();
        let glance = |presence: &Arc<Presence>| {
            let standing = presence.checked().standing.clone()?;
            let inside = hall.is_none_or(|hall| standing.grant.hall == *hall);
            inside.then(|| Glance {
                grant: standing.grant.id,
                hall: standing.grant.hall.clone(),
                person: standing.person.id,
                name: standing.person.name.clone(),
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
            gateway.halls.inside.look_again(&gateway).await;
        }
    }

    /// Cuts everything: the gateway stops.
    pub fn put_everybody_out(&self) {
        for presence in self.all().values() {
            presence.pass.cut.cancel();
        }
    }
}
