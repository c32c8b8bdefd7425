//! A question in words: for a person, and for programs.

use std::fmt::Write as _;

use hallway_authenticator::{BackupContent, Question, ResetTouch};

/// The question, for a person. What a website chose is quoted and its control characters are
/// shown, so that it cannot pretend to be something else.
pub(crate) fn sentence(question: &Question<'_>) -> String {
    match question {
        Question::MakeCredential { rp_id, user } => match user {
            Some(user) => format!("Register a new key at {rp_id:?} for {user:?}?"),
            None => format!("Register a new key at {rp_id:?}?"),
        },
        Question::GetAssertion { rp_id } => format!("Sign in at {rp_id:?}?"),
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
/// `sign-in`, `select`, `reset`, `backup` or `restore`), and what belongs to it.
pub(crate) fn variables(question: &Question<'_>) -> Vec<(&'static str, String)> {
    let operation = |name: &str| ("HALLWAY_OPERATION", name.to_owned());
    match question {
        Question::MakeCredential { rp_id, user } => {
            let mut all = vec![
                operation("register"),
                ("HALLWAY_RELYING_PARTY", (*rp_id).into()),
            ];
            all.extend(user.map(|user| ("HALLWAY_USER", user.into())));
            all
        }
        Question::GetAssertion { rp_id } => vec![
            operation("sign-in"),
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
        };
        let text = sentence(&question);
        assert!(!text.contains(['\u{1b}', '\n']), "{text}");
        assert!(text.contains("gate.example"));
    }

    #[test]
    fn every_question_names_its_operation() {
        for (question, expected) in [
            (Question::GetAssertion { rp_id: "a" }, "sign-in"),
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
