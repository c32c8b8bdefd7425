//! What a relying party requires. Every default is the strictest.

mod words;

use hallway_ctap::cose::Algorithm;

pub(crate) use self::words::Listed;

use crate::model_policy::ModelPolicy;
use crate::trust_anchor::TrustAnchors;

/// Whether a person must have been present (the UP flag).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UserPresence {
    /// UP must be set.
    #[default]
    Required,
    /// UP may be clear: conditional create (WebAuthn Level 3, 7.1, step 15), or an unattended
    /// device.
    NotRequired,
}

/// Whether the authenticator must have recognised its owner (the UV flag).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UserVerification {
    /// UV must be set.
    #[default]
    Required,
    /// UV may be clear.
    NotRequired,
}

/// Whether a credential may be one that can be copied between devices (the BE flag).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BackupEligibility {
    /// Only credentials that never leave one authenticator.
    #[default]
    SingleDeviceOnly,
    /// Synchronised passkeys too.
    Any,
}

/// Whether the ceremony may run in a frame of another site (`crossOrigin`, `topOrigin`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Framing {
    /// Never.
    #[default]
    SameOrigin,
    /// Also in frames whose top page has one of these origins, compared exactly. A browser that
    /// says `crossOrigin` but not `topOrigin` is accepted only if `unnamed_top` is.
    Within {
        /// Origins of pages that may hold our frame.
        top_origins: Vec<String>,
        /// What to do where the browser does not name the top page.
        unnamed_top: UnnamedTop,
    },
}

/// A frame of another site whose top page the browser does not name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UnnamedTop {
    /// Refuse it.
    #[default]
    Refuse,
    /// Accept it: older browsers never name the top page.
    Accept,
}

/// What an attestation must establish.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum RequiredTrust {
    /// Nothing: no attestation is fine, but one that is given must still verify.
    Any,
    /// At least a signature by the credential's own key (self attestation).
    SelfSigned,
    /// A certificate that chains to one of the policy's anchors.
    #[default]
    Anchored,
    /// As `Anchored`, and the certificate is one device's own: it carries a serial number in its
    /// subject (attribute 2.5.4.5), or that of an enterprise attestation (8.2.2).
    UniqueDevice,
}

/// Which lists of an Android key's description count (WebAuthn Level 3, 8.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AndroidKeyLists {
    /// Only what the trusted execution environment or the security chip enforces.
    #[default]
    Hardware,
    /// What hardware or software enforces: either list must say that the key was generated where
    /// it is, and is for signing.
    Either,
    /// As `Either`, but the lists may leave both out. The format does not allow that; the
    /// specification's own test vector does it.
    MayBeSilent,
}

/// How many statements of a compound attestation must verify (WebAuthn Level 3, 8.9).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CompoundStatements {
    /// Every one.
    #[default]
    All,
    /// One or more.
    AtLeastOne,
}

/// What a registration must satisfy. `Default` is the strictest: nothing is accepted until
/// anchors are named.
#[derive(Clone, Debug)]
pub struct RegistrationPolicy {
    /// Step 15.
    pub user_presence: UserPresence,
    /// Step 16.
    pub user_verification: UserVerification,
    /// Step 18.
    pub backup: BackupEligibility,
    /// Step 20: the algorithms that were offered in `pubKeyCredParams`.
    pub algorithms: Vec<Algorithm>,
    /// Step 24.
    pub trust: RequiredTrust,
    /// Step 23: who may vouch for an authenticator.
    pub anchors: TrustAnchors,
    /// Steps 10 and 11.
    pub framing: Framing,
    /// Step 22, for Android keys.
    pub android_key: AndroidKeyLists,
    /// Step 22, for compound attestations.
    pub compound: CompoundStatements,
    /// Steps 23 and 24: which models, and what is known about them. The anchors in the metadata
    /// count beside [`RegistrationPolicy::anchors`], each for its own model.
    pub models: ModelPolicy,
}

