//! authenticatorBioEnrollment (CTAP 2.3, section 6.7).

use hallway_ctap::command::authorized;
use hallway_ctap::command::bio_enrollment::{
    FINGERPRINT, Request, Response, Subcommand, TemplateInfo,
};
use hallway_ctap::command::client_pin::Permissions;
use hallway_ctap::status::Status;

use crate::authenticator::Authenticator;
use crate::built_in_uv::WAIT_MS;
use crate::fingerprint_sensor::{Capture, Feedback, FingerprintSensor, SensorInfo, Template};
use crate::fingerprints::{Fingerprint, MAX_NAME_BYTES};
use crate::pin_protocol::Protocol;
use crate::platform::{Clock, Environment};
use crate::step::{Enrollment, Step};

type Fingerprints<'a> = authorized::Request<'a, Subcommand<'a>>;

impl<E: Environment> Authenticator<E> {
    pub(crate) fn bio_enrollment(
        &mut self,
        request: &Request<'_>,
        step: Option<Step>,
    ) -> Result<Response, Status> {
        let sensor = self
            .platform
            .fingerprints
            .info()
            .ok_or(Status::InvalidCommand)?;
        let request = match request {
            Request::GetModality => {
                return Ok(Response {
                    modality: Some(FINGERPRINT),
                    ..Response::default()
                });
            }
            Request::Fingerprint(request) => request,
        };
        match request.subcommand {
            Subcommand::GetSensorInfo => Ok(Response {
                modality: Some(FINGERPRINT),
                fingerprint_kind: Some(sensor.kind as u64),
                max_capture_samples: Some(u64::from(sensor.samples)),
                max_name_length: Some(MAX_NAME_BYTES as u64),
                ..Response::default()
            }),
            // The end of the sequence has already discarded the template.
            Subcommand::CancelEnrollment => Ok(Response::default()),
            Subcommand::EnrollBegin { timeout_ms } => {
                self.may_enroll(request)?;
                self.begin(sensor, timeout_ms)
            }
            Subcommand::EnrollCaptureNext {
                template_id,
                timeout_ms,
            } => {
                self.may_enroll(request)?;
                match step {
                    Some(Step::Enrollment(begun)) if begun.id == template_id => {
                        self.take_sample(begun, timeout_ms)
                    }
                    _ => Err(Status::InvalidParameter),
                }
            }
            Subcommand::Enumerate => {
                self.may_enroll(request)?;
                self.enumerate()
            }
            Subcommand::SetFriendlyName { template_id, name } => {
                self.may_enroll(request)?;
                if name.len() > MAX_NAME_BYTES {
                    return Err(Status::InvalidLength);
                }
                let storage = &mut self.platform.storage;
                known(self.fingerprints.rename(template_id, name, storage)?)
            }
            Subcommand::Remove { template_id } => {
                self.may_enroll(request)?;
                let storage = &mut self.platform.storage;
                known(self.fingerprints.remove(template_id, storage)?)
            }
        }
    }

    /// Checks pinUvAuthParam over modality, subcommand and parameters.
    fn may_enroll(&mut self, request: &Fingerprints<'_>) -> Result<(), Status> {
        use authorized::Subcommand as _;

        let param = request.pin_uv_auth_param.ok_or(Status::PuatRequired)?;
        let protocol = Protocol::from_id(request.pin_uv_auth_protocol)?;
        let message = [
            &[FINGERPRINT as u8, request.subcommand.code()][..],
            request.raw_parameters.unwrap_or_default(),
        ];
        let now_ms = self.platform.clock.now_ms();
        self.token
            .verify(
                protocol,
                &message,
                param,
                Permissions::BIO_ENROLLMENT,
                now_ms,
            )
            .map(|_| ())
    }

    fn begin(&mut self, sensor: SensorInfo, timeout_ms: Option<u64>) -> Result<Response, Status> {
        if self.fingerprints.is_full() {
            return Err(Status::FingerprintDatabaseFull);
        }
        let begun = Enrollment {
            id: *self.platform.random()?,
            template: Template::default(),
            missing: sensor.samples.max(1),
        };
        let id = begun.id.to_vec();
        let response = self.take_sample(begun, timeout_ms)?;
        Ok(Response {
            template_id: Some(id),
            ..response
        })
    }

    /// Takes a sample; the last one completes the template, which is then stored.
    fn take_sample(
        &mut self,
        mut begun: Enrollment,
        timeout_ms: Option<u64>,
    ) -> Result<Response, Status> {
        let enrolled = self.fingerprints.templates(&self.platform.storage)?;
        let wait_ms = timeout_ms.unwrap_or(WAIT_MS).min(WAIT_MS);
        let sensor = &mut self.platform.fingerprints;
        let feedback = match sensor.capture(&mut begun.template, &enrolled, wait_ms) {
            Capture::Sample(feedback) => feedback,
            Capture::Cancelled => return Err(Status::KeepaliveCancel),
        };
        if feedback == Feedback::Good {
            begun.missing -= 1;
        }
        let response = Response {
            last_sample_status: Some(feedback as u64),
            remaining_samples: Some(u64::from(begun.missing)),
            ..Response::default()
        };
        if begun.missing > 0 {
            self.sequences.leave(Step::Enrollment(begun));
            return Ok(response);
        }
        let new = Fingerprint {
            id: begun.id,
            name: None,
            template: begun.template,
        };
        self.fingerprints.add(&new, &mut self.platform.storage)?;
        Ok(response)
    }

    fn enumerate(&self) -> Result<Response, Status> {
        let all = self.fingerprints.load(&self.platform.storage)?;
        if all.is_empty() {
            return Err(Status::InvalidOption);
        }
        let info = |fingerprint: Fingerprint| TemplateInfo {
            id: fingerprint.id.to_vec(),
            // python-fido2 reads a name from every entry.
            name: Some(fingerprint.name.unwrap_or_default()),
        };
        Ok(Response {
            templates: Some(all.into_iter().map(info).collect()),
            ..Response::default()
        })
    }
}

/// The answer to a command about one template, which was `found` or not.
fn known(found: bool) -> Result<Response, Status> {
    if found {
        Ok(Response::default())
    } else {
        Err(Status::InvalidOption)
    }
}
