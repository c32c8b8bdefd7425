//! Looking after partners: fetching their bundles, handing in what was accepted, and telling who
//! was left. One gateway of the realm does so at a time for each partner.

use std::time::Duration;

use axum::http::Method;
use hallway_client::backoff::jittered;
use hallway_evidence::{Line, Timestamp};
use hallway_hall::{BundleError, Published};
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::store::StoreError;
use hallway_spine::{Gateway, sha256};
use hallway_webauthn::wire::Base64Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::call::{self, CallError};
use super::description::{Described, Description, authorities, own_realm};
use super::fetch::FetchError;
use super::pinning::{self, Change, InUse, Refused};
use super::trust;
use crate::HallsOf;
use crate::depends::{self, Ended};
use crate::partners::TOKEN;
use crate::store::{BundleState, EndedBy, HallTables, Learned, Partner, PartnerState};

/// This realm, as its gateway itself says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ourselves {
    /// The same that anybody gets.
    pub description: Description,
    /// SHA-256 of each authority's certificate, hexadecimal, in order.
    pub authorities: Vec<String>,
    /// Which partnership this gateway takes the asker to be in, hexadecimal.
    pub pact: String,
}

/// That this realm was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Left {
    /// Which partnership ended, hexadecimal: not one that was begun since.
    pub pact: String,
}

/// How often a gateway sees what is due, and what another one of the realm changed.
const POLL: Duration = Duration::from_secs(2);
/// How long one gateway has the turn: longer than looking can take.
const TURN: Duration = Duration::from_secs(120);
/// How long looking at one partner may take.
const PATIENCE: Duration = Duration::from_secs(90);
/// After how long a bundle without a hint is fetched again (SPIFFE Federation, 4.1).
const REFRESH: Duration = Duration::from_secs(300);
/// What a partner's own hint may say at the least and at the most, so that it neither keeps us busy
/// nor keeps us from learning that an authority was withdrawn.
const REFRESH_WITHIN: (Duration, Duration) =
    (Duration::from_secs(60), Duration::from_secs(24 * 3600));
/// When handing in a token, or telling who was left, is tried again.
const RETRY: Duration = Duration::from_secs(60);
/// How soon after joining the other side is asked on its hall listener: each gateway of it believes
/// us within two seconds.
pub const SETTLE: Duration = Duration::from_secs(5);
/// For how long who was left is told.
const TELL: Duration = Duration::from_secs(7 * 24 * 3600);

