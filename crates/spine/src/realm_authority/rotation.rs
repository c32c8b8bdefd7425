//! Decides how the realm's authorities follow each other, from their states and the time, without a
//! clock, a key or a database.
//!
//! One authority signs, and one is next. The next one is in the trust bundle from the moment that it is
//! made. So when it takes over, in turn or at once, others know it already. A former authority stays in
//! the bundle until no certificate of it can be valid any more.

use std::time::Duration;

use hallway_evidence::Timestamp;

use crate::store::{OwnAuthority, OwnStage};

/// The longest validity of anything that an authority signs.
pub const LONGEST_CERTIFICATE: Duration = DAY;
/// The validity of an authority's certificate. It is next for a quarter and signs for a quarter, and is
/// still valid if all gateways of the realm stand still for half a year.
pub const LIFETIME: Duration = Duration::from_secs(365 * DAY.as_secs());
/// How long an authority signs. Two are always known, so a partner that did not look for this long can
/// still follow.
const SIGNS: Duration = Duration::from_secs(90 * DAY.as_secs());
/// How long an authority is in the bundle until everybody knows it: every holder of a valid certificate
/// got the certificate and the bundle within this time, and partners look at least as often.
const KNOWN: Duration = DAY;
/// How long a former authority stays: until its last certificate ends, and an hour more for clocks that
/// differ and gateways that notice late.
const DRAINS: Duration = Duration::from_secs(DAY.as_secs() + 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How the signing authority is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// By an authority that everybody knows. Certificates of the old one stay valid until they end.
    InTurn,
    /// At once, because somebody else may have the key. Certificates of the old one are refused.
    AtOnce,
}

/// The next authority is not known to everybody yet. It will be at this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotYet(pub Timestamp);

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Make the authority that is next.
    Prepare,
    /// Let the next authority sign.
    Sign,
    /// Take an authority out of the bundle, and delete its key.
    Drop([u8; 32]),
}

/// The authority that signs.
#[must_use]
pub fn signing(all: &[OwnAuthority]) -> Option<&OwnAuthority> {
    in_stage(all, OwnStage::Signing)
}

/// The authority that signs next.
#[must_use]
pub fn next(all: &[OwnAuthority]) -> Option<&OwnAuthority> {
    in_stage(all, OwnStage::Next)
}

/// When the next authority takes over by itself.
#[must_use]
pub fn replaced_by_itself(signing: &OwnAuthority) -> Timestamp {
    let last = signing.expires.as_ms();
    // So long before its end that no certificate outlives it.
    let last = last.saturating_sub(SIGNS.as_secs() * 1000);
    signing.since.plus(SIGNS).min(Timestamp::from_ms(last))
}

/// The time until which a former authority stays.
#[must_use]
pub fn stays_until(retiring: &OwnAuthority) -> Timestamp {
    retiring.since.plus(DRAINS)
}

/// Takes all steps that are due at `now`. `make` makes an authority, published and next as of `now`.
///
/// # Errors
/// The error of `make`.
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

/// Whether no step is due at `now`.
#[must_use]
pub fn is_settled(all: &[OwnAuthority], now: Timestamp) -> bool {
    step(all, now).is_none()
}

/// Whether the next authority may take over in turn.
///
/// # Errors
/// [`NotYet`].
pub fn may_replace(all: &[OwnAuthority], now: Timestamp) -> Result<(), NotYet> {
    match (signing(all), next(all)) {
        // A realm that knows the signing authority got this one in the same bundle.
        (Some(signing), Some(next)) if next.published <= signing.published => Ok(()),
        (Some(_), Some(next)) if now < next.published.plus(KNOWN) => {
            Err(NotYet(next.published.plus(KNOWN)))
        }
        _ => Ok(()),
    }
}

/// Replaces the signing authority now. [`settle`] takes the steps that are due after that.
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

/// The next authority signs from `now`, and the former one does not.
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
