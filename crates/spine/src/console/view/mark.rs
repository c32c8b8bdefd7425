//! A state: a word, a shape and a colour, never a colour alone.

use std::fmt;

use askama::filters::HtmlSafe;

/// The meaning of a state. Each tone has a shape and a colour of its own in `console.css`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// As it should be: a filled disc.
    Good,
    /// A step is still to come: a ring.
    Waiting,
    /// Suspended, or to be looked at by a person: a triangle.
    Warning,
    /// Broken, refused or stolen: a cross.
    Bad,
    /// Ended as planned: a square.
    Quiet,
}

/// One state, ready to be shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// The word, without characters that mean something in HTML.
    pub word: &'static str,
    /// Which shape and colour.
    pub tone: Tone,
}

impl Mark {
    /// A state with this tone and word.
    pub const fn new(tone: Tone, word: &'static str) -> Self {
        Self { word, tone }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.tone {
            Tone::Good => "good",
            Tone::Waiting => "waiting",
            Tone::Warning => "warning",
            Tone::Bad => "bad",
            Tone::Quiet => "quiet",
        };
        write!(f, r#"<span class="mark {class}">{}</span>"#, self.word)
    }
}

impl HtmlSafe for Mark {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_a_word_beside_a_shape() {
        assert_eq!(
            Mark::new(Tone::Bad, "Stolen").to_string(),
            r#"<span class="mark bad">Stolen</span>"#
        );
    }
}
