//! How the realm's authorities take turns: a decision over what is there and the time, without a
//! clock, a key or a database.
//!
//! There is always one that signs and one that is next. The next one is in the trust bundle from
//! the moment that it is made, so when its turn comes, or when the one that signs has to go at once,
//! others know it already. The one of before stays in the bundle until nothing that it signed can
//! be valid any more.

use std::time::Duration;

use hallway_evidence::Timestamp;

use crate::store::{OwnAuthority, OwnStage};

/// The longest that anything lasts that an authority signs.
pub const LONGEST_CERTIFICATE: Duration = DAY;
/// How long an authority's certificate lasts: it is next for a quarter, signs for a quarter, and a
/// realm whose gateways all stood still for half a year finds it good.
pub const LIFETIME: Duration = Duration::from_secs(365 * DAY.as_secs());
/// For how long an authority signs. Two are always known, so a partner that did not look for this
/// long can still follow.
const SIGNS: Duration = Duration::from_secs(90 * DAY.as_secs());
/// After how long in the bundle everybody knows an authority: whoever shows a certificate that is
/// valid got it, and the bundle with it, within this time, and partners look at least as often.
const KNOWN: Duration = DAY;
/// How long one that signs no more stays: until the last certificate ends, and an hour for clocks
/// that differ and for a gateway that heard of it late.
const DRAINS: Duration = Duration::from_secs(DAY.as_secs() + 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How the one that signs is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// By one that everybody knows. What was signed before stays good until it ends.
    InTurn,
    /// At once, because a key may be in other hands: nothing that was signed before is good.
    AtOnce,
}

/// The next one is not known to everybody yet; at this time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotYet(pub Timestamp);

/// One thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Make one that is next.
    Prepare,
    /// Let the next one sign.
    Sign,
    /// Take one out of the bundle, and forget its key.
    Drop([u8; 32]),
}

/// The one that signs.
#[must_use]
pub fn signing(all: &[OwnAuthority]) -> Option<&OwnAuthority> {
    in_stage(all, OwnStage::Signing)
}

/// The one that signs next.
#[must_use]
pub fn next(all: &[OwnAuthority]) -> Option<&OwnAuthority> {
    in_stage(all, OwnStage::Next)
}

/// When the one that signs is replaced by itself.
#[must_use]
pub fn replaced_by_itself(signing: &OwnAuthority) -> Timestamp {
    let last = signing.expires.as_ms();
    // As long before its end, so that nothing that it signs outlives it.
    let last = last.saturating_sub(SIGNS.as_secs() * 1000);
    signing.since.plus(SIGNS).min(Timestamp::from_ms(last))
}

/// Until when one that signs no more stays.
#[must_use]
pub fn stays_until(retiring: &OwnAuthority) -> Timestamp {
    retiring.since.plus(DRAINS)
}

/// Does all that is due at `now`. `make` gives a fresh authority, published and next as of `now`.
///
/// # Errors
/// What `make` says.
pub fn settle<E>(
    mut all: Vec<OwnAuthority>,
    now: Timestamp,
    mut make: impl FnMut() -> Result<OwnAuthority, E>,
) -> Result<Vec<OwnAuthority>, E> {
    while let Some(step) = step(&all, now) {
        match step {
            Step::Prepare => all.push(make()?),
            Step::Sign => sign(&mut all, now),
            Step::Drop(gone) => all.retain(|authority| authority.sha256 != gone),
        }
    }
    Ok(all)
}

/// Whether nothing is due at `now`.
#[must_use]
pub fn is_settled(all: &[OwnAuthority], now: Timestamp) -> bool {
    step(all, now).is_none()
}

/// Whether the next one may sign in turn.
///
/// # Errors
/// [`NotYet`].
pub fn may_replace(all: &[OwnAuthority], now: Timestamp) -> Result<(), NotYet> {
    match (signing(all), next(all)) {
        // Whoever learned of the one that signs learned of this one by the same bundle.
        (Some(signing), Some(next)) if next.published <= signing.published => Ok(()),
        (Some(_), Some(next)) if now < next.published.plus(KNOWN) => {
            Err(NotYet(next.published.plus(KNOWN)))
        }
        _ => Ok(()),
    }
}

/// Replaces the one that signs, out of its turn. What is due after that is [`settle`]'s.
///
/// # Errors
/// [`NotYet`], for a replacement in turn.
pub fn replace(
    mut all: Vec<OwnAuthority>,
    now: Timestamp,
    how: Replacement,
) -> Result<Vec<OwnAuthority>, NotYet> {
    if how == Replacement::InTurn {
        may_replace(&all, now)?;
    }
    sign(&mut all, now);
    if how == Replacement::AtOnce {
        all.retain(|authority| authority.stage == OwnStage::Signing);
    }
    Ok(all)
}

fn step(all: &[OwnAuthority], now: Timestamp) -> Option<Step> {
    let over = |authority: &OwnAuthority| now >= authority.expires;
    let gone = |authority: &&OwnAuthority| match authority.stage {
        OwnStage::Signing => false,
        OwnStage::Next => over(authority),
        OwnStage::Retiring => now >= stays_until(authority),
    };
    if let Some(gone) = all.iter().find(gone) {
        return Some(Step::Drop(gone.sha256));
    }
    if next(all).is_none() {
        return Some(Step::Prepare);
    }
    let due = signing(all).is_none_or(|signing| {
        let known = may_replace(all, now).is_ok();
        now >= replaced_by_itself(signing) && known || over(signing)
    });
    due.then_some(Step::Sign)
}

/// The next one signs from `now`, and the one that signed does not.
fn sign(all: &mut [OwnAuthority], now: Timestamp) {
    for authority in all {
        let stage = match authority.stage {
            OwnStage::Next => OwnStage::Signing,
            OwnStage::Signing => OwnStage::Retiring,
            OwnStage::Retiring => continue,
        };
        (authority.stage, authority.since) = (stage, now);
    }
}

fn in_stage(all: &[OwnAuthority], stage: OwnStage) -> Option<&OwnAuthority> {
    all.iter().find(|authority| authority.stage == stage)
}

#[cfg(test)]
mod tests;
