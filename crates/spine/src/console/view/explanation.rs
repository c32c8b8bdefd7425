//! One piece of evidence, explained as a teacher would: the bytes, with their meaning beside them.

use askama::Template;
use hallway_evidence::verify::{Report, Section};
use hallway_webauthn::explain::Bytes;
use hallway_webauthn::{Observed, Outcome};

use super::{Count, Frame, Mark, Moment, Size, Tone};

/// How many bytes of one field are printed; the whole is in the receipt.
const SHOWN: usize = 128;

/// Bytes in hexadecimal, eight to a line, at most [`SHOWN`] of them.
fn hex_lines(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().min(SHOWN) * 3 + 24);
    for (i, byte) in bytes.iter().take(SHOWN).enumerate() {
        if i > 0 {
            out.push(if i.is_multiple_of(8) { '\n' } else { ' ' });
        }
        out.push_str(&hex::encode([*byte]));
    }
    if let Some(hidden) = bytes.len().checked_sub(SHOWN).filter(|n| *n > 0) {
        out.push_str(&format!("\nand {hidden} more"));
    }
    out
}

/// How a step ended.
const fn ended(step: &Observed) -> Mark {
    match step.outcome {
        Outcome::Held => Mark::new(Tone::Good, "holds"),
        Outcome::Failed => Mark::new(Tone::Bad, "fails"),
        Outcome::Skipped => Mark::new(Tone::Quiet, "not needed"),
    }
}

fn failed(section: &Section) -> usize {
    let failed = |step: &&Observed| step.outcome == Outcome::Failed;
    section.steps.iter().filter(failed).count()
}

/// A name and a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fact {
    /// The name.
    pub name: &'static str,
    /// The value.
    pub value: String,
    /// The address to which the value links, if any.
    pub href: Option<String>,
}

/// The bytes that a device signed, if they are a picture.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Picture {
    /// How many bytes.
    pub size: Size,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
}

/// The place of the evidence in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogPlace {
    /// The entry's index, counted from 0.
    pub index: Count,
    /// The size of the tree that the proof is for.
    pub tree_size: Count,
    /// The hash of the leaf, in hexadecimal (RFC 6962, 2.1).
    pub leaf: String,
    /// The hashes that lead from the leaf to the root, base64.
    pub path: Vec<String>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

/// `/evidence/{hash}`.
#[derive(Template, Clone, Debug)]
#[template(path = "explanation.html")]
pub struct ExplanationPage {
    /// The frame.
    pub frame: Frame,
    /// The hash of the evidence, in hexadecimal.
    pub hash: String,
    /// The file name of the receipt.
    pub receipt: String,
    /// The sentence of the statement.
    pub sentence: String,
    /// When the gateway accepted it.
    pub accepted: Moment,
    /// The people, devices and realm of the evidence.
    pub facts: Vec<Fact>,
    /// The signed picture, if there is one.
    pub picture: Option<Picture>,
    /// Every step of the verification, what follows, and the bytes, part by part.
    pub report: Report,
    /// Its place in the log.
    pub log: Option<LogPlace>,
}

impl ExplanationPage {
    /// The name of the receipt as one word of a shell command.
    fn receipt_as_word(&self) -> String {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if self.receipt.chars().all(is_plain) && !self.receipt.starts_with('-') {
            return self.receipt.clone();
        }
        format!("'./{}'", self.receipt.replace('\'', r"'\''"))
    }

    const fn mark(&self) -> Mark {
        match self.report.holds {
            true => Mark::new(Tone::Good, "It holds"),
            false => Mark::new(Tone::Bad, "It does not hold"),
        }
    }

    fn steps(&self) -> usize {
        let sections = self.report.sections.iter();
        sections.map(|section| section.steps.len()).sum()
    }

    fn failure(&self) -> Option<String> {
        match &self.report.failure {
            None if self.report.holds => None,
            None => Some("There is nothing to conclude from it.".to_owned()),
            Some(failure) => Some(format!(
                "{}, step {}: {}.",
                failure.section,
                failure.step,
                failure.what.trim_end_matches('.')
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stand_eight_to_a_line() {
        let text = hex_lines(&[0xab; 10]);
        assert_eq!(text, "ab ab ab ab ab ab ab ab\nab ab");
    }

    #[test]
    fn a_long_field_says_how_much_is_left_out() {
        assert!(hex_lines(&[0; SHOWN + 3]).ends_with("00\nand 3 more"));
    }
}
