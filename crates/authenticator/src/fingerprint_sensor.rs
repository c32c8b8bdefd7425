//! The trait through which an authenticator uses a fingerprint sensor, and a key without a sensor.

use alloc::vec::Vec;

use zeroize::Zeroizing;

pub use hallway_ctap::command::bio_enrollment::{Feedback, FingerprintKind};

/// The data by which a sensor recognises a finger, made from samples, in the sensor's own format.
pub type Template = Zeroizing<Vec<u8>>;

/// A sensor's kind, and the samples that it needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SensorInfo {
    /// Whether a finger touches the sensor or is swiped over it.
    pub kind: FingerprintKind,
    /// Good samples that a template needs; at least 1.
    pub samples: u8,
}

/// The outcome of waiting for a sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Capture {
    /// How good the sample was, or [`Feedback::NoUserActivity`]: nobody touched the sensor.
    Sample(Feedback),
    /// The platform cancelled the request.
    Cancelled,
}

/// The outcome of waiting for an enrolled finger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Identification {
    /// The finger is one of the enrolled ones.
    Match,
    /// The finger is not enrolled.
    NoMatch,
    /// Nobody touched the sensor.
    TimedOut,
    /// The platform cancelled the request.
    Cancelled,
}

/// A fingerprint sensor.
///
/// Like [`Presence`](crate::Presence), it waits; the implementation sends keepalives meanwhile and
/// notices a cancellation.
pub trait FingerprintSensor {
    /// The sensor's properties; `None` for a key without a sensor, which then has neither
    /// authenticatorBioEnrollment nor user verification of its own.
    fn info(&self) -> Option<SensorInfo>;

    /// Waits for a finger for at most `wait_ms`, and works its sample into `template`, which is
    /// empty at first. Only a [`Feedback::Good`] sample changes it. A finger that is among the
    /// `enrolled` ones is refused with [`Feedback::Exists`].
    fn capture(&mut self, template: &mut Template, enrolled: &[Template], wait_ms: u64) -> Capture;

    /// Waits for a finger for at most `wait_ms`, and looks for it among the `enrolled` ones.
    fn identify(&mut self, enrolled: &[Template], wait_ms: u64) -> Identification;
}

/// A key without a sensor.
#[derive(Clone, Copy, Default, Debug)]
pub struct NoSensor;

impl FingerprintSensor for NoSensor {
    fn info(&self) -> Option<SensorInfo> {
        None
    }

    fn capture(&mut self, _: &mut Template, _: &[Template], _: u64) -> Capture {
        Capture::Sample(Feedback::NoUserActivity)
    }

    fn identify(&mut self, _: &[Template], _: u64) -> Identification {
        Identification::NoMatch
    }
}

/// A key that may have a sensor.
impl<S: FingerprintSensor> FingerprintSensor for Option<S> {
    fn info(&self) -> Option<SensorInfo> {
        self.as_ref()?.info()
    }

    fn capture(&mut self, template: &mut Template, enrolled: &[Template], wait_ms: u64) -> Capture {
        match self {
            Some(sensor) => sensor.capture(template, enrolled, wait_ms),
            None => NoSensor.capture(template, enrolled, wait_ms),
        }
    }

    fn identify(&mut self, enrolled: &[Template], wait_ms: u64) -> Identification {
        match self {
            Some(sensor) => sensor.identify(enrolled, wait_ms),
            None => NoSensor.identify(enrolled, wait_ms),
        }
    }
}
