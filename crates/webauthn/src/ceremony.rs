//! The steps on flags that 7.1 and 7.2 have in common (WebAuthn Level 3).

use hallway_ctap::authenticator_data::Flags;

use crate::observer::{Observer, Outcome, Step, check};
use crate::policy::{UserPresence, UserVerification};

/// One ceremony's numbers of these steps.
pub(crate) struct Steps {
    pub(crate) present: Step,
    pub(crate) verified: Step,
    pub(crate) backed_up: Step,
}

/// What is wrong with the flags.
pub(crate) enum Problem {
    UserNotPresent,
    UserNotVerified,
    BackedUpButNotEligible,
}

/// 7.1, steps 15 to 17, or 7.2, steps 16 to 18.
#[inline]
pub(crate) fn verify<O: Observer>(
    flags: Flags,
    presence: UserPresence,
    verification: UserVerification,
    steps: &Steps,
    observer: &mut O,
) -> Result<(), Problem> {
    let present = flags.contains(Flags::USER_PRESENT);
    match (present, presence) {
        (false, UserPresence::NotRequired) => {
            let detail = format_args!("the user was not, and the policy does not ask for it");
            observer.step(steps.present, Outcome::Skipped, detail);
        }
        _ => check(
            observer,
            steps.present,
            present,
            format_args!("the flag is {}", set(present)),
            || Problem::UserNotPresent,
        )?,
    }
    let verified = flags.contains(Flags::USER_VERIFIED);
    match (verified, verification) {
        (false, UserVerification::NotRequired) => {
            let detail = format_args!("the user was not, and the policy does not ask for it");
            observer.step(steps.verified, Outcome::Skipped, detail);
        }
        _ => check(
            observer,
            steps.verified,
            verified,
            format_args!("the flag is {}", set(verified)),
            || Problem::UserNotVerified,
        )?,
    }
    let eligible = flags.contains(Flags::BACKUP_ELIGIBLE);
    let backed_up = flags.contains(Flags::BACKED_UP);
    check(
        observer,
        steps.backed_up,
        eligible || !backed_up,
        format_args!("BE is {}, BS is {}", set(eligible), set(backed_up)),
        || Problem::BackedUpButNotEligible,
    )
}

/// A flag in a word.
pub(crate) const fn set(flag: bool) -> &'static str {
    if flag { "set" } else { "not set" }
}
