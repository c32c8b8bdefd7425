//! Looking after partners: fetching their bundles, handing in accepted invitations, and telling
//! realms that were left. For each partner, one gateway of the realm does so at a time.

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

/// The answer of a gateway about its own realm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ourselves {
    /// The description that anybody gets.
    pub description: Description,
    /// SHA-256 of each authority's certificate, hexadecimal, in order.
    pub authorities: Vec<String>,
    /// The partnership with the asker that this gateway knows, hexadecimal.
    pub pact: String,
}

/// The message that a realm was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Left {
    /// The partnership that ended, hexadecimal, so that one that began since is not meant.
    pub pact: String,
}

/// How often a gateway looks for work that is due, and for changes by other gateways of the realm.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long one gateway has the turn: longer than looking after a partner can take.
const TURN_LIFETIME: Duration = Duration::from_secs(120);
/// How long looking after one partner may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(90);
/// After how long a bundle without a hint is fetched again (SPIFFE Federation, 4.1).
const REFRESH_EVERY: Duration = Duration::from_secs(300);
/// The range of a partner's own hint, so that it neither keeps this gateway busy nor keeps it from
/// learning that an authority was withdrawn.
const REFRESH_WITHIN: (Duration, Duration) =
    (Duration::from_secs(60), Duration::from_secs(24 * 3600));
/// When the gateway tries again to hand in a token, or to tell a realm that it was left.
const RETRY_AFTER: Duration = Duration::from_secs(60);
/// How soon after joining the other side is asked on its hall listener: each of its gateways
/// believes this realm's authority within two seconds.
pub const SETTLE: Duration = Duration::from_secs(5);
/// How long the gateway tries to tell a realm that it was left.
const TELL_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// Why looking after a partner failed.
#[derive(Debug, thiserror::Error)]
enum LookError {
    /// Its description.
    #[error("{0}")]
    Fetch(#[from] FetchError),
    /// Its bundle can't be used.
    #[error("its trust bundle: {0}")]
    Bundle(#[from] BundleError),
    /// Its bundle is not believed.
    #[error("its trust bundle is refused: {0}")]
    Refused(#[from] Refused),
    /// Its name or its log has changed.
    #[error("it is no longer what was joined: {0}; leave it and invite it again")]
    Other(&'static str),
    /// Its gateway did not answer over mutual TLS.
    #[error("its gateway cannot be asked on its hall listener: {0}")]
    Call(#[from] CallError),
    /// Its gateway and its web server give different answers.
    #[error("its gateway does not confirm what its web address says: {0}")]
    Unconfirmed(&'static str),
    /// Its gateway ended the partnership.
    #[error("it is a partner no longer")]
    Left,
    /// The database of this realm.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// This gateway failed.
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
            tracing::warn!(%error, "the hall listener keeps the authorities that it believed before");
        }
        match due(&gateway).await {
            Ok(partners) => {
                for partner in partners {
                    let gateway = gateway.clone();
                    looking.spawn(async move {
                        if let Err(problem) = attend(&gateway, partner).await {
                            tracing::warn!(
                                error = problem.detail,
                                "looking after a partner failed"
                            );
                        }
                    });
                }
            }
            Err(error) => tracing::warn!(%error, "partners can't be looked after"),
        }
        while looking.try_join_next().is_some() {}
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = gateway.partners().wake.notified() => {}
        }
    }
}

/// The partners that are due, and for which this gateway has the turn.
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
                Box::pin(async move {
                    unit.partners()
                        .take_turn(realm, now, now.plus(TURN_LIFETIME))
                        .await
                })
            })
            .await;
        if taken? {
            mine.push(partner);
        }
    }
    Ok(mine)
}

/// Does the work that is due for a partner, and notes the outcome.
///
/// # Errors
/// This gateway's database fails. Errors of the partner are noted, for people to see.
pub async fn attend(gateway: &Gateway, partner: Partner) -> Result<(), Problem> {
    let looked = match partner.state {
        PartnerState::Ended => tell(gateway, &partner).await,
        _ => timeout(LOOK_TIMEOUT, look(gateway, &partner))
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
            tracing::info!(partner = %partner.realm, %error, "looking after a partner failed");
            let pause = match partner.state {
                PartnerState::Joining | PartnerState::Ended => RETRY_AFTER,
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

/// The problem, for people to read. It may repeat text of the partner, so it is shortened and made
/// printable.
fn told(error: &impl std::fmt::Display) -> String {
    Line::nearest(&error.to_string()).into()
}

/// Ends a partnership that the other side ended, or that expired.
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

/// Looks after a partner that has not ended, and returns when to look again.
async fn look(gateway: &Gateway, partner: &Partner) -> Result<Timestamp, LookError> {
    let now = gateway.now();
    let waits = matches!(partner.state, PartnerState::Invited | PartnerState::Joining);
    if waits && now >= partner.expires {
        // The row says that the invitation expired, so nothing is left to do.
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
    // The partner's gateway can be asked once both sides are joined and its bundle is known.
    if partner.is_active() && partner.bundle.is_some() {
        confirm(gateway, partner, &described).await?;
    } else if change == Change::ToConfirm {
        // The bundle may have changed meanwhile. Until its gateway can confirm that, only the
        // authorities that an owner signed for count.
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

/// The bundle to keep. A bundle whose authorities did not change keeps its number, so that an
/// attacker with the web address can't use the numbers up.
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

/// Asks the partner's gateway to confirm the answer of its web address, over a connection that an
/// authority in use vouches for.
async fn confirm(
    gateway: &Gateway,
    partner: &Partner,
    described: &Described,
) -> Result<(), LookError> {
    // The hall listener may have moved since; it has to show the same SPIFFE ID.
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

/// Hashes as text for JSON.
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

/// Tells the other side that it was left, and returns when to try again.
async fn tell(gateway: &Gateway, partner: &Partner) -> Result<Timestamp, LookError> {
    let Some((ended, _)) = partner.ended else {
        return Ok(Timestamp::MAX);
    };
    let now = gateway.now();
    if partner.told.is_some() || now >= ended.plus(TELL_FOR) {
        return Ok(Timestamp::MAX);
    }
    let left = Left {
        pact: partner.pact.to_string(),
    };
    let told: Result<serde_json::Value, CallError> =
        call::send(gateway, partner, "/partner/left", &left).await;
    match told {
        Ok(_) => {}
        // The other side has ended the partnership itself.
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
        .map_or(REFRESH_EVERY, Duration::from_secs)
        .clamp(least, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partners_hint_is_followed_within_reason() {
        assert_eq!(interval(None), REFRESH_EVERY);
        assert_eq!(interval(Some(600)), Duration::from_secs(600));
        assert_eq!(interval(Some(0)), REFRESH_WITHIN.0);
        assert_eq!(interval(Some(u64::MAX)), REFRESH_WITHIN.1);
    }
}
