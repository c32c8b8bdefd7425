//! A simulated fingerprint sensor: it does what a script says. For tests, and for trying out
//! programs that talk to keys with fingerprint sensors. It verifies nobody.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use core::str::FromStr;

use crate::fingerprint_sensor::{
    Capture, Feedback, FingerprintKind, FingerprintSensor, Identification, SensorInfo, Template,
};

/// Samples that a template needs.
const SAMPLES: u8 = 3;

/// An event at the sensor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gesture {
    /// The finger with this number is put on the sensor, well.
    Finger(u8),
    /// Some finger is put on the sensor, badly.
    Spoiled(Feedback),
    /// Nobody touches the sensor until the wait is over.
    Nothing,
    /// The platform cancels.
    Cancel,
}

/// A word that is not a gesture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a gesture: use the number of a finger, too-fast, too-slow, poor, short, \
     skewed, or nothing"
)]
pub struct GestureError(pub String);

impl FromStr for Gesture {
    type Err = GestureError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Ok(match word {
            "too-fast" => Self::Spoiled(Feedback::TooFast),
            "too-slow" => Self::Spoiled(Feedback::TooSlow),
            "poor" => Self::Spoiled(Feedback::PoorQuality),
            "short" => Self::Spoiled(Feedback::TooShort),
            "skewed" => Self::Spoiled(Feedback::TooSkewed),
            "nothing" => Self::Nothing,
            number => Self::Finger(number.parse().map_err(|_| GestureError(word.to_string()))?),
        })
    }
}

/// A fingerprint sensor that follows a script.
///
/// ```
/// use hallway_authenticator::{Capture, Feedback, FingerprintSensor, Gesture, SimulatedSensor};
///
/// let mut sensor = SimulatedSensor::new([Gesture::Spoiled(Feedback::TooFast), Gesture::Finger(1)]);
/// let mut template = Default::default();
/// let too_fast = sensor.capture(&mut template, &[], 1000);
/// assert_eq!(too_fast, Capture::Sample(Feedback::TooFast));
/// // The last gesture of the script happens again and again.
/// for _ in 0..3 {
///     assert_eq!(sensor.capture(&mut template, &[], 1000), Capture::Sample(Feedback::Good));
/// }
/// ```
#[derive(Clone, Debug)]
pub struct SimulatedSensor {
    script: VecDeque<Gesture>,
    last: Gesture,
}

impl SimulatedSensor {
    /// A sensor at which `script` happens, and then its last gesture again and again; for an empty
    /// script, nothing ever.
    pub fn new(script: impl IntoIterator<Item = Gesture>) -> Self {
        Self {
            script: script.into_iter().collect(),
            last: Gesture::Nothing,
        }
    }

    /// Appends a gesture to the script.
    pub fn push(&mut self, gesture: Gesture) {
        self.script.push_back(gesture);
    }

    fn next(&mut self) -> Gesture {
        if let Some(gesture) = self.script.pop_front() {
            self.last = gesture;
        }
        self.last
    }
}

impl FingerprintSensor for SimulatedSensor {
    fn info(&self) -> Option<SensorInfo> {
        Some(SensorInfo {
            kind: FingerprintKind::Touch,
            samples: SAMPLES,
        })
    }

    /// A template is the number of the finger, once for each sample.
    fn capture(&mut self, template: &mut Template, enrolled: &[Template], _: u64) -> Capture {
        let feedback = match self.next() {
            Gesture::Finger(finger) => {
                let known = |template: &Template| template.first() == Some(&finger);
                if enrolled.iter().any(known) {
                    Feedback::Exists
                } else if !template.is_empty() && !known(template) {
                    Feedback::MergeFailure
                } else {
                    template.push(finger);
                    Feedback::Good
                }
            }
            Gesture::Spoiled(feedback) => feedback,
            Gesture::Nothing => Feedback::NoUserActivity,
            Gesture::Cancel => return Capture::Cancelled,
        };
        Capture::Sample(feedback)
    }

    fn identify(&mut self, enrolled: &[Template], _: u64) -> Identification {
        match self.next() {
            Gesture::Finger(finger)
                if enrolled
                    .iter()
                    .any(|template| template.first() == Some(&finger)) =>
            {
                Identification::Match
            }
            Gesture::Finger(_) | Gesture::Spoiled(_) => Identification::NoMatch,
            Gesture::Nothing => Identification::TimedOut,
            Gesture::Cancel => Identification::Cancelled,
        }
    }
}
