//! The fingerprints on a key: enrol, list, rename, remove (CTAP 2.3, section 6.7).

use hallway_ctap::command::authorized::{self, Subcommand as _};
use hallway_ctap::command::bio_enrollment::{
    FINGERPRINT, Feedback, Request, Response, Subcommand, TemplateInfo,
};
use hallway_ctap::command::client_pin::Permissions;
use hallway_ctap::status::Status;

use crate::client::Client;
use crate::connection::Connection;
use crate::error::ClientError;
use crate::pin::{PinPrompt, Token};

/// The progress of an enrolment after a sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// How good the last sample was; `None` for a code that this client does not know.
    pub feedback: Option<Feedback>,
    /// Good samples that are still missing.
    pub remaining: u64,
}

/// Whether an enrolment continues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Take another sample.
    Sample,
    /// Give up.
    Cancel,
}

/// The fingerprints of a key whose owner has given the PIN once.
pub struct FingerprintStore<'a, C> {
    client: &'a mut Client<C>,
    token: Token,
}

impl<C: Connection> Client<C> {
    /// Asks for the PIN and opens the list of fingerprints.
    ///
    /// # Errors
    /// [`ClientError::NoFingerprints`] for a key without a sensor,
    /// [`ClientError::VerificationUnavailable`] for one without a PIN, the key's refusal, or a PIN
    /// that was not given.
    pub fn fingerprints(
        &mut self,
        pin: &mut dyn PinPrompt,
    ) -> Result<FingerprintStore<'_, C>, ClientError> {
        let info = self.info()?;
        if info.option("bioEnroll").is_none() {
            return Err(ClientError::NoFingerprints);
        }
        if info.option("clientPin") != Some(true) {
            return Err(ClientError::VerificationUnavailable);
        }
        let token = self.token(Permissions::BIO_ENROLLMENT, None, pin)?;
        Ok(FingerprintStore {
            client: self,
            token,
        })
    }
}

impl<C: Connection> FingerprintStore<'_, C> {
    /// All fingerprints.
    ///
    /// # Errors
    /// [`ClientError`] when the key refuses or cannot be understood.
    pub fn list(&mut self) -> Result<Vec<TemplateInfo>, ClientError> {
        match self.send(Subcommand::Enumerate) {
            // A key answers so when it has no fingerprints (section 6.7.6).
            Err(error) if error.status() == Some(Status::InvalidOption) => Ok(Vec::new()),
            Ok(response) => Ok(response.templates.unwrap_or_default()),
            Err(error) => Err(error),
        }
    }

    /// Enrols a finger, and returns the id of its template. `progress` is called with every sample
    /// and decides whether to continue.
    ///
    /// # Errors
    /// [`ClientError`] when the key refuses or cannot be understood, and
    /// [`Status::KeepaliveCancel`] when `progress` gave up.
    pub fn enroll(
        &mut self,
        progress: &mut dyn FnMut(Progress) -> Next,
    ) -> Result<Vec<u8>, ClientError> {
        let first = self.send(Subcommand::EnrollBegin { timeout_ms: None })?;
        let template_id = first
            .template_id
            .clone()
            .ok_or(ClientError::Incomplete("a template id"))?;
        let mut last = first;
        loop {
            let now = Progress {
                feedback: last.last_sample_status.and_then(Feedback::from_code),
                remaining: last
                    .remaining_samples
                    .ok_or(ClientError::Incomplete("the number of samples"))?,
            };
            let next = progress(now);
            if now.remaining == 0 {
                return Ok(template_id);
            }
            if next == Next::Cancel {
                self.send(Subcommand::CancelEnrollment)?;
                return Err(ClientError::Refused(Status::KeepaliveCancel));
            }
            last = self.send(Subcommand::EnrollCaptureNext {
                template_id: &template_id,
                timeout_ms: None,
            })?;
        }
    }

    /// Names a fingerprint.
    ///
    /// # Errors
    /// [`Status::InvalidOption`] when there is none with this id.
    pub fn rename(&mut self, template_id: &[u8], name: &str) -> Result<(), ClientError> {
        self.send(Subcommand::SetFriendlyName { template_id, name })
            .map(|_| ())
    }

    /// Removes a fingerprint.
    ///
    /// # Errors
    /// [`Status::InvalidOption`] when there is none with this id.
    pub fn remove(&mut self, template_id: &[u8]) -> Result<(), ClientError> {
        self.send(Subcommand::Remove { template_id }).map(|_| ())
    }

    fn send(&mut self, subcommand: Subcommand<'_>) -> Result<Response, ClientError> {
        let parameters = subcommand.parameters();
        let message = [
            &[FINGERPRINT as u8, subcommand.code()][..],
            parameters.as_deref().unwrap_or_default(),
        ]
        .concat();
        let (protocol, tag) = self.token.authenticate(&message);
        let request = Request::Fingerprint(authorized::Request {
            subcommand,
            raw_parameters: parameters.as_deref(),
            pin_uv_auth_protocol: Some(protocol),
            pin_uv_auth_param: Some(&tag),
        });
        let answer = self.client.send(&request.encode())?;
        self.client.forget_info();
        match answer.map()? {
            Some(map) => Response::parse(&map).map_err(|error| ClientError::Answer {
                command: "bioEnrollment",
                error,
            }),
            None => Ok(Response::default()),
        }
    }
}
