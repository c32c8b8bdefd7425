//! The steps that 7.1 and 7.2 have in common (WebAuthn Level 3); those on client data are in
//! `client_data.rs`.

use aws_lc_rs::digest::{Digest, SHA256, digest};
use hallway_ctap::authenticator_data::{AuthenticatorData, Flags};

use crate::observer::{Hex, Observer, Outcome, Step, check};
use crate::policy::{UserPresence, UserVerification};
use crate::relying_party::RelyingParty;

/// One ceremony's numbers of these steps.
pub(crate) struct Steps {
    pub(crate) rp_id: Step,
    pub(crate) present: Step,
    pub(crate) verified: Step,
    pub(crate) backed_up: Step,
    pub(crate) hash: Step,
    pub(crate) extensions: Step,
}

/// Why authenticator data are refused in either ceremony.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CeremonyError {
    /// 7.1, step 14; 7.2, step 15.
    #[error("the authenticator answers another relying party id")]
    RpIdHash,
    /// 7.1, step 15; 7.2, step 16.
    #[error("nobody was present: the UP flag is not set")]
    UserNotPresent,
    /// 7.1, step 16; 7.2, step 17.
    #[error("the user was not verified: the UV flag is not set")]
    UserNotVerified,
    /// 7.1, step 17; 7.2, step 18.
    #[error("the flags say backed up (BS) but not eligible for backup (BE)")]
    BackedUpButNotEligible,
}

/// 7.1, step 14, or 7.2, step 15. Where the `appid` extension was sent, the hash may be the AppID's
/// (10.1.1).
#[inline]
pub(crate) fn verify_rp_id<O: Observer>(
    rp: &RelyingParty,
    app_id: Option<&str>,
    hash: &[u8; 32],
    steps: &Steps,
    observer: &mut O,
) -> Result<(), CeremonyError> {
    let expected = digest(&SHA256, rp.id.as_bytes());
    if let Some(app_id) = app_id.filter(|app_id| !app_id.is_empty())
        && hash == digest(&SHA256, app_id.as_bytes()).as_ref()
    {
        let detail = format_args!("{} is SHA-256 of the AppID \"{app_id}\"", Hex(hash));
        observer.step(steps.rp_id, Outcome::Held, detail);
        return Ok(());
    }
    check(
        observer,
        steps.rp_id,
        hash == expected.as_ref(),
        format_args!(
            "{}, SHA-256 of \"{}\" is {}",
            Hex(hash),
            rp.id,
            Hex(expected.as_ref())
        ),
        || CeremonyError::RpIdHash,
    )
}

/// 7.1, steps 15 to 17, or 7.2, steps 16 to 18.
#[inline]
pub(crate) fn verify_flags<O: Observer>(
    flags: Flags,
    presence: UserPresence,
    verification: UserVerification,
    steps: &Steps,
    observer: &mut O,
) -> Result<(), CeremonyError> {
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
            || CeremonyError::UserNotPresent,
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
            || CeremonyError::UserNotVerified,
        )?,
    }
    let eligible = flags.contains(Flags::BACKUP_ELIGIBLE);
    let backed_up = flags.contains(Flags::BACKED_UP);
    check(
        observer,
        steps.backed_up,
        eligible || !backed_up,
        format_args!("BE is {}, BS is {}", set(eligible), set(backed_up)),
        || CeremonyError::BackedUpButNotEligible,
    )
}

/// 7.1, step 12, or 7.2, step 20: the SHA-256 of the client data.
#[inline]
pub(crate) fn hash<O: Observer>(client_data: &[u8], steps: &Steps, observer: &mut O) -> Digest {
    let hash = digest(&SHA256, client_data);
    observer.step(
        steps.hash,
        Outcome::Held,
        format_args!("{}", Hex(hash.as_ref())),
    );
    hash
}

/// 7.1, step 28, or 7.2, step 23: the extension outputs; empty where there are none.
#[inline]
pub(crate) fn extensions<O: Observer>(
    data: &AuthenticatorData<'_>,
    steps: &Steps,
    observer: &mut O,
) -> Vec<u8> {
    let extensions = data.extensions.unwrap_or_default();
    let detail = format_args!("{} bytes", extensions.len());
    observer.step(steps.extensions, Outcome::Held, detail);
    extensions.to_vec()
}

/// A flag in a word.
pub(crate) const fn set(flag: bool) -> &'static str {
    if flag { "set" } else { "not set" }
}
