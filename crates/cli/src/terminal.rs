//! The only way to standard output and standard error.
//!
//! The macros below take the place of the standard library's in the whole program, so that nothing
//! is printed in another way. What they print goes through [`Printable`]: no control character and
//! no mark that changes the writing direction reaches a terminal, and in JSON, where such
//! characters stand in strings only, they are escaped as JSON does. Line breaks are kept, so other
//! people's text is printed as [`Printable`] itself, which has none, and a path by [`path`]. Styles
//! are not characters in a text, but pieces of their own ([`print_pieces`]).
//!
//! A reader that went away is no error and no panic: nothing more is printed, the command finishes
//! its work, and ends as programs do whose reader went away ([`end`]).

use std::error::Error;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
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

/// A part of what is printed in styles.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Piece<'a> {
    /// A word in a style; plain where standard output is no terminal, or `NO_COLOR` is set.
    Styled(Style, &'a str),
    /// Text as [`print()`] prints it.
    Plain(fmt::Arguments<'a>),
}

impl Style {
    /// What begins it on a terminal (ECMA-48, 8.3.117).
    const fn begin(self) -> &'static str {
        match self {
            Self::Green => "\x1b[32m",
            Self::Red => "\x1b[31m",
            Self::Bold => "\x1b[1m",
        }
    }
}

/// What ends every style on a terminal.
const END: &str = "\x1b[0m";

/// Whether a stream shows colours.
pub(crate) fn has_colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// A path as text that can't begin a new line.
pub(crate) fn path(path: &Path) -> String {
    Printable(&path.display().to_string()).to_string()
}

/// Whether styles are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colours {
    Shown,
    LeftOut,
}

/// What is written for the pieces. Escape sequences stand around a piece and come out of none.
fn shown(pieces: &[Piece<'_>], colours: Colours) -> String {
    let mut shown = String::new();
    for piece in pieces {
        match piece {
            Piece::Styled(style, word) if colours == Colours::Shown => {
                shown.push_str(style.begin());
                shown.push_str(&Printable(word).to_string());
                shown.push_str(END);
            }
            Piece::Styled(_, word) => shown.push_str(&Printable(word).to_string()),
            Piece::Plain(text) => shown.push_str(&Printable(&text.to_string()).lines()),
        }
    }
    shown
}

/// Prints on standard output, as `print!` does.
pub(crate) fn print(text: fmt::Arguments<'_>) {
    print_pieces(&[Piece::Plain(text)]);
}

/// Prints on standard output, some of it in styles.
pub(crate) fn print_pieces(pieces: &[Piece<'_>]) {
    let colours = if has_colours(&io::stdout()) {
        Colours::Shown
    } else {
        Colours::LeftOut
    };
    write_all(shown(pieces, colours).as_bytes());
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

/// Notes that standard output can't be written to any more.
pub(crate) fn note(error: &io::Error) {
    // Only the first counts.
    let _ = CLOSED.set(error.kind());
}

/// Prints a line on standard output, for a program that goes on even if nobody reads it: a gateway,
/// a device, an open hall.
pub(crate) fn announce(line: impl fmt::Display) {
    let line = line.to_string();
    let line = format!("{}\n", Printable(&line).lines());
    let mut out = io::stdout().lock();
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

/// Prints on standard error, as `eprint!` does.
pub(crate) fn tell(text: fmt::Arguments<'_>) {
    let text = text.to_string();
    // If that fails, there is nobody else to tell.
    let _ = io::stderr().write_all(Printable(&text).lines().as_bytes());
}

/// Says on standard error why a command failed. Every line but the first is indented, so that
/// nothing in an error looks like a line of its own.
pub(crate) fn complain(error: &dyn Error) {
    let text = causes(error);
    let text = text.trim_end().replace('\n', "\n    ");
    tell(format_args!("hallway: {text}\n"));
}

/// Ends a command: with `code`, unless its output could not be written. If its reader went away,
/// the program ends by the usual signal (SIGPIPE; a shell shows 141).
pub(crate) fn end(code: ExitCode) -> ExitCode {
    match CLOSED.get() {
        None => code,
        Some(io::ErrorKind::BrokenPipe) => {
            sigpipe::reset();
            let this = rustix::process::getpid();
            let _ = rustix::process::kill_process(this, rustix::process::Signal::PIPE);
            // Reached only if the signal is blocked.
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
        let pieces = [
            Piece::Styled(Style::Green, "✓"),
            Piece::Plain(format_args!(" a\u{1b}[31mb\nc\u{fdd4}")),
            Piece::Styled(Style::Red, "\u{1b}[2J\n"),
        ];
        assert_eq!(
            shown(&pieces, Colours::Shown),
            "\x1b[32m✓\x1b[0m a\\u001b[31mb\nc\\ufdd4\x1b[31m\\u001b[2J\\n\x1b[0m"
        );
        assert_eq!(
            shown(&pieces, Colours::LeftOut),
            "✓ a\\u001b[31mb\nc\\ufdd4\\u001b[2J\\n"
        );
    }

    #[test]
    fn no_character_in_json_is_a_style() {
        for c in '\u{fdd0}'..='\u{fdef}' {
            let json = serde_json::json!({ "name": format!("{c}red") }).to_string();
            let written = shown(&[Piece::Plain(format_args!("{json}"))], Colours::Shown);
            let escaped = format!("\\u{:04x}", u32::from(c));
            assert_eq!(written, format!("{{\"name\":\"{escaped}red\"}}"));
        }
    }

    #[test]
    fn a_path_begins_no_line() {
        assert_eq!(
            path(Path::new("a\n✓ holds: b\u{1b}")),
            "a\\n✓ holds: b\\u001b"
        );
    }
}