/// The algorithms that every relying party should offer, in order of preference.
pub const USUAL_ALGORITHMS: [Algorithm; 3] = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256];

impl Default for RegistrationPolicy {
    fn default() -> Self {
        Self {
            user_presence: UserPresence::Required,
            user_verification: UserVerification::Required,
            backup: BackupEligibility::SingleDeviceOnly,
            algorithms: USUAL_ALGORITHMS.to_vec(),
            trust: RequiredTrust::Anchored,
            anchors: TrustAnchors::default(),
            framing: Framing::SameOrigin,
            android_key: AndroidKeyLists::Hardware,
            compound: CompoundStatements::All,
            models: ModelPolicy::default(),
        }
    }
}

impl RegistrationPolicy {
    /// For people who bring any key: user verification required, every attestation accepted,
    /// synchronised passkeys too.
    pub fn person() -> Self {
        Self {
            trust: RequiredTrust::Any,
            backup: BackupEligibility::Any,
            models: ModelPolicy::any(),
            ..Self::default()
        }
    }

    /// For keys whose maker must vouch for them, of any model.
    pub fn attested(anchors: TrustAnchors) -> Self {
        Self {
            anchors,
            models: ModelPolicy::any(),
            ..Self::default()
        }
    }

    /// For machines: attested by a certificate of their own that carries their serial number.
    /// Nobody stands beside a machine when it registers, so presence and verification are not
    /// asked for.
    pub fn device(anchors: TrustAnchors) -> Self {
        Self {
            trust: RequiredTrust::UniqueDevice,
            user_presence: UserPresence::NotRequired,
            user_verification: UserVerification::NotRequired,
            models: ModelPolicy::any(),
            anchors,
            ..Self::default()
        }
    }
}

/// Whether an assertion must name its user.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UserHandle {
    /// The user was known before the ceremony: a user handle must match if there is one.
    #[default]
    MatchIfPresent,
    /// The response says who the user is: a user handle must be present and match.
    Required,
}

/// What to do when a signature counter does not advance.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CounterPolicy {
    /// Refuse the assertion: the authenticator may have been cloned.
    #[default]
    Refuse,
    /// Accept it and report [`CounterVerdict::WentBack`](crate::CounterVerdict::WentBack).
    Report,
}

/// What an assertion must satisfy. `Default` is the strictest.
#[derive(Clone, Debug, Default)]
pub struct AssertionPolicy {
    /// Step 16.
    pub user_presence: UserPresence,
    /// Step 17.
    pub user_verification: UserVerification,
    /// Step 6.
    pub user_handle: UserHandle,
    /// Step 22.
    pub counter: CounterPolicy,
    /// Steps 13 and 14.
    pub framing: Framing,
    /// Step 15: the AppID that was sent in the `appid` extension, so that keys registered by U2F
    /// keep working (10.1.1). `None` accepts the RP ID only.
    pub app_id: Option<String>,
}

impl AssertionPolicy {
    /// For credentials enrolled as devices, and for no others: admits assertions made with nobody
    /// present. WebAuthn Level 3 demands UP in every assertion; this is the named exception.
    pub fn unattended_device() -> Self {
        Self {
            user_presence: UserPresence::NotRequired,
            user_verification: UserVerification::NotRequired,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_strictest() {
        let registration = RegistrationPolicy::default();
        assert_eq!(registration.trust, RequiredTrust::Anchored);
        assert!(registration.anchors.is_empty());
        assert_eq!(registration.user_presence, UserPresence::Required);
        assert_eq!(registration.user_verification, UserVerification::Required);
        assert_eq!(registration.backup, BackupEligibility::SingleDeviceOnly);
        let assertion = AssertionPolicy::default();
        assert_eq!(assertion.user_presence, UserPresence::Required);
        assert_eq!(assertion.user_verification, UserVerification::Required);
        assert_eq!(assertion.counter, CounterPolicy::Refuse);
        assert_eq!(assertion.framing, Framing::SameOrigin);
    }
}
