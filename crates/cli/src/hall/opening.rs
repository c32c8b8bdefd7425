//! Opening a hall: one touch, and what it gave.

use hallway_api::hall::{self, Certified, Listener, VisitView, Waits, Welcome};
use hallway_evidence::{GrantId, RealmName};
use hallway_hall::client::{ClientError, HallClient, Opening, certificates};
use hallway_hall::{Bundle, HallKey, Place, Right, SpiffeId};
use serde::Deserialize;
use serde_json::Value;

use super::HallCommandError;
use super::path::HallPlace;
use crate::person::{ActRequest, Caller, Done};

mod check;

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) hall: HallPlace,
    /// If empty, every right that the person has there.
    pub(crate) rights: Vec<Right>,
    /// `None`: the longest that the gateway allows.
    pub(crate) duration_ms: Option<u64>,
}

/// A grant with the certificate for our key.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) id: GrantId,
    pub(crate) rights: Vec<Right>,
    /// Unix milliseconds.
    pub(crate) ends_ms: u64,
    /// The approval that it waits for before it opens anything.
    pub(crate) waits: Option<Waits>,
    certified: Certified,
    /// Where the certificate is renewed, for a hall of a partner.
    home: Option<Listener>,
}

/// An open hall.
pub(crate) struct Opened {
    /// The way in.
    pub(crate) client: HallClient,
    /// What was granted.
    pub(crate) granted: Granted,
    /// The grant's id at the realm of the hall.
    pub(crate) at_host: GrantId,
    /// The hash of the evidence, hexadecimal.
    pub(crate) evidence: String,
}

/// A grant of one's own realm. It opens a partner's hall only once its evidence is shown there.
pub(crate) struct Signed {
    opened: Opened,
    done: Done,
}

/// Makes a key in memory and asks for a grant for it.
///
/// Nothing is open before this returns, and a thread that nothing can interrupt may wait for the
/// touch: so callers let Ctrl-C end the program until then, and listen to signals only afterwards.
///
/// # Errors
/// The person's key or the gateway refuses, or what it gave can't be used.
pub(crate) async fn sign(caller: &mut Caller, wanted: &Wanted) -> Result<Signed, HallCommandError> {
    let key = HallKey::generate()?;
    let rights = match wanted.rights.as_slice() {
        [] => None,
        named => Some(named.to_vec().try_into()?),
    };
    let request = ActRequest::OpenHall {
        host: wanted.hall.host.clone(),
        hall: wanted.hall.hall.clone(),
        rights,
        duration_ms: wanted.duration_ms,
        public_key: *key.public(),
    };
    let done = caller.act(&request).await?;
    let granted = Granted::read(&done.outcome)?;
    check::granted(&done, &granted)?;
    let place = place_of(&granted.certified.listener)?;
    let opening = Opening {
        address: place.address,
        gateway: place.gateway,
        bundle: place.bundle,
        chain: certificates(&granted.certified.certificates),
        key,
        home: granted.home.as_ref().map(place_of).transpose()?,
    };
    let opened = Opened {
        client: HallClient::new(opening)?,
        at_host: granted.id,
        granted,
        evidence: done.evidence.clone(),
    };
    Ok(Signed { opened, done })
}

impl Signed {
    /// Enters the hall: if it is a partner's, shows the evidence there. If that fails, or `stopped`
    /// comes first, ends the grant.
    ///
    /// # Errors
    /// The host refuses or does not answer; [`HallCommandError::Stopped`].
    pub(crate) async fn enter(
        self,
        caller: &mut Caller,
        hall: &HallPlace,
        stopped: impl Future<Output = ()>,
    ) -> Result<Opened, HallCommandError> {
        let Self { mut opened, done } = self;
        let Some(host) = &hall.host else {
            return Ok(opened);
        };
        if caller.realm() == Some(host) {
            return Ok(opened);
        }
        let shown = tokio::select! {
            shown = opened.show_evidence(caller, host, &done) => shown,
            () = stopped => Err(HallCommandError::Stopped),
        };
        if let Err(error) = shown {
            // If the host does not let the visitor in, nothing is left open at home.
            opened.leave().await;
            return Err(error);
        }
        Ok(opened)
    }
}

impl Opened {
    /// Ends the grant.
    pub(super) async fn leave(&self) {
        if let Err(error) = self.client.end().await {
            tracing::debug!(%error, "the grant was not ended; it ends by itself");
        }
    }

    /// Shows the host what was signed, with the proofs of the log at home.
    async fn show_evidence(
        &mut self,
        caller: &mut Caller,
        host: &RealmName,
        done: &Done,
    ) -> Result<(), HallCommandError> {
        let path = format!("/api/grants/{}/visit", self.granted.id);
        let evidence: VisitView = caller.get(&path).await?;
        let bundle = evidence.bundle.0;
        check::shown(done, &bundle)?;
        let abroad = |error: ClientError| HallCommandError::Host {
            host: host.clone(),
            error,
        };
        match self.client.visit::<Welcome>(bundle).await {
            Ok(welcome) => {
                self.at_host = welcome.id;
                self.granted.waits = welcome.waits;
                Ok(())
            }
            // The answer was lost, but the host may have let the visitor in.
            Err(error) if error.is_passing() => self
                .client
                .grant()
                .await
                .map(drop)
                .map_err(|_| abroad(error)),
            Err(error) => Err(abroad(error)),
        }
    }
}

impl Granted {
    /// Reads the grant in the outcome of an act.
    fn read(outcome: &Value) -> Result<Self, HallCommandError> {
        let grant = outcome.get("grant").unwrap_or(&Value::Null);
        let opened = hall::Opened::deserialize(grant)?;
        Ok(Self {
            id: opened.id,
            rights: opened.rights.into(),
            ends_ms: opened.ends_ms,
            waits: opened.waits,
            certified: opened.certified.ok_or(HallCommandError::Certificates)?,
            home: opened.home,
        })
    }
}

fn place_of(listener: &Listener) -> Result<Place, HallCommandError> {
    Ok(Place {
        address: listener.address.clone(),
        gateway: listener.gateway.parse::<SpiffeId>()?,
        bundle: Bundle::new(certificates(&listener.bundle))?,
    })
}
