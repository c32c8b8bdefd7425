//! Configuring a key (CTAP 2.3, section 6.11).

use hallway_ctap::command::authorized::Subcommand as _;
use hallway_ctap::command::client_pin::Permissions;
use hallway_ctap::command::config::{PinPolicy, Request, Subcommand};

use crate::client::Client;
use crate::connection::Connection;
use crate::error::ClientError;
use crate::pin::PinPrompt;

impl<C: Connection> Client<C> {
    /// Toggles alwaysUv: whether the key demands user verification always.
    ///
    /// # Errors
    /// The key's refusal, or a PIN that was not given.
    pub fn toggle_always_uv(&mut self, pin: &mut dyn PinPrompt) -> Result<(), ClientError> {
        self.configure(Subcommand::ToggleAlwaysUv, pin)
    }

    /// Makes the PIN policy stricter.
    ///
    /// # Errors
    /// As [`toggle_always_uv`](Self::toggle_always_uv).
    pub fn set_pin_policy(
        &mut self,
        policy: PinPolicy<'_>,
        pin: &mut dyn PinPrompt,
    ) -> Result<(), ClientError> {
        self.configure(Subcommand::SetMinPinLength(policy), pin)
    }

    /// Demands a long touch before a reset, for good.
    ///
    /// # Errors
    /// As [`toggle_always_uv`](Self::toggle_always_uv).
    pub fn enable_long_touch_for_reset(
        &mut self,
        pin: &mut dyn PinPrompt,
    ) -> Result<(), ClientError> {
        self.configure(Subcommand::EnableLongTouchForReset, pin)
    }

    /// Allows enterprise attestation, for good.
    ///
    /// # Errors
    /// As [`toggle_always_uv`](Self::toggle_always_uv).
    pub fn enable_enterprise_attestation(
        &mut self,
        pin: &mut dyn PinPrompt,
    ) -> Result<(), ClientError> {
        self.configure(Subcommand::EnableEnterpriseAttestation, pin)
    }

    fn configure(
        &mut self,
        subcommand: Subcommand<'_>,
        pin: &mut dyn PinPrompt,
    ) -> Result<(), ClientError> {
        let parameters = subcommand.parameters();
        let authentication = if self.info()?.option("clientPin") == Some(true) {
            let token = self.token(Permissions::CONFIG, None, pin)?;
            let code = [0x0d, subcommand.code()];
            let rest = parameters.as_deref().unwrap_or_default();
            Some(token.authenticate(&[&[0xff; 32][..], &code, rest].concat()))
        } else {
            None
        };
        let request = Request {
            subcommand,
            raw_parameters: parameters.as_deref(),
            pin_uv_auth_protocol: authentication.as_ref().map(|(protocol, _)| *protocol),
            pin_uv_auth_param: authentication.as_ref().map(|(_, tag)| tag.as_slice()),
        };
        self.send(&request.encode())?;
        self.forget_info();
        Ok(())
    }
}
