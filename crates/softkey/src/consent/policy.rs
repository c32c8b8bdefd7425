//! A policy that decides in the owner's place, for servers.

use std::collections::VecDeque;
use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use hallway_authenticator::{Answer, Question};
use hallway_client::relying_party_id;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::sentence::sentence;
use super::terminal::say;
use super::{Asker, Wait};

/// What a key may do with nobody there. Everything that the policy does not name is refused, and
/// so is every reset.
///
/// ```
/// use hallway_softkey::ConsentPolicy;
///
/// let policy: ConsentPolicy = r#"
///     select = true                        # say yes when a client asks which key to use
///
///     [[allow]]
///     relying_party = "gate.example"       # exactly; ssh-keygen's is "ssh:"
///     operations = ["register", "sign-in"]
///     per_minute = 6
/// "#.parse()?;
/// # Ok::<(), hallway_softkey::ConsentPolicyError>(())
/// ```
#[derive(Debug)]
pub struct ConsentPolicy {
    select: bool,
    rules: Vec<Rule>,
    started: Instant,
}

/// Why a text is not a policy.
#[derive(Debug, thiserror::Error)]
#[error("this is not a consent policy: {0}")]
pub struct ConsentPolicyError(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    select: bool,
    #[serde(default)]
    allow: Vec<Allow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allow {
    #[serde(deserialize_with = "relying_party")]
    relying_party: String,
    operations: Vec<Operation>,
    per_minute: u16,
}

/// One relying party, in the form in which clients name it.
fn relying_party<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    relying_party_id(&text).ok_or_else(|| {
        D::Error::custom(format!(
            "{text:?} is not one exact relying party id, such as gate.example"
        ))
    })
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
enum Operation {
    Register,
    SignIn,
    /// Data that the relying party chose, and keys that sign them.
    SignData,
}

#[derive(Debug)]
struct Rule {
    relying_party: String,
    /// SHA-256 of the relying party id: U2F requests contain nothing else of it.
    application: Vec<u8>,
    operations: Vec<Operation>,
    per_minute: usize,
    /// When the rule said yes, within the last minute.
    granted_ms: VecDeque<u64>,
}

const MAX_TEXT_BYTES: usize = 64 * 1024;
const MINUTE_MS: u64 = 60_000;

impl std::str::FromStr for ConsentPolicy {
    type Err = ConsentPolicyError;

    fn from_str(text: &str) -> Result<Self, ConsentPolicyError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(ConsentPolicyError("it is longer than 64 KiB".into()));
        }
        let document: Document =
            toml::from_str(text).map_err(|error| ConsentPolicyError(error.to_string()))?;
        let rules = document
            .allow
            .into_iter()
            .map(Rule::try_from)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            select: document.select,
            rules,
            started: Instant::now(),
        })
    }
}

impl TryFrom<Allow> for Rule {
    type Error = ConsentPolicyError;

    fn try_from(allow: Allow) -> Result<Self, ConsentPolicyError> {
        let name = allow.relying_party;
        let wrong = |what: &str| Err(ConsentPolicyError(format!("{name:?}: {what}")));
        if allow.operations.is_empty() {
            return wrong("operations must name \"register\", \"sign-in\" or \"sign-data\"");
        }
        if allow.per_minute == 0 {
            return wrong("per_minute must be at least 1");
        }
        Ok(Self {
            application: digest(&SHA256, name.as_bytes()).as_ref().to_vec(),
            operations: allow.operations,
            per_minute: allow.per_minute.into(),
            granted_ms: VecDeque::new(),
            relying_party: name,
        })
    }
}

/// Why the policy says no.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refusal {
    NotAllowed,
    TooOften,
}

impl ConsentPolicy {
    fn decide(&mut self, question: &Question<'_>, now_ms: u64) -> Result<(), Refusal> {
        let operations: &[Operation] = match question {
            Question::MakeCredential {
                signing_key: Some(_),
                ..
            } => &[Operation::Register, Operation::SignData],
            Question::MakeCredential { .. } | Question::RegisterU2f { .. } => {
                &[Operation::Register]
            }
            Question::GetAssertion { .. } | Question::AuthenticateU2f { .. } => {
                &[Operation::SignIn]
            }
            Question::SignData { .. } => &[Operation::SignIn, Operation::SignData],
            Question::Selection if self.select => return Ok(()),
            Question::Selection
            | Question::Reset { .. }
            | Question::Backup(_)
            | Question::Restore { .. } => return Err(Refusal::NotAllowed),
        };
        self.rules
            .iter_mut()
            .find(|rule| rule.is_about(question) && rule.allows(operations))
            .ok_or(Refusal::NotAllowed)?
            .grant(now_ms)
    }
}

impl Rule {
    /// Whether the rule names the site that asks.
    fn is_about(&self, question: &Question<'_>) -> bool {
        match question {
            Question::MakeCredential { rp_id, .. }
            | Question::GetAssertion { rp_id }
            | Question::SignData { rp_id } => self.relying_party == *rp_id,
            Question::RegisterU2f { application } | Question::AuthenticateU2f { application } => {
                self.application == application[..]
            }
            Question::Selection
            | Question::Reset { .. }
            | Question::Backup(_)
            | Question::Restore { .. } => false,
        }
    }

    fn allows(&self, operations: &[Operation]) -> bool {
        operations
            .iter()
            .all(|operation| self.operations.contains(operation))
    }

