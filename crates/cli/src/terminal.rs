//! Standard output and standard error: the only way to them.
//!
//! The macros below take the place of the standard library's in the whole program, so that nothing
//! is printed in another way. What they print goes through [`Printable`]: no control character and
//! no mark that changes the writing direction reaches a terminal, and in JSON, where such characters
//! stand in strings only, they are escaped as JSON does. Line breaks are kept, so text of others is
//! printed as [`Printable`] itself, which has none.
//!
//! A reader that went away is no error and no panic: what follows is not printed, the command does
//! what it has to, and ends as programs do whose output nobody wants ([`end`]).

use std::error::Error;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

use hallway_evidence::{Printable, causes};

/// Prints a line on standard output.
macro_rules! println {
    () => { $crate::terminal::print(format_args!("\n")) };
    ($($text:tt)+) => {
        $crate::terminal::print(format_args!("{}\n", format_args!($($text)+)))
    };
}

/// Prints on standard output.
macro_rules! print {
    ($($text:tt)+) => { $crate::terminal::print(format_args!($($text)+)) };
}

/// Prints a line on standard error.
macro_rules! eprintln {
    () => { $crate::terminal::tell(format_args!("\n")) };
    ($($text:tt)+) => {
        $crate::terminal::tell(format_args!("{}\n", format_args!($($text)+)))
    };
}

/// Prints on standard error.
macro_rules! eprint {
    ($($text:tt)+) => { $crate::terminal::tell(format_args!($($text)+)) };
}

/// Why standard output takes no more: the first error of writing to it.
static CLOSED: OnceLock<io::ErrorKind> = OnceLock::new();

/// How a word looks on a terminal that has colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Good.
    Green,
    /// Bad.
    Red,
    /// A heading.
    Bold,
}

/// Unicode gives these two no meaning, ever, and [`Printable`] lets none pass that others wrote. So
/// what stands here in the text to print is ours, and becomes what it stands for.
const BEGIN: [(Style, char, &str); 3] = [
    (Style::Green, '\u{fdd0}', "\x1b[32m"),
    (Style::Red, '\u{fdd1}', "\x1b[31m"),
    (Style::Bold, '\u{fdd2}', "\x1b[1m"),
];
const END: (char, &str) = ('\u{fdd3}', "\x1b[0m");

/// A word in a style, to be printed on standard output; plain where that is no terminal, or
/// `NO_COLOR` is set.
pub(crate) fn styled(style: Style, word: &str) -> String {
    let begin = BEGIN.iter().find(|(known, ..)| *known == style);
    match begin {
        Some((_, begin, _)) if has_colours(&io::stdout()) => {
            format!("{begin}{}{}", Printable(word), END.0)
        }
        _ => word.to_owned(),
    }
}

/// Whether colours are wanted there.
pub(crate) fn has_colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// What is written for a text: everything visible, and our own styles.
fn shown(text: &str) -> String {
    let is_style = |c: char| c == END.0 || BEGIN.iter().any(|(_, begin, _)| *begin == c);
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(is_style) {
        let style = piece.chars().next_back().filter(|c| is_style(*c));
        let plain = &piece[..piece.len() - style.map_or(0, char::len_utf8)];
        shown.push_str(&Printable(plain).lines());
        if let Some(style) = style {
            let begin = BEGIN.iter().find(|(_, begin, _)| *begin == style);
            shown.push_str(begin.map_or(END.1, |(_, _, escape)| *escape));
        }
    }
    shown
}

/// Prints on standard output, as `print!` does.
pub(crate) fn print(text: fmt::Arguments<'_>) {
    let text = text.to_string();
    let text = match has_colours(&io::stdout()) {
        true => shown(&text),
        false => Printable(&text).lines().into_owned(),
    };
    write_all(text.as_bytes());
}

/// Writes to standard output what is made for programs and not for a terminal, as it is.
pub(crate) fn write_all(bytes: &[u8]) {
    if CLOSED.get().is_some() {
        return;
    }
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
        note(&error);
    }
}

/// Takes note that standard output takes no more.
pub(crate) fn note(error: &io::Error) {
    // Only the first counts.
    let _ = CLOSED.set(error.kind());
}

/// Prints a line on standard output, for a program that goes on all the same when nobody reads it: a
/// gateway, a device, an open hall.
pub(crate) fn announce(line: impl fmt::Display) {
    let line = line.to_string();
    let line = format!("{}\n", Printable(&line).lines());
    let mut out = io::stdout().lock();
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

/// Prints on standard error, as `eprint!` does.
pub(crate) fn tell(text: fmt::Arguments<'_>) {
    let text = text.to_string();
    // There is nobody else to tell.
    let _ = io::stderr().write_all(Printable(&text).lines().as_bytes());
}

/// Says on standard error why a command failed. A line that is not the first is set in, so that
/// nothing in an error looks like a line of its own.
pub(crate) fn complain(error: &dyn Error) {
    let text = causes(error);
    let text = text.trim_end().replace('\n', "\n    ");
    tell(format_args!("hallway: {text}\n"));
}

/// The end of a command: with `code`, unless what it printed did not arrive. Where nobody read it, the
/// program ends by the signal that ends such programs (SIGPIPE; a shell shows 141).
pub(crate) fn end(code: ExitCode) -> ExitCode {
    match CLOSED.get() {
        None => code,
        Some(io::ErrorKind::BrokenPipe) => {
            sigpipe::reset();
            let this = rustix::process::getpid();
            let _ = rustix::process::kill_process(this, rustix::process::Signal::PIPE);
            // Only where somebody blocked the signal.
            ExitCode::FAILURE
        }
        Some(kind) => {
            tell(format_args!("hallway: standard output: {kind}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Standard error for logs: a log that nobody can read any more stops nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LogLines {
    /// Everything is filtered here.
    Plain,
    /// The log has colours; what it says was filtered before they came.
    Coloured,
}

impl Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = match self {
            Self::Coloured => io::stderr().write_all(bytes),
            Self::Plain => {
                let text = String::from_utf8_lossy(bytes);
                io::stderr().write_all(Printable(&text).lines().as_bytes())
            }
        };
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_styles_reach_a_terminal() {
        let text = format!("\u{fdd0}✓{} a\u{1b}[31mb\nc\u{fdd4}", END.0);
        assert_eq!(shown(&text), "\x1b[32m✓\x1b[0m a\\u001b[31mb\nc\\ufdd4");
        let foreign = Printable("\u{fdd1}red").to_string();
        assert_eq!(shown(&foreign), "\\ufdd1red");
    }
}
