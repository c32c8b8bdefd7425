//! The PIN/UV auth token: what a verified platform may do, and for how long
//! (CTAP 2.3, section 6.5.2.1).

use alloc::string::{String, ToString};

use hallway_ctap::command::client_pin::Permissions;
use hallway_ctap::status::Status;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::credential::sha256;
use crate::pin_protocol::Protocol;
use crate::verified_by::VerifiedBy;

/// An unused token expires this long after its issue.
const FIRST_USE_WITHIN_MS: u64 = 30_000;
/// A used token expires this long after its issue.
const MAX_USAGE_MS: u64 = 600_000;
/// The touch of a finger counts for this long.
const PRESENT_FOR_MS: u64 = 30_000;

/// The one token that is in use, if any.
#[derive(Default)]
pub(crate) struct TokenState {
    current: Option<Token>,
    /// How many tokens were given out.
    issued: u64,
    /// The token that the request under way proved to know.
    proved: Option<TokenId>,
}

/// A token's number, unique between power-up and power-down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TokenId(u64);

struct Token {
    id: TokenId,
    bytes: Zeroizing<[u8; 32]>,
    protocol: Protocol,
    permissions: Permissions,
    rp_id: Option<String>,
    verified_by: VerifiedBy,
    user_verified: bool,
    user_present: bool,
    issued_ms: u64,
    used: bool,
}

impl Token {
    /// Whether it has not expired (`pinUvAuthTokenUsageTimerObserver`).
    const fn lasts(&self, now_ms: u64) -> bool {
        let limit = match self.used {
            true => MAX_USAGE_MS,
            false => FIRST_USE_WITHIN_MS,
        };
        now_ms.saturating_sub(self.issued_ms) <= limit
    }
}

impl TokenState {
    /// `resetPinUvAuthToken` and `beginUsingPinUvAuthToken`.
    pub(crate) fn begin(
        &mut self,
        bytes: Zeroizing<[u8; 32]>,
        protocol: Protocol,
        permissions: Permissions,
        rp_id: Option<&str>,
        verified_by: VerifiedBy,
        now_ms: u64,
    ) {
        self.issued += 1;
        self.current = Some(Token {
            id: TokenId(self.issued),
            bytes,
            protocol,
            permissions,
            rp_id: rp_id.map(ToString::to_string),
            verified_by,
            user_verified: true,
            user_present: verified_by == VerifiedBy::Finger,
            issued_ms: now_ms,
            used: false,
        });
    }

    /// `stopUsingPinUvAuthToken`.
    pub(crate) fn stop(&mut self) {
        self.current = None;
    }

    /// Begins a request, which has not proved to know a token yet.
    pub(crate) const fn begin_request(&mut self) {
        self.proved = None;
    }

    /// The token that the request under way proved to know, if any.
    pub(crate) const fn proved(&self) -> Option<TokenId> {
        self.proved
    }

    /// Whether this token was neither replaced nor stopped, and has not expired.
    pub(crate) fn is_in_use(&self, id: TokenId, now_ms: u64) -> bool {
        self.current
            .as_ref()
            .is_some_and(|token| token.id == id && token.lasts(now_ms))
    }

    /// Checks pinUvAuthParam over `message` and that the token has `permission`.
    pub(crate) fn verify(
        &mut self,
        protocol: Protocol,
        message: &[&[u8]],
        tag: &[u8],
        permission: Permissions,
        now_ms: u64,
    ) -> Result<VerifiedToken<'_>, Status> {
        self.current.take_if(|token| !token.lasts(now_ms));
        let token = self.current.as_mut().ok_or(Status::PinAuthInvalid)?;
        if token.protocol != protocol {
            return Err(Status::PinAuthInvalid);
        }
        protocol.verify(&token.bytes[..], message, tag)?;
        token.used = true;
        if !token.permissions.contains(permission) {
            return Err(Status::PinAuthInvalid);
        }
        self.proved = Some(token.id);
        Ok(VerifiedToken(token))
    }

    /// Spends the token once it obtained a touch: a token serves one ceremony
    /// (`clearUserPresentFlag`, `clearUserVerifiedFlag`,
    /// `clearPinUvAuthTokenPermissionsExceptLbw`).
    pub(crate) fn spend(&mut self) {
        if let Some(token) = &mut self.current {
            token.user_present = false;
            token.user_verified = false;
            let kept = token.permissions.bits() & Permissions::LARGE_BLOB_WRITE.bits();
            token.permissions = Permissions::from_bits(kept);
        }
    }
}

/// A token that a request proved to know.
pub(crate) struct VerifiedToken<'a>(&'a mut Token);

impl VerifiedToken<'_> {
    /// Checks that the token is for this relying party, and binds it if it is for none yet.
    pub(crate) fn for_relying_party(self, rp_id: &str) -> Result<Self, Status> {
        match &self.0.rp_id {
            Some(bound)
                if !bool::from(sha256(bound.as_bytes()).ct_eq(&sha256(rp_id.as_bytes()))) =>
            {
                Err(Status::PinAuthInvalid)
            }
            Some(_) => Ok(self),
            None => {
                self.0.rp_id = Some(rp_id.into());
                Ok(self)
            }
        }
    }

    /// SHA-256 of the relying party id that the token is for, if it is for one.
    pub(crate) fn rp_id_hash(&self) -> Option<[u8; 32]> {
        self.0.rp_id.as_ref().map(|rp_id| sha256(rp_id.as_bytes()))
    }

    /// Whether the user was verified and the token not spent.
    pub(crate) const fn user_verified(&self) -> bool {
        self.0.user_verified
    }

    pub(crate) const fn verified_by(&self) -> VerifiedBy {
        self.0.verified_by
    }

    /// Whether somebody was there when the token was issued, a short while ago
    /// (`getUserPresentFlagValue`).
    pub(crate) const fn user_present(&self, now_ms: u64) -> bool {
        let age = now_ms.saturating_sub(self.0.issued_ms);
        self.0.user_present && age <= PRESENT_FOR_MS
    }
}
