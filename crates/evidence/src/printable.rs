//! Text that others chose, for a terminal, a log file or JSON.

use core::fmt;
use std::borrow::Cow;

/// Text that somebody else chose, made safe to show: on one line, with every character visible and
/// in its place.
///
/// Control characters, line separators, marks that change the writing direction, and characters
/// without a shape of their own are written as JSON escapes them, `\u001b`. Width and alignment of
/// a format string apply.
///
/// ```
/// use hallway_evidence::Printable;
///
/// let name = "lab\u{1b}[2J\u{202e}gpj.exe\nhallway: done";
/// assert_eq!(
///     Printable(name).to_string(),
///     r"lab\u001b[2J\u202egpj.exe\nhallway: done"
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&escaped(self.0, LineBreaks::Escaped))
    }
}

impl<'a> Printable<'a> {
    /// The text with its line breaks kept: for text of several lines, or several lines of JSON,
    /// in which such characters stand in strings only.
    #[must_use]
    pub fn lines(self) -> Cow<'a, str> {
        escaped(self.0, LineBreaks::Kept)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LineBreaks {
    Kept,
    Escaped,
}

fn escaped(text: &str, breaks: LineBreaks) -> Cow<'_, str> {
    let is_plain = |c: char| match c {
        '\n' => breaks == LineBreaks::Kept,
        c => !is_unprintable(c),
    };
    let Some(first) = text.find(|c| !is_plain(c)) else {
        return Cow::Borrowed(text);
    };
    let (plain, rest) = text.split_at(first);
    let mut shown = String::with_capacity(text.len() + 16);
    shown.push_str(plain);
    for c in rest.chars() {
        match c {
            c if is_plain(c) => shown.push(c),
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    shown.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    Cow::Owned(shown)
}

/// Whether a character steers a terminal, ends a line, turns the writing direction, or shows
/// nothing at all: the controls, Unicode's Default_Ignorable_Code_Point and Bidi_Control,
/// separators of lines and paragraphs, annotations, noncharacters, and the two symbols whose shape
/// is a blank.
#[must_use]
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fdd0}'..='\u{fdef}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d159}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
        || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_steer_hide_or_turn_text_are_seen() {
        for (text, shown) in [
            ("plain – 写真", "plain – 写真"),
            ("\u{1b}[2J", r"\u001b[2J"),
            ("\u{9b}2J", r"\u009b2J"),
            ("\u{7f}\u{85}", r"\u007f\u0085"),
            ("a\r\nb\tc", r"a\r\nb\tc"),
            ("gpj\u{202e}exe", r"gpj\u202eexe"),
            (
                "\u{2066}\u{200b}\u{feff}\u{2029}",
                r"\u2066\u200b\ufeff\u2029",
            ),
            ("\u{e0041}", r"\udb40\udc41"),
            ("ada\u{2800}\u{1d159}", r"ada\u2800\ud834\udd59"),
        ] {
            assert_eq!(Printable(text).to_string(), shown);
        }
        assert_eq!(Printable("a\n\u{1b}").lines(), "a\n\\u001b");
        assert_eq!(
            format!("{:<4}|{:>3}", Printable("ab"), Printable("c")),
            "ab  |  c"
        );
    }

    proptest::proptest! {
        #[test]
        fn nothing_unprintable_is_left(text: String) {
            proptest::prop_assert!(!Printable(&text).to_string().chars().any(is_unprintable));
            let lines = Printable(&text).lines();
            proptest::prop_assert!(!lines.chars().any(|c| c != '\n' && is_unprintable(c)));
        }

        #[test]
        fn json_stays_the_same_json(text: String) {
            let json = serde_json::to_string_pretty(&[&text]).unwrap();
            let shown = Printable(&json).lines().into_owned();
            proptest::prop_assert_eq!(serde_json::from_str::<Vec<String>>(&shown).unwrap(), [text]);
        }
    }
}
