//! authenticatorBioEnrollment (CTAP 2.3, section 6.7).

use alloc::string::String;
use alloc::vec::Vec;

use super::authorized::{self, Parameters};
use super::code;
use crate::cbor::{Encode, List, Map, MapBuilder, ReadError, Value};
use crate::status::Status;

/// The one modality that is defined: fingerprint.
pub const FINGERPRINT: u64 = 1;

/// An authenticatorBioEnrollment request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request<'a> {
    /// Ask for the kind of sensor.
    GetModality,
    /// A subcommand for fingerprints.
    Fingerprint(authorized::Request<'a, Subcommand<'a>>),
}

/// The fingerprint subcommands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subcommand<'a> {
    /// Start a new template, and take its first sample.
    EnrollBegin {
        /// How long to wait for a finger.
        timeout_ms: Option<u64>,
    },
    /// Take one more sample.
    EnrollCaptureNext {
        /// The template that the sample belongs to.
        template_id: &'a [u8],
        /// How long to wait for a finger.
        timeout_ms: Option<u64>,
    },
    /// Discard the unfinished template.
    CancelEnrollment,
    /// List the templates.
    Enumerate,
    /// Name a template.
    SetFriendlyName {
        /// The template to name.
        template_id: &'a [u8],
        /// Its new name.
        name: &'a str,
    },
    /// Remove a template.
    Remove {
        /// The template to remove.
        template_id: &'a [u8],
    },
    /// Ask how the sensor is used and how many samples it needs.
    GetSensorInfo,
}

impl<'a> authorized::Subcommand<'a> for Subcommand<'a> {
    const COMMAND: u8 = code::BIO_ENROLLMENT;
    const FIRST_MEMBER: i64 = 2;

    fn code(&self) -> u8 {
        match self {
            Self::EnrollBegin { .. } => 1,
            Self::EnrollCaptureNext { .. } => 2,
            Self::CancelEnrollment => 3,
            Self::Enumerate => 4,
            Self::SetFriendlyName { .. } => 5,
            Self::Remove { .. } => 6,
            Self::GetSensorInfo => 7,
        }
    }

    fn parameters(&self) -> Option<Vec<u8>> {
        let mut map = MapBuilder::new();
        match self {
            Self::EnrollBegin { timeout_ms } => map.put_some(3, *timeout_ms),
            Self::EnrollCaptureNext {
                template_id,
                timeout_ms,
            } => map.put(1, *template_id).put_some(3, *timeout_ms),
            Self::SetFriendlyName { template_id, name } => map.put(1, *template_id).put(2, *name),
            Self::Remove { template_id } => map.put(1, *template_id),
            _ => return None,
        };
        (!map.is_empty()).then(|| map.finish())
    }

    fn parse(code: u64, parameters: Parameters<'a>) -> Result<Self, Status> {
        let template_id = || parameters.required(1)?.bytes();
        let timeout_ms = || parameters.optional(3, Value::unsigned);
        Ok(match code {
            1 => Self::EnrollBegin {
                timeout_ms: timeout_ms()?,
            },
            2 => Self::EnrollCaptureNext {
                template_id: template_id()?,
                timeout_ms: timeout_ms()?,
            },
            3 => Self::CancelEnrollment,
            4 => Self::Enumerate,
            5 => Self::SetFriendlyName {
                template_id: template_id()?,
                name: parameters.required(2)?.text()?,
            },
            6 => Self::Remove {
                template_id: template_id()?,
            },
            7 => Self::GetSensorInfo,
            _ => return Err(Status::InvalidSubcommand),
        })
    }
}

impl<'a> Request<'a> {
    /// Reads the members of the request.
    pub(super) fn parse(map: &Map<'a>) -> Result<Self, Status> {
        if map.optional(6, Value::bool)? == Some(true) {
            return Ok(Self::GetModality);
        }
        if map.required(1)?.unsigned()? != FINGERPRINT {
            return Err(Status::InvalidParameter);
        }
        authorized::Request::parse(map).map(Self::Fingerprint)
    }

    /// The command byte and the canonical map.
    pub fn encode(&self) -> Vec<u8> {
        let mut map = MapBuilder::new();
        match self {
            Self::GetModality => {
                map.put(6, true);
            }
            Self::Fingerprint(request) => {
                map.put(1, FINGERPRINT);
                request.put_members(&mut map);
            }
        }
        let mut out = alloc::vec![code::BIO_ENROLLMENT];
        map.encode(&mut out);
        out
    }
}

/// How a finger is put on the sensor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FingerprintKind {
    /// 1: the finger rests on the sensor.
    Touch = 1,
    /// 2: the finger is drawn across the sensor.
    Swipe = 2,
}

