//! A question in words: for a person, and for programs.

use std::fmt::{self, Write as _};

use hallway_authenticator::{BackupContent, Question, ResetTouch};
use hallway_ctap::command::preview_sign::SigningPolicy;

/// Text that a website chose, in quotes and with every character visible.
///
/// Rust's `{:?}` escapes characters that control a terminal, end a line, change the writing
/// direction or have no meaning. It does not escape letters and marks that show nothing (Unicode's
/// Default_Ignorable_Code_Point): these are escaped here.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in format!("{:?}", self.0).chars() {
            if shows_nothing(c) {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

const fn shows_nothing(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// The question, for a person. Text that a website chose is quoted and its control characters are
/// shown, so that it cannot pretend to be part of the question.
pub(crate) fn sentence(question: &Question<'_>) -> String {
    match question {
        Question::MakeCredential {
            rp_id,
            user,
            signing_key,
        } => {
            let account = user.map_or(String::new(), |user| format!(" for {}", Quoted(user)));
            let signing = match signing_key {
                None => "",
                Some(SigningPolicy::Unattended) => ", and let it have data signed WITHOUT ASKING",
                Some(SigningPolicy::RequireUp | SigningPolicy::RequireUv) => {
                    ", and a key that signs data for it"
                }
            };
            format!("Register a new key at {}{account}{signing}?", Quoted(rp_id))
        }
        Question::GetAssertion { rp_id } => format!("Sign in at {}?", Quoted(rp_id)),
        Question::SignData { rp_id } => {
            format!("Sign in at {}, and sign data that it chose?", Quoted(rp_id))
        }
        Question::RegisterU2f { application } => format!(
            "Register a new key (U2F) at the site whose hash is {}?",
            hex(*application)
        ),
        Question::AuthenticateU2f { application } => format!(
            "Sign in (U2F) at the site whose hash is {}?",
            hex(*application)
        ),
        Question::Selection => "Use this key?".into(),
        Question::Reset { .. } => "ERASE everything on this key?".into(),
        Question::Backup(BackupContent::Seed) => "Give out the SEED of this key?".into(),
        Question::Backup(BackupContent::Credentials) => "Give out ALL PASSKEYS of this key?".into(),
        Question::Restore { credentials } => format!("Add {credentials} passkeys to this key?"),
    }
}

/// The question as variables of a program's environment: `HALLWAY_OPERATION` (`register`,
/// `sign-in`, `sign-data`, `select`, `reset`, `backup` or `restore`), and its details.
pub(crate) fn variables(question: &Question<'_>) -> Vec<(&'static str, String)> {
    let operation = |name: &str| ("HALLWAY_OPERATION", name.to_owned());
    match question {
        Question::MakeCredential {
            rp_id,
            user,
            signing_key,
        } => {
            let mut all = vec![
                operation("register"),
                ("HALLWAY_RELYING_PARTY", (*rp_id).into()),
            ];
            all.extend(user.map(|user| ("HALLWAY_USER", user.into())));
            all.extend(signing_key.map(|policy| ("HALLWAY_SIGNING_KEY", demand(policy).into())));
            all
        }
        Question::GetAssertion { rp_id } => vec![
            operation("sign-in"),
            ("HALLWAY_RELYING_PARTY", (*rp_id).into()),
        ],
        Question::SignData { rp_id } => vec![
            operation("sign-data"),
            ("HALLWAY_RELYING_PARTY", (*rp_id).into()),
        ],
        Question::RegisterU2f { application } => vec![
            operation("register"),
            ("HALLWAY_APPLICATION", hex(*application)),
        ],
        Question::AuthenticateU2f { application } => vec![
            operation("sign-in"),
            ("HALLWAY_APPLICATION", hex(*application)),
        ],
        Question::Selection => vec![operation("select")],
        Question::Reset { touch } => {
            let touch = match touch {
                ResetTouch::Short => "short",
                ResetTouch::Long => "long",
            };
            vec![operation("reset"), ("HALLWAY_RESET_TOUCH", touch.into())]
        }
        Question::Backup(_) => vec![operation("backup")],
        Question::Restore { .. } => vec![operation("restore")],
    }
}

/// The condition under which the key will sign.
const fn demand(policy: SigningPolicy) -> &'static str {
    match policy {
        SigningPolicy::Unattended => "nothing",
        SigningPolicy::RequireUp => "presence",
        SigningPolicy::RequireUv => "verification",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_cannot_write_on_the_terminal() {
        let question = Question::MakeCredential {
            rp_id: "gate.example",
            user: Some("ada\u{1b}[2J\nSign in?"),
            signing_key: None,
        };
        let text = sentence(&question);
        assert!(!text.contains(['\u{1b}', '\n']), "{text}");
        assert!(text.contains("gate.example"));
    }

    #[test]
    fn nothing_that_a_site_chose_is_invisible() {
        let hidden = "a\u{3164}\u{fe0f}\u{34f}\u{e0041}\u{202e}\u{fdd0}\u{ad}\u{200b}";
        let text = sentence(&Question::GetAssertion { rp_id: hidden });
        assert!(text.is_ascii(), "{text:?}");
        let plain = sentence(&Question::GetAssertion {
            rp_id: "bücher.example",
        });
        assert_eq!(plain, "Sign in at \"bücher.example\"?");
    }

    #[test]
    fn a_signing_key_is_never_made_unnoticed() {
        let question = |signing_key| Question::MakeCredential {
            rp_id: "gate.example",
            user: None,
            signing_key,
        };
        for (policy, said, demand) in [
            (SigningPolicy::Unattended, "WITHOUT ASKING", "nothing"),
            (SigningPolicy::RequireUp, "signs data for it", "presence"),
            (
                SigningPolicy::RequireUv,
                "signs data for it",
                "verification",
            ),
        ] {
            let question = question(Some(policy));
            assert!(sentence(&question).contains(said));
            let told = ("HALLWAY_SIGNING_KEY", demand.to_owned());
            assert!(variables(&question).contains(&told));
        }
        assert_eq!(
            sentence(&question(None)),
            "Register a new key at \"gate.example\"?"
        );
    }

    #[test]
    fn every_question_names_its_operation() {
        for (question, expected) in [
            (Question::GetAssertion { rp_id: "a" }, "sign-in"),
            (Question::SignData { rp_id: "a" }, "sign-data"),
            (
                Question::RegisterU2f {
                    application: &[1; 32],
                },
                "register",
            ),
            (Question::Selection, "select"),
            (
                Question::Reset {
                    touch: ResetTouch::Long,
                },
                "reset",
            ),
        ] {
            assert_eq!(
                variables(&question)[0],
                ("HALLWAY_OPERATION", expected.to_owned())
            );
        }
    }
}
