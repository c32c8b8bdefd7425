//! Watching a verification step by step.
//!
//! The plain functions run with `()`, whose observation compiles to nothing. The `_observed` forms
//! tell an [`Observer`] about every step of the specification, with what was compared, so that a
//! console or a command can show a person how a conclusion was reached.

use std::fmt;

/// One step of a procedure in the specification.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Step {
    /// Section and step, such as `7.2.11` (WebAuthn Level 3, section 7.2, step 11) or `8.2/2.1`
    /// (section 8.2, verification procedure, second bullet, first sub-bullet).
    pub number: &'static str,
    /// What the step establishes, in a few words.
    pub title: &'static str,
}

/// The step with this number and title.
pub(crate) const fn step(number: &'static str, title: &'static str) -> Step {
    Step { number, title }
}

/// How a step ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The step's condition holds.
    Held,
    /// The step's condition does not hold; the verification ends here with an error.
    Failed,
    /// The step does not apply to this response, or the policy does not ask for it.
    Skipped,
}

/// Is told of every step, in order. Implemented for `()`, which costs nothing.
pub trait Observer {
    /// `detail` says what was compared with what. It is only formatted if the observer does so.
    fn step(&mut self, step: Step, outcome: Outcome, detail: fmt::Arguments<'_>);
}

impl Observer for () {
    #[inline(always)]
    fn step(&mut self, _: Step, _: Outcome, _: fmt::Arguments<'_>) {}
}

impl<O: Observer + ?Sized> Observer for &mut O {
    fn step(&mut self, step: Step, outcome: Outcome, detail: fmt::Arguments<'_>) {
        (**self).step(step, outcome, detail);
    }
}

/// An observer that keeps everything it is told, ready to be serialised.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize)]
#[serde(transparent)]
pub struct Record(pub Vec<Observed>);

/// A step as it was observed.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Observed {
    /// Which step.
    #[serde(flatten)]
    pub step: Step,
    /// How it ended.
    pub outcome: Outcome,
    /// What was compared with what.
    pub detail: String,
}

impl Record {
    /// The step that failed, if one did.
    pub fn failed(&self) -> Option<&Observed> {
        self.0.iter().find(|seen| seen.outcome == Outcome::Failed)
    }
}

impl Observer for Record {
    fn step(&mut self, step: Step, outcome: Outcome, detail: fmt::Arguments<'_>) {
        self.0.push(Observed {
            step,
            outcome,
            detail: detail.to_string(),
        });
    }
}

/// Reports a condition and turns it into a result.
#[inline(always)]
pub(crate) fn check<O: Observer, E>(
    observer: &mut O,
    step: Step,
    holds: bool,
    detail: fmt::Arguments<'_>,
    error: impl FnOnce() -> E,
) -> Result<(), E> {
    if holds {
        observer.step(step, Outcome::Held, detail);
        Ok(())
    } else {
        observer.step(step, Outcome::Failed, detail);
        Err(error())
    }
}

/// Reports a computation and passes its result on; a failure is described by its error.
#[inline(always)]
pub(crate) fn conclude<O: Observer, T, E: fmt::Display>(
    observer: &mut O,
    step: Step,
    result: Result<T, E>,
    detail: fmt::Arguments<'_>,
) -> Result<T, E> {
    match &result {
        Ok(_) => observer.step(step, Outcome::Held, detail),
        Err(error) => observer.step(step, Outcome::Failed, format_args!("{error}")),
    }
    result
}

/// Passes on the result of a part of a step, and reports it only if it fails: the step's last part
/// says that it held.
#[inline(always)]
pub(crate) fn part<O: Observer, T, E: fmt::Display>(
    observer: &mut O,
    step: Step,
    result: Result<T, E>,
) -> Result<T, E> {
    if let Err(error) = &result {
        observer.step(step, Outcome::Failed, format_args!("{error}"));
    }
    result
}

/// Prints bytes as hexadecimal digits, without allocating.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Step = Step {
        number: "7.2.10",
        title: "A title",
    };

    #[test]
    fn a_record_keeps_steps_in_order_and_finds_the_failure() {
        let mut record = Record::default();
        check(&mut record, STEP, true, format_args!("a = a"), || ()).unwrap();
        assert!(record.failed().is_none());
        conclude(&mut record, STEP, Err::<(), _>("broken"), format_args!("")).unwrap_err();
        assert_eq!(record.0.len(), 2);
        assert_eq!(record.failed().unwrap().detail, "broken");
    }

    #[test]
    fn hexadecimal_is_lower_case_and_padded() {
        assert_eq!(Hex(&[0, 0xab]).to_string(), "00ab");
    }
}
