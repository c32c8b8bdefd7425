//! How makeCredential and getAssertion verify the user: the steps that they have in common
//! (CTAP 2.3, sections 6.1.2 and 6.2.2).

use hallway_ctap::authenticator_data::Flags;
use hallway_ctap::command::Options;
use hallway_ctap::command::client_pin::Permissions;
use hallway_ctap::status::Status;

use crate::authenticator::Authenticator;
use crate::built_in_uv::Persistence;
use crate::credential::{Credential, Lookup};
use crate::pin_protocol::Protocol;
use crate::platform::{Clock, Environment, Question};
use crate::settings::PinUse;
use crate::verified_by::VerifiedBy;

/// The parameters of a request that decide how its user is verified.
pub(crate) struct Ceremony<'a> {
    pub(crate) rp_id: &'a str,
    pub(crate) client_data_hash: &'a [u8; 32],
    pub(crate) options: Options,
    pub(crate) param: Option<&'a [u8]>,
    pub(crate) protocol: Option<u64>,
    /// The permission that the token must have.
    pub(crate) permission: Permissions,
}

/// When the user must be verified although the request does not ask for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Demand {
    /// If there is a PIN or a finger: a discoverable makeCredential.
    WhenProtected,
    /// If alwaysUv is on: other makeCredentials, and getAssertion with a touch.
    WhenAlways,
    /// Never: silent getAssertion.
    Never,
}

/// How the user will be verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Means<'a> {
    /// By a token.
    Token { param: &'a [u8], protocol: Protocol },
    /// By the key's own sensor.
    BuiltIn,
    /// Not at all.
    None,
}

/// The proofs of the user for one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Proved {
    pub(crate) by: Option<VerifiedBy>,
    /// Somebody already touched the key for this request.
    pub(crate) present: bool,
}

impl Proved {
    pub(crate) const fn verified(self) -> bool {
        self.by.is_some()
    }
}

impl<E: Environment> Authenticator<E> {
    /// Steps 1 and 2: a pinUvAuthParam without bytes is answered after a touch, with a status that
    /// tells whether there is a PIN; this key must support the protocol.
    pub(crate) fn check_protocol(&mut self, ceremony: &Ceremony<'_>) -> Result<(), Status> {
        match ceremony.param {
            None => Ok(()),
            Some([]) => Err(self.selected_by_touch()),
            Some(_) => Protocol::from_id(ceremony.protocol).map(|_| ()),
        }
    }

    /// Chooses the means by the option `uv`, `alwaysUv`, and whether the key is protected (6.1.2,
    /// steps 5 to 8; 6.2.2, steps 4 and 5).
    pub(crate) fn means<'a>(
        &self,
        ceremony: &Ceremony<'a>,
        demand: Demand,
    ) -> Result<Means<'a>, Status> {
        if let Some(param) = ceremony.param {
            let protocol = Protocol::from_id(ceremony.protocol)?;
            return Ok(Means::Token { param, protocol });
        }
        if ceremony.options.verification == Some(true) {
            return match self.has_built_in_uv() {
                true => Ok(Means::BuiltIn),
                false => Err(Status::InvalidOption),
            };
        }
        let always = self.policy.always_uv && demand != Demand::Never;
        let demanded = always || demand == Demand::WhenProtected && self.is_protected();
        match demanded {
            false => Ok(Means::None),
            true if always && self.has_built_in_uv() => Ok(Means::BuiltIn),
            true if self.pin_serves_ceremonies() => Err(Status::PuatRequired),
            // Only the sensor could verify the user, and the platform does not ask for it.
            true => Err(Status::OperationDenied),
        }
    }

    /// Whether the PIN may verify the user in ceremonies.
    fn pin_serves_ceremonies(&self) -> bool {
        self.settings.pin_use == PinUse::Everything
    }

    /// Verifies the user (6.1.2, step 11; 6.2.2, step 6).
    pub(crate) fn verify_user(
        &mut self,
        ceremony: &Ceremony<'_>,
        means: Means<'_>,
    ) -> Result<Proved, Status> {
        match means {
            Means::None => Ok(Proved::default()),
            Means::BuiltIn => {
                self.perform_built_in_uv(Persistence::WithinTheRequest)
                    .map_err(|failure| {
                        failure.of_ceremony(self.pin.is_set() && self.pin_serves_ceremonies())
                    })?;
                Ok(Proved {
                    by: Some(VerifiedBy::Finger),
                    present: true,
                })
            }
            Means::Token { param, protocol } => {
                let now_ms = self.platform.clock.now_ms();
                let message = [&ceremony.client_data_hash[..]];
                let token = self
                    .token
                    .verify(protocol, &message, param, ceremony.permission, now_ms)?
                    .for_relying_party(ceremony.rp_id)?;
                if !token.user_verified() {
                    return Err(Status::PinAuthInvalid);
                }
                Ok(Proved {
                    by: Some(token.verified_by()),
                    present: token.user_present(now_ms),
                })
            }
        }
    }

    /// The credential with an id of the exclude list or the allow list, if this key has it and may
    /// say so (6.1.2, step 12; 6.2.2, step 7).
    pub(crate) fn revealed(
        &mut self,
        rp_id_hash: &[u8; 32],
        id: &[u8],
        proved: Proved,
    ) -> Result<Option<Credential>, Status> {
        let found = self.find(rp_id_hash, id)?;
        Ok(found.filter(|found| found.protection.reveals(Lookup::ById, proved.verified())))
    }

    /// Asks for a touch, unless there was one, after which the token is spent (6.1.2, step 14;
    /// 6.2.2, step 9).
    pub(crate) fn obtain_presence(
        &mut self,
        proved: Proved,
        question: &Question<'_>,
    ) -> Result<(), Status> {
        if !proved.present {
            self.touch_in_ceremony(question)?;
        }
        self.token.spend();
        Ok(())
    }
}

/// UP and UV.
pub(crate) fn flags(present: bool, verified: bool) -> Flags {
    let mut flags = Flags::default();
    if present {
        flags = flags | Flags::USER_PRESENT;
    }
    if verified {
        flags = flags | Flags::USER_VERIFIED;
    }
    flags
}
