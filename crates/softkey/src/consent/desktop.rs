//! The owner at a desktop: a notification with two buttons.

use std::io::Read;
use std::process::{Command, Stdio};

use hallway_authenticator::{Answer, Question};

use super::program::Program;
use super::sentence::sentence;
use super::terminal::say;
use super::{Asker, Wait};

/// Asks by `notify-send` (libnotify 0.8 or later), which works on every desktop.
///
/// Only the button that allows is a yes: closing the notification, a desktop without buttons and a
/// missing `notify-send` are all a no.
pub struct DesktopNotification;

/// The program that shows the notification.
const PROGRAM: &str = "notify-send";
/// The output of the program when the owner allows.
const ALLOW: &str = "allow";

impl Asker for DesktopNotification {
    fn ask(&mut self, question: &Question<'_>, wait: &Wait) -> Answer {
        let mut command = Command::new(PROGRAM);
        command
            .args([
                "--app-name=Hallway",
                "--urgency=critical",
                "--wait",
                "--action=refuse=Refuse",
            ])
            .arg(format!("--action={ALLOW}=Allow"))
            .arg(format!("--expire-time={}", wait.left().as_millis()))
            .args(["--", "Security key", &plain(&sentence(question))])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut program = match Program::start(&mut command) {
            Ok(program) => program,
            Err(error) => {
                say(format_args!(
                    "refused: {PROGRAM} (package libnotify-bin) cannot be run: {error}\n"
                ));
                return Answer::Denied;
            }
        };
        let output = program.output();
        if let Err(over) = program.outcome(wait) {
            return over;
        }
        // The name of one action; longer output is none.
        let mut chosen = String::new();
        let read = output.map(|output| output.take(64).read_to_string(&mut chosen));
        match read {
            Some(Ok(_)) if chosen.trim_end() == ALLOW => Answer::Granted,
            _ => Answer::Denied,
        }
    }
}

/// Escapes a text, of which a website chose a part: a notification's text is markup, and
/// `notify-send` turns `\n` into a line break.
fn plain(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_cannot_shape_the_notification() {
        let question = Question::GetAssertion {
            rp_id: "a</b>\n&amp;",
        };
        let shown = plain(&sentence(&question));
        assert_eq!(shown, r#"Sign in at "a&lt;/b&gt;\\n&amp;amp;"?"#);
    }
}
