//! One piece of evidence, explained the way a teacher would: the bytes, and beside them what they
//! mean.

use askama::Template;
use serde::Serialize;

use super::{Count, Frame, Mark, Moment, Size, Tone};

/// Bytes as they are shown: at most [`Bytes::SHOWN`] of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "as", content = "content", rename_all = "snake_case")]
pub enum Bytes {
    /// In hexadecimal, eight to a line.
    Hex(String),
    /// As text, where the bytes are text.
    Text(String),
}

impl Bytes {
    /// How many bytes of one field are printed; the whole is in the receipt.
    pub const SHOWN: usize = 128;

    /// `bytes` in hexadecimal, eight to a line.
    pub fn hex(bytes: &[u8]) -> Self {
        let mut out = String::with_capacity(bytes.len().min(Self::SHOWN) * 3 + 24);
        for (i, byte) in bytes.iter().take(Self::SHOWN).enumerate() {
            if i > 0 {
                out.push(if i.is_multiple_of(8) { '\n' } else { ' ' });
            }
            out.push_str(&hex::encode([*byte]));
        }
        if let Some(hidden) = bytes.len().checked_sub(Self::SHOWN).filter(|n| *n > 0) {
            out.push_str(&format!("\nand {hidden} more"));
        }
        Self::Hex(out)
    }
}

/// One bit of a byte of flags.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Bit {
    /// 7 is the highest.
    pub number: u8,
    /// The specification's name: `UP`.
    pub name: &'static str,
    /// Whether it is set.
    pub set: bool,
    /// What that means here.
    pub meaning: &'static str,
}

/// Some bytes, and what they mean.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Field {
    /// Where the bytes begin within their part.
    pub offset: usize,
    /// The bytes.
    pub bytes: Bytes,
    /// The specification's name for them.
    pub name: String,
    /// Their value, if it reads better than the bytes.
    pub value: Option<String>,
    /// What it is for, in a sentence or two.
    pub meaning: String,
    /// The bits, if it is a byte of flags.
    pub bits: Vec<Bit>,
}

impl Field {
    /// A field whose bytes begin at `offset`.
    pub fn new(offset: usize, bytes: &[u8], name: &str, meaning: impl Into<String>) -> Self {
        Self {
            offset,
            bytes: Bytes::hex(bytes),
            name: name.to_owned(),
            value: None,
            meaning: meaning.into(),
            bits: Vec::new(),
        }
    }

    /// The same field, with its value.
    pub fn with_value(mut self, value: impl Into<String>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// The same field, its bytes shown as the text that they are.
    pub fn as_text(mut self, text: impl Into<String>) -> Self {
        self.bytes = Bytes::Text(text.into());
        self
    }
}

/// One of the things that evidence is made of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Part {
    /// A name for links within the page.
    pub id: &'static str,
    /// The heading.
    pub title: String,
    /// What this part is for.
    pub lead: String,
    /// How many bytes it has.
    pub length: usize,
    /// Its bytes, in order.
    pub fields: Vec<Field>,
}

/// What came of a step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "is", content = "because", rename_all = "snake_case")]
pub enum Outcome {
    /// It holds; this is what was compared with what, where there is more to say.
    Passed(String),
    /// It does not, and this is why.
    Failed(String),
    /// It does not apply here, and this is why.
    NotNeeded(String),
}

/// One step of the verification.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Step {
    /// The specification's number: `7.2.11`.
    pub number: String,
    /// What is checked.
    pub title: String,
    /// What came of it.
    pub outcome: Outcome,
}

impl Step {
    fn mark(&self) -> Mark {
        match self.outcome {
            Outcome::Passed(_) => Mark::new(Tone::Good, "holds"),
            Outcome::Failed(_) => Mark::new(Tone::Bad, "fails"),
            Outcome::NotNeeded(_) => Mark::new(Tone::Quiet, "not needed"),
        }
    }

    fn why(&self) -> Option<&str> {
        let (Outcome::Passed(why) | Outcome::Failed(why) | Outcome::NotNeeded(why)) = &self.outcome;
        Some(why.as_str()).filter(|why| !why.is_empty())
    }

    fn failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed(_))
    }
}

/// Steps that belong together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StepGroup {
    /// The heading.
    pub title: String,
    /// What was signed, where the steps are about something else than the page.
    pub sentence: Option<String>,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

impl StepGroup {
    fn failed(&self) -> usize {
        self.steps.iter().filter(|step| step.failed()).count()
    }

    /// Whether a reader ought to see the steps at once.
    fn is_open(&self) -> bool {
        self.sentence.is_none() || self.failed() > 0
    }
}

/// What the verification came to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "is", content = "because", rename_all = "snake_case")]
pub enum Verdict {
    /// Every step holds.
    Holds,
    /// It does not; this says which step and why.
    Fails(String),
}

/// A name and a value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Fact {
    /// The name.
    pub name: &'static str,
    /// The value.
    pub value: String,
    /// Where the value leads, if anywhere.
    pub href: Option<String>,
}

/// The bytes that a device signed, when they are a picture.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Picture {
    /// How many bytes.
    pub size: Size,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
}

/// Where the log holds the evidence.
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
    /// What the receipt is called where it is kept.
    pub receipt: String,
    /// What was signed, as a sentence.
    pub sentence: String,
    /// Whether it holds.
    pub verdict: Verdict,
    /// When the gateway accepted it.
    pub accepted: Moment,
    /// Who, what and under whom.
    pub facts: Vec<Fact>,
    /// The signed picture, if there is one.
    pub picture: Option<Picture>,
    /// Every step of the verification.
    pub groups: Vec<StepGroup>,
    /// The bytes, part by part.
    pub parts: Vec<Part>,
    /// Its place in the log.
    pub log: Option<LogPlace>,
}

impl ExplanationPage {
    /// The name of the receipt as one word of a shell's.
    fn receipt_as_word(&self) -> String {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if self.receipt.chars().all(is_plain) && !self.receipt.starts_with('-') {
            return self.receipt.clone();
        }
        format!("'./{}'", self.receipt.replace('\'', r"'\''"))
    }

    fn mark(&self) -> Mark {
        match self.verdict {
            Verdict::Holds => Mark::new(Tone::Good, "It holds"),
            Verdict::Fails(_) => Mark::new(Tone::Bad, "It does not hold"),
        }
    }

    fn steps(&self) -> usize {
        self.groups.iter().map(|group| group.steps.len()).sum()
    }

    fn failure(&self) -> Option<&str> {
        match &self.verdict {
            Verdict::Holds => None,
            Verdict::Fails(why) => Some(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stand_eight_to_a_line() {
        let Bytes::Hex(text) = Bytes::hex(&[0xab; 10]) else {
            unreachable!()
        };
        assert_eq!(text, "ab ab ab ab ab ab ab ab\nab ab");
    }

    #[test]
    fn a_long_field_says_how_much_is_left_out() {
        let Bytes::Hex(text) = Bytes::hex(&[0; Bytes::SHOWN + 3]) else {
            unreachable!()
        };
        assert!(text.ends_with("00\nand 3 more"));
    }
}