/// Why looking at a partner brought nothing.
#[derive(Debug, thiserror::Error)]
enum LookError {
    /// What it publishes.
    #[error("{0}")]
    Fetch(#[from] FetchError),
    /// What is left of its bundle.
    #[error("its trust bundle: {0}")]
    Bundle(#[from] BundleError),
    /// Its bundle is not believed.
    #[error("its trust bundle is refused: {0}")]
    Refused(#[from] Refused),
    /// It says that it is another realm, or has another log.
    #[error("it is no longer what was joined: {0}; leave it and invite it again")]
    Other(&'static str),
    /// Its gateway did not answer over mutual TLS.
    #[error("its gateway cannot be asked on its hall listener: {0}")]
    Call(#[from] CallError),
    /// Its gateway says something else than its web server.
    #[error("its gateway does not confirm what its web address says: {0}")]
    Unconfirmed(&'static str),
    /// Its gateway ended it.
    #[error("it is a partner no longer")]
    Left,
    /// What is known here.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// This gateway.
    #[error("{}", .0.detail)]
    Own(Problem),
}

impl From<Problem> for LookError {
    fn from(problem: Problem) -> Self {
        Self::Own(problem)
    }
}

/// Looks after partners for as long as the gateway serves.
pub async fn keep_up(gateway: Gateway) {
    let mut looking = JoinSet::new();
    loop {
        if let Err(error) = trust::follow(&gateway).await {
            tracing::warn!(%error, "who is believed on the hall listener stays as it was");
        }
        match due(&gateway).await {
            Ok(partners) => {
                for partner in partners {
                    let gateway = gateway.clone();
                    looking.spawn(async move {
                        if let Err(problem) = attend(&gateway, partner).await {
                            tracing::warn!(error = problem.detail, "looking after a partner");
                        }
                    });
                }
            }
            Err(error) => tracing::warn!(%error, "partners are not looked at"),
        }
        while looking.try_join_next().is_some() {}
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = gateway.partners().wake.notified() => {}
        }
    }
}

/// The partners whose turn it is, and this gateway's turn.
async fn due(gateway: &Gateway) -> Result<Vec<Partner>, StoreError> {
    let now = gateway.now();
    let all = gateway.store.read().partners().all().await?;
    let mut mine = Vec::new();
    for partner in all {
        if now < partner.next_attempt {
            continue;
        }
        let realm = &partner.realm;
        let taken: Result<bool, StoreError> = gateway
            .store
            .transact(|unit| {
                Box::pin(async move { unit.partners().take_turn(realm, now, now.plus(TURN)).await })
            })
            .await;
        if taken? {
            mine.push(partner);
        }
    }
    Ok(mine)
}

/// Does what there is to do for a partner now, and notes how that went.
///
/// # Errors
/// This gateway's own database. What the partner does wrong is noted, for people to see.
pub async fn attend(gateway: &Gateway, partner: Partner) -> Result<(), Problem> {
    let looked = match partner.state {
        PartnerState::Ended => tell(gateway, &partner).await,
        _ => timeout(PATIENCE, look(gateway, &partner))
            .await
            .unwrap_or(Err(LookError::Call(CallError::Slow))),
    };
    let now = gateway.now();
    let (problem, next) = match looked {
        Ok(next) => (None, next),
        Err(LookError::Left) => {
            let by = EndedBy::Them;
            end(gateway, &partner, by).await?;
            return Ok(());
        }
        Err(LookError::Fetch(FetchError::Spent)) => {
            end(gateway, &partner, EndedBy::Them).await?;
            (Some(told(&FetchError::Spent)), Timestamp::MAX)
        }
        Err(error) => {
            tracing::info!(partner = %partner.realm, %error, "looking at a partner");
            let pause = match partner.state {
                PartnerState::Joining | PartnerState::Ended => RETRY,
                _ => interval(partner.bundle.as_ref().and_then(|bundle| bundle.refresh_s)),
            };
            (Some(told(&error)), now.plus(jittered(pause)))
        }
    };
    let (realm, pact, problem) = (&partner.realm, &partner.pact, problem.as_deref());
    gateway
        .transact(|unit| {
            Box::pin(async move {
                let partners = unit.partners();
                let noted = partners.note_attempt(realm, pact, now, problem, next).await;
                Ok::<_, Problem>(noted?)
            })
        })
        .await?;
    trust::follow(gateway)
        .await
        .map_err(|error| Problem::internal(&error))
}

/// What went wrong, for people to read: some of it are the partner's own words, so it is short and
/// can't deceive.
fn told(error: &impl std::fmt::Display) -> String {
    Line::nearest(&error.to_string()).into()
}

/// Ends a partnership as the other side, or time, has ended it.
///
/// # Errors
/// The database.
pub async fn end(gateway: &Gateway, partner: &Partner, by: EndedBy) -> Result<bool, Problem> {
    let (realm, pact, now) = (&partner.realm, &partner.pact, gateway.now());
    let ended = gateway
        .transact(|unit| {
            Box::pin(async move {
                let ended = unit.partners().end(realm, pact, by, now).await?;
                if ended {
                    let ended = Ended::Partnership(realm.clone());
                    depends::end(gateway, unit, ended, None).await?;
                }
                Ok::<_, Problem>(ended)
            })
        })
        .await?;
    if ended {
        tracing::info!(%realm, by = by.as_str(), "a partnership ended");
        gateway.partners().wake();
        gateway.halls().inside.look_again(gateway).await;
    }
    Ok(ended)
}

/// Looks at a partner that has not ended; gives when to look again.
async fn look(gateway: &Gateway, partner: &Partner) -> Result<Timestamp, LookError> {
    let now = gateway.now();
    let waits = matches!(partner.state, PartnerState::Invited | PartnerState::Joining);
    if waits && now >= partner.expires {
        // The row says that it expired; there is nothing more to look for.
        return Ok(Timestamp::MAX);
    }
    let mut described = gateway.partners().fetcher.realm(&partner.origin).await?;
    if described.realm != partner.realm {
        return Err(LookError::Other("it calls itself by another name"));
    }
    if described.log != partner.log {
        return Err(LookError::Other("its log has another key"));
    }
    let bytes = gateway
        .store
        .read()
        .partners()
        .bundle(&partner.realm)
        .await?;
    let in_use = bytes
        .as_deref()
        .map(Published::from_json)
        .transpose()
        .map_err(|error| Problem::internal(&error))?;
    let (known, sequence) = pinning::known(partner, in_use.as_ref());
    let in_use_now = InUse {
        authorities: &known,
        sequence,
    };
    let change = pinning::compare(in_use_now, &described.published)?;
    // Its gateway can be asked once both sides are joined and there is a bundle to know it by.
    if partner.is_active() && partner.bundle.is_some() {
        confirm(gateway, partner, &described).await?;
    } else if change == Change::ToConfirm {
        // It may have got another one meanwhile. Until its gateway can confirm that, those count
        // that an owner signed for.
        described = described.only(&known)?;
    }
    let refresh_s = described.published.refresh_seconds;
    let learned = learned(partner, described, change, now);
    let (realm, pact, learned) = (&partner.realm, &partner.pact, &learned);
    gateway
        .store
        .transact(|unit| Box::pin(async move { unit.partners().learn(realm, pact, learned).await }))
        .await
        .map_err(|error: StoreError| LookError::Store(error))?;
    if partner.state == PartnerState::Joining {
        hand_in(gateway, partner).await?;
        return Ok(now.plus(SETTLE));
    }
    Ok(now.plus(jittered(interval(refresh_s))))
}

/// What is kept. A bundle whose authorities did not change keeps its number, so that whoever gets
/// hold of the web address can't use the numbers up.
fn learned(partner: &Partner, described: Described, change: Change, now: Timestamp) -> Learned {
    let state = match &partner.bundle {
        Some(known) if change == Change::None => BundleState {
            refresh_s: described.published.refresh_seconds,
            fetched: now,
            ..known.clone()
        },
        _ => BundleState {
            sha256: sha256(&described.document),
            sequence: described.published.sequence,
            refresh_s: described.published.refresh_seconds,
            fetched: now,
        },
    };
    Learned {
        bundle: (state, described.document),
        hall: Some(described.hall),
        witness: described.witness,
    }
}

/// Has the partner's gateway itself say what its web address says, in a connection that an
/// authority in use vouches for.
async fn confirm(
    gateway: &Gateway,
    partner: &Partner,
    described: &Described,
) -> Result<(), LookError> {
    // It may have moved since; who answers there has to show the same SPIFFE ID.
    let there = Partner {
        hall: Some(described.hall.clone()),
        ..partner.clone()
    };
    let said: Result<Ourselves, CallError> =
        call::ask(gateway, &there, Method::GET, "/partner/realm", None).await;
    let said = match said {
        Ok(said) => said,
        Err(error) if error.refusal() == Some(Code::NotPartner) => return Err(LookError::Left),
        Err(error) => return Err(error.into()),
    };
    if said.pact != partner.pact.to_string() {
        return Err(LookError::Left);
    }
    if said.authorities != hexadecimal(&authorities(&described.published.bundle)) {
        return Err(LookError::Unconfirmed("other authorities"));
    }
    if said.description.log != partner.log {
        return Err(LookError::Unconfirmed("another log"));
    }
    let same_witness = match (&said.description.witness, &described.witness) {
        (None, None) => true,
        (Some(said), Some(published)) => said.vkey == published.key,
        _ => false,
    };
    if !same_witness {
        return Err(LookError::Unconfirmed("another witness"));
    }
    Ok(())
}

/// Hashes as they stand in JSON.
pub fn hexadecimal(hashes: &[[u8; 32]]) -> Vec<String> {
    hashes.iter().map(hex::encode).collect()
}

/// Hands in the token of an invitation that was accepted here.
async fn hand_in(gateway: &Gateway, partner: &Partner) -> Result<(), LookError> {
    let sealed = partner.sealed_token.as_deref().unwrap_or_default();
    let token = gateway.partners().operator.open(TOKEN, sealed);
    let token = token.map_err(|error| Problem::internal(&error))?;
    let token = Zeroizing::new(Base64Url::from(token.as_slice()).to_string());
    let joined = gateway
        .partners()
        .fetcher
        .join(&partner.origin, &own_realm(gateway)?, token)
        .await?;
    if joined.realm != partner.realm {
        return Err(LookError::Other("it calls itself by another name"));
    }
    let (realm, pact, now) = (&partner.realm, &partner.pact, gateway.now());
    gateway
        .transact(|unit| {
            Box::pin(async move {
                Ok::<_, Problem>(
                    unit.partners()
                        .join(realm, pact, now, now.plus(SETTLE))
                        .await?,
                )
            })
        })
        .await?;
    tracing::info!(%realm, "joined a partner");
    Ok(())
}

/// Tells the other side that it was left; gives when to try again.
async fn tell(gateway: &Gateway, partner: &Partner) -> Result<Timestamp, LookError> {
    let Some((ended, _)) = partner.ended else {
        return Ok(Timestamp::MAX);
    };
    let now = gateway.now();
    if partner.told.is_some() || now >= ended.plus(TELL) {
        return Ok(Timestamp::MAX);
    }
    let left = Left {
        pact: partner.pact.to_string(),
    };
    let told: Result<serde_json::Value, CallError> =
        call::send(gateway, partner, "/partner/left", &left).await;
    match told {
        Ok(_) => {}
        // It has ended it itself.
        Err(error) if error.refusal() == Some(Code::NotPartner) => {}
        Err(error) => return Err(error.into()),
    }
    let (realm, pact) = (&partner.realm, &partner.pact);
    gateway
        .transact(|unit| {
            Box::pin(async move { Ok::<_, Problem>(unit.partners().told(realm, pact, now).await?) })
        })
        .await?;
    Ok(Timestamp::MAX)
}

/// After how long a bundle with this hint is fetched again.
fn interval(hint_s: Option<u64>) -> Duration {
    let (least, most) = REFRESH_WITHIN;
    hint_s
        .map_or(REFRESH, Duration::from_secs)
        .clamp(least, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partners_hint_is_followed_within_reason() {
        assert_eq!(interval(None), REFRESH);
        assert_eq!(interval(Some(600)), Duration::from_secs(600));
        assert_eq!(interval(Some(0)), REFRESH_WITHIN.0);
        assert_eq!(interval(Some(u64::MAX)), REFRESH_WITHIN.1);
    }
}
