//! Partners' halls in browsers. A browser can show no certificate, so this gateway holds the key of
//! the grant and connects to the partner's hall, as `hallway open` does for a person with a
//! command.
//!
//! The key is derived from the nonce of the statement that names it, so it is stored nowhere, and
//! any gateway of the realm can go on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hallway_api::hall::{Waits, Welcome};
use hallway_evidence::{Evidence, GrantId, RealmName, Statement, Timestamp};
use hallway_hall::client::{self, ClientError};
use hallway_hall::{HallClient, HallKey, Opening, P256PublicKey};
use hallway_spine::Gateway;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::seal::Purpose;
use rustls_pki_types::CertificateDer;
use tokio::sync::OnceCell;
use tokio::time::sleep;
use zeroize::Zeroizing;

use crate::channel::{Presence, Standing};
use crate::partners::{active, place};
use crate::store::{End, Grant, HallTables};
use crate::{HallsOf, certificate, visit};

/// How soon a failed request is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The partners' halls that are open in browsers through this gateway. Nothing is sent under the
/// lock.
#[derive(Default)]
pub struct Proxies(tokio::sync::Mutex<BTreeMap<GrantId, Proxy>>);

/// A partner's hall, entered for a browser.
#[derive(Clone)]
pub struct Proxy {
    host: RealmName,
    grant: Grant,
    /// The connection to the hall, with a certificate that is kept fresh while the grant stands.
    client: HallClient,
    public_key: P256PublicKey,
    arrived: Arc<OnceCell<()>>,
    waits: Arc<Mutex<Option<Waits>>>,
}

/// The state of an opening at the host.
#[derive(Debug)]
pub enum There {
    /// Open, with the rights that the host gives now.
    Open(client::Grant),
    /// Waiting for an approval there. The host names the approvers only in its answer to the
    /// evidence.
    Waiting(Option<Waits>),
    /// Ended or refused by the host, with its reason.
    Over(String),
}

/// The key for the grant of the statement with this nonce.
///
/// # Errors
/// 500: one nonce in four thousand million gives no key.
pub fn key(gateway: &Gateway, nonce: &[u8; 16]) -> Result<HallKey, Problem> {
    let seed = Zeroizing::new(gateway.sealer.seal(Purpose::VisitKey, &[], nonce));
    let mut scalar = Zeroizing::new([0; 32]);
    scalar.copy_from_slice(&seed);
    HallKey::from_scalar(&scalar).map_err(|error| Problem::internal(&error))
}

impl Proxies {
    /// The way to the hall of a browser's grant at `host`.
    ///
    /// # Errors
    /// The host is no partner any more, or has no hall listener.
    pub async fn enter(
        &self,
        gateway: &Gateway,
        host: &RealmName,
        presence: &Arc<Presence>,
        standing: &Standing,
    ) -> Result<Proxy, Problem> {
        let grant = &standing.grant;
        let mut all = self.0.lock().await;
        if let Some(proxy) = all.get(&grant.id) {
            return Ok(proxy.clone());
        }
        let proxy = Proxy::new(gateway, host, grant).await?;
        all.insert(grant.id, proxy.clone());
        let keeping = keep(gateway.clone(), proxy.clone(), Arc::clone(presence));
        tokio::spawn(keeping);
        Ok(proxy)
    }
}

/// Keeps the certificate fresh until the grant ends, and shows it to the host, which puts out
/// visitors whom the home realm no longer certifies.
async fn keep(gateway: Gateway, proxy: Proxy, presence: Arc<Presence>) {
    let mut pause = proxy.until_renewal(&gateway);
    loop {
        tokio::select! {
            () = presence.pass.cut.cancelled() => break,
            () = sleep(pause) => {}
        }
        pause = match proxy.certify(&gateway).await {
            Ok(()) => {
                if let Err(problem) = proxy.look(&gateway).await {
                    tracing::debug!(detail = problem.detail, "a partner was not told");
                }
                proxy.until_renewal(&gateway)
            }
            Err(_) => RETRY_AFTER,
        };
    }
    gateway
        .halls()
        .proxies
        .0
        .lock()
        .await
        .remove(&proxy.grant.id);
}