macro_rules! feedback {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        /// The verdict on a sample (section 6.7.1, lastEnrollSampleStatus).
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Feedback {
            $($(#[$doc])* $name = $code,)*
        }

        impl Feedback {
            /// The feedback with this code, if the specification defines it.
            pub const fn from_code(code: u64) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

feedback! {
    /// Good.
    Good = 0x00;
    /// The finger was too high.
    TooHigh = 0x01;
    /// Too low.
    TooLow = 0x02;
    /// Too far left.
    TooLeft = 0x03;
    /// Too far right.
    TooRight = 0x04;
    /// Too fast.
    TooFast = 0x05;
    /// Too slow.
    TooSlow = 0x06;
    /// The picture is poor.
    PoorQuality = 0x07;
    /// Askew.
    TooSkewed = 0x08;
    /// The finger was there for too short a time.
    TooShort = 0x09;
    /// The sample does not fit the ones before.
    MergeFailure = 0x0a;
    /// This finger is enrolled already.
    Exists = 0x0b;
    /// Nobody touched the sensor.
    NoUserActivity = 0x0d;
    /// The finger was not lifted in between.
    NoPresenceTransition = 0x0e;
}

/// An enrolled fingerprint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TemplateInfo {
    /// The template's id, chosen by the authenticator.
    pub id: Vec<u8>,
    /// The name that the owner gave it.
    pub name: Option<String>,
}

impl Encode for TemplateInfo {
    fn encode(&self, out: &mut Vec<u8>) {
        MapBuilder::new()
            .put(1, &self.id)
            .put_some(2, self.name.as_deref())
            .encode(out);
    }
}

/// The authenticator's answer; the subcommand decides which members are present.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Response {
    /// The modality: [`FINGERPRINT`].
    pub modality: Option<u64>,
    /// 1: touch, 2: swipe.
    pub fingerprint_kind: Option<u64>,
    /// How many good samples a new template needs.
    pub max_capture_samples: Option<u64>,
    /// The new template's id.
    pub template_id: Option<Vec<u8>>,
    /// The verdict on the sample: a [`Feedback`].
    pub last_sample_status: Option<u64>,
    /// How many good samples are still missing.
    pub remaining_samples: Option<u64>,
    /// The enrolled templates.
    pub templates: Option<Vec<TemplateInfo>>,
    /// The longest name, in bytes.
    pub max_name_length: Option<u64>,
}

impl Response {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut map = MapBuilder::new();
        map.put_some(1, self.modality)
            .put_some(2, self.fingerprint_kind)
            .put_some(3, self.max_capture_samples)
            .put_some(4, self.template_id.as_ref())
            .put_some(5, self.last_sample_status)
            .put_some(6, self.remaining_samples)
            .put_some(7, self.templates.as_deref().map(List))
            .put_some(8, self.max_name_length);
        if !map.is_empty() {
            map.encode(out);
        }
    }

    /// Reads the map that [`answer`](super::answer) split off.
    pub fn parse(map: &Map<'_>) -> Result<Self, ReadError> {
        let number = |key: i64| map.optional(key, Value::unsigned);
        let template = |value: Value<'_>| {
            let map = value.map()?;
            Ok(TemplateInfo {
                id: map.required(1)?.bytes()?.to_vec(),
                name: map.optional(2, |name| Ok(name.text()?.into()))?,
            })
        };
        Ok(Self {
            modality: number(1)?,
            fingerprint_kind: number(2)?,
            max_capture_samples: number(3)?,
            template_id: map.optional(4, |id| Ok(id.bytes()?.to_vec()))?,
            last_sample_status: number(5)?,
            remaining_samples: number(6)?,
            templates: map.optional(7, |list| list.list()?.iter().map(template).collect())?,
            max_name_length: number(8)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::command::authorized::Subcommand as _;

    #[test]
    fn requests_survive_a_round_trip() {
        for subcommand in [
            Subcommand::EnrollBegin { timeout_ms: None },
            Subcommand::EnrollCaptureNext {
                template_id: b"id",
                timeout_ms: Some(5000),
            },
            Subcommand::CancelEnrollment,
            Subcommand::Enumerate,
            Subcommand::SetFriendlyName {
                template_id: b"id",
                name: "left thumb",
            },
            Subcommand::Remove { template_id: b"id" },
            Subcommand::GetSensorInfo,
        ] {
            let raw = subcommand.parameters();
            let request = Request::Fingerprint(authorized::Request {
                subcommand,
                raw_parameters: raw.as_deref(),
                pin_uv_auth_protocol: Some(2),
                pin_uv_auth_param: Some(&[3; 32]),
            });
            assert_eq!(
                Command::parse(&request.encode()),
                Ok(Command::BioEnrollment(request))
            );
        }
        assert_eq!(
            Command::parse(&Request::GetModality.encode()),
            Ok(Command::BioEnrollment(Request::GetModality))
        );
    }

    #[test]
    fn another_modality_is_refused() {
        let iris = [code::BIO_ENROLLMENT, 0xa2, 1, 2, 2, 7];
        assert_eq!(Command::parse(&iris), Err(Status::InvalidParameter));
    }

    #[test]
    fn responses_survive_a_round_trip() {
        let response = Response {
            template_id: Some(alloc::vec![1; 16]),
            last_sample_status: Some(Feedback::TooFast as u64),
            remaining_samples: Some(2),
            templates: Some(alloc::vec![TemplateInfo {
                id: alloc::vec![1; 16],
                name: Some("left thumb".into()),
            }]),
            ..Response::default()
        };
        let bytes =
            crate::command::Response::BioEnrollment(alloc::boxed::Box::new(response.clone()))
                .encode();
        let map = crate::command::answer(&bytes).unwrap().unwrap();
        assert_eq!(Response::parse(&map), Ok(response));
    }
}