    /// At most `per_minute` in any minute.
    fn grant(&mut self, now_ms: u64) -> Result<(), Refusal> {
        while self
            .granted_ms
            .front()
            .is_some_and(|then| now_ms.saturating_sub(*then) >= MINUTE_MS)
        {
            self.granted_ms.pop_front();
        }
        if self.granted_ms.len() >= self.per_minute {
            return Err(Refusal::TooOften);
        }
        self.granted_ms.push_back(now_ms);
        Ok(())
    }
}

impl Asker for ConsentPolicy {
    fn ask(&mut self, question: &Question<'_>, _: &Wait) -> Answer {
        let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let why = match self.decide(question, now_ms) {
            Ok(()) => return Answer::Granted,
            Err(Refusal::NotAllowed) => "the policy does not allow it",
            Err(Refusal::TooOften) => "the policy does not allow it this often",
        };
        say(format_args!("{} Refused: {why}.\n", sentence(question)));
        Answer::Denied
    }
}

#[cfg(test)]
mod tests {
    use hallway_authenticator::ResetTouch;
    use hallway_ctap::command::preview_sign::SigningPolicy::Unattended;

    use super::*;

    const POLICY: &str = r#"
        [[allow]]
        relying_party = "gate.example"
        operations = ["sign-in"]
        per_minute = 2
    "#;
    const SIGN_IN: Question<'static> = Question::GetAssertion {
        rp_id: "gate.example",
    };

    #[test]
    fn questions_that_the_policy_does_not_name_are_refused() {
        let mut policy: ConsentPolicy = POLICY.parse().unwrap();
        assert_eq!(policy.decide(&SIGN_IN, 0), Ok(()));
        let hash = digest(&SHA256, b"gate.example");
        let application: &[u8; 32] = hash.as_ref().try_into().unwrap();
        assert_eq!(
            policy.decide(&Question::AuthenticateU2f { application }, 0),
            Ok(())
        );
        let touch = ResetTouch::Short;
        for question in [
            Question::MakeCredential {
                rp_id: "gate.example",
                user: None,
                signing_key: None,
            },
            Question::SignData {
                rp_id: "gate.example",
            },
            Question::GetAssertion {
                rp_id: "sub.gate.example",
            },
            Question::RegisterU2f { application },
            Question::Selection,
            Question::Reset { touch },
        ] {
            assert_eq!(policy.decide(&question, 0), Err(Refusal::NotAllowed));
        }
        let mut empty: ConsentPolicy = "".parse().unwrap();
        assert_eq!(empty.decide(&SIGN_IN, 0), Err(Refusal::NotAllowed));
        let mut select: ConsentPolicy = "select = true".parse().unwrap();
        assert_eq!(select.decide(&Question::Selection, 0), Ok(()));
        assert_eq!(
            select.decide(&Question::Reset { touch }, 0),
            Err(Refusal::NotAllowed)
        );
    }

    #[test]
    fn data_are_signed_only_where_that_is_allowed_too() {
        let signing_key = Question::MakeCredential {
            rp_id: "gate.example",
            user: None,
            signing_key: Some(Unattended),
        };
        let sign_data = Question::SignData {
            rp_id: "gate.example",
        };
        for (operations, makes, signs) in [
            (r#"["register", "sign-in"]"#, false, false),
            (r#"["sign-data"]"#, false, false),
            (r#"["register", "sign-data"]"#, true, false),
            (r#"["sign-in", "sign-data"]"#, false, true),
        ] {
            let text = POLICY.replace(r#"["sign-in"]"#, operations);
            let mut policy: ConsentPolicy = text.parse().unwrap();
            assert_eq!(
                policy.decide(&signing_key, 0).is_ok(),
                makes,
                "{operations}"
            );
            assert_eq!(policy.decide(&sign_data, 0).is_ok(), signs, "{operations}");
        }
    }

    #[test]
    fn a_relying_party_is_named_in_any_case() {
        let mut policy: ConsentPolicy = POLICY.replace("gate.ex", "Gate.Ex").parse().unwrap();
        assert_eq!(policy.decide(&SIGN_IN, 0), Ok(()));
        let hash = digest(&SHA256, b"gate.example");
        let application: &[u8; 32] = hash.as_ref().try_into().unwrap();
        let question = Question::AuthenticateU2f { application };
        assert_eq!(policy.decide(&question, 0), Ok(()));
    }

    #[test]
    fn a_rule_grants_at_most_per_minute_in_any_minute() {
        let mut policy: ConsentPolicy = POLICY.parse().unwrap();
        for (now_ms, decision) in [
            (0, Ok(())),
            (30_000, Ok(())),
            (59_999, Err(Refusal::TooOften)),
            (60_000, Ok(())),
            (60_001, Err(Refusal::TooOften)),
            (90_000, Ok(())),
        ] {
            assert_eq!(policy.decide(&SIGN_IN, now_ms), decision, "at {now_ms} ms");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (from, to, what) in [
            ("sign-in", "login", "login"),
            ("per_minute = 2", "per_minute = 0", "per_minute"),
            ("per_minute = 2", "", "per_minute"),
            ("gate.example", "*.example", "exact"),
            ("gate.example", "https://gate.example", "line 3"),
            ("[\"sign-in\"]", "[]", "operations"),
            ("[[allow]]", "[[deny]]", "deny"),
        ] {
            let error = POLICY
                .replace(from, to)
                .parse::<ConsentPolicy>()
                .unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
        }
    }
}