impl Proxy {
    /// A way to the hall that has sent nothing yet.
    async fn new(gateway: &Gateway, host: &RealmName, grant: &Grant) -> Result<Self, Problem> {
        let reader = gateway.store.read();
        let record = reader.evidence().get(&grant.evidence).await?;
        let bytes = record.and_then(|record| record.bytes);
        let bytes = bytes.ok_or_else(|| Problem::not_found("evidence"))?;
        let evidence = Evidence::decode(&bytes).map_err(unexpected)?;
        let statement = Statement::decode(&evidence.signed.statement).map_err(unexpected)?;
        let key = key(gateway, &statement.nonce)?;
        let public_key = *key.public();
        let partner = active(reader, host).await?;
        let place = place(reader, &partner).await?;
        let client = HallClient::new(Opening {
            address: place.address,
            gateway: place.gateway,
            bundle: place.bundle,
            chain: chain(gateway, grant, &public_key)?,
            key,
            home: None,
        });
        Ok(Self {
            host: host.clone(),
            grant: grant.clone(),
            client: client.map_err(unexpected)?,
            public_key,
            arrived: Arc::default(),
            waits: Arc::default(),
        })
    }

    /// Uses a fresh certificate, and the authorities of the host that are believed now.
    async fn certify(&self, gateway: &Gateway) -> Result<(), Problem> {
        let reader = gateway.store.read();
        let partner = active(reader, &self.host).await?;
        let place = place(reader, &partner).await?;
        let chain = chain(gateway, &self.grant, &self.public_key)?;
        self.client.show(chain, place.bundle).map_err(unexpected)
    }

    /// Two thirds of the certificate's remaining time.
    fn until_renewal(&self, gateway: &Gateway) -> Duration {
        let ends = Timestamp::from_ms(self.client.certificate_ends_ms());
        let left = ends.as_ms().saturating_sub(gateway.now().as_ms());
        Duration::from_millis(left * 2 / 3).max(RETRY_AFTER)
    }

    /// The connection to the hall, once the host has accepted the evidence.
    ///
    /// # Errors
    /// 403: the host does not let the holder in. 502: it can't be reached.
    pub async fn client(&self, gateway: &Gateway) -> Result<&HallClient, Problem> {
        let arrived = self.arrived.get_or_try_init(|| async {
            match self.look(gateway).await? {
                There::Open(_) | There::Waiting(_) => Ok(()),
                There::Over(why) => Err(Problem::new(Code::GrantEnded, why)),
            }
        });
        arrived.await?;
        Ok(&self.client)
    }

    /// Asks the host for the state of the opening, and shows it the evidence if it has not seen it.
    /// An opening that has ended there ends here.
    ///
    /// # Errors
    /// 502: the host can't be reached.
    pub async fn look(&self, gateway: &Gateway) -> Result<There, Problem> {
        let mut asked = self.client.grant().await;
        if is_newcomer(&asked) {
            let bundle = visit::brought(gateway, &self.host, &self.grant).await?;
            let shown = self.client.visit::<Welcome>(bundle.encode()).await;
            asked = self.client.grant().await;
            match shown {
                Ok(welcome) => *self.waits() = welcome.waits,
                Err(error) if is_newcomer(&asked) => asked = Err(error),
                // Another request of this browser came first.
                Err(_) => {}
            }
        }
        match asked {
            Ok(grant) => Ok(There::Open(grant)),
            Err(ClientError::Problem(problem)) if problem.is(Code::WaitingForApproval) => {
                Ok(There::Waiting(self.waits().clone()))
            }
            Err(ClientError::Problem(problem))
                if problem.status == 403 || problem.status == 409 =>
            {
                self.end(gateway).await?;
                Ok(There::Over(problem.detail))
            }
            Err(error) => Err(Problem::new(
                Code::PartnerAway,
                format!("{}: {error}", self.host),
            )),
        }
    }

    fn waits(&self) -> MutexGuard<'_, Option<Waits>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn end(&self, gateway: &Gateway) -> Result<(), Problem> {
        let id = self.grant.id;
        let end = &End::by(self.grant.person, gateway.now());
        gateway
            .transact(|unit| {
                Box::pin(async move {
                    unit.grants().end(id, end).await?;
                    Ok::<_, Problem>(())
                })
            })
            .await?;
        gateway.halls().inside.look_again(gateway).await;
        Ok(())
    }
}

/// A certificate for the key of `grant`.
fn chain(
    gateway: &Gateway,
    grant: &Grant,
    public_key: &P256PublicKey,
) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let certified = certificate::guest(gateway, grant, public_key)?;
    let der = certified.certificates.into_iter();
    Ok(der.map(|der| CertificateDer::from(der.0)).collect())
}

fn is_newcomer(asked: &Result<client::Grant, ClientError>) -> bool {
    asked
        .as_ref()
        .is_err_and(|error| error.code() == Some(Code::Newcomer))
}

fn unexpected(error: impl std::error::Error) -> Problem {
    Problem::internal(&error)
}
