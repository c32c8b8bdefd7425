//! Client data: the ceremony as the browser saw it (WebAuthn Level 3, 5.8.1), and the steps that
//! 7.1 and 7.2 have in common.

use crate::base64url_digits::{Base64UrlDigits, base64url_digits};
use crate::json::{self, JsonError, JsonStr, Value};
use crate::observer::{Observer, Outcome, Step, check, conclude};
use crate::policy::{Framing, Listed, UnnamedTop};
use crate::relying_party::RelyingParty;

/// The most bytes of client data that are accepted.
pub const MAX_CLIENT_DATA: usize = 64 * 1024;

/// Client data, borrowed.
#[derive(Debug)]
pub(crate) struct ClientData<'a> {
    pub(crate) ceremony: JsonStr<'a>,
    pub(crate) challenge: JsonStr<'a>,
    pub(crate) origin: JsonStr<'a>,
    pub(crate) cross_origin: Option<bool>,
    pub(crate) top_origin: Option<JsonStr<'a>>,
}

/// Why client data are refused. Values that came from the client are shown at most 200 characters
/// long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientDataError {
    /// Longer than [`MAX_CLIENT_DATA`].
    #[error("the client data are longer than {MAX_CLIENT_DATA} bytes")]
    TooLong,
    /// Not a JSON object.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A member that is needed is missing.
    #[error("the client data have no member \"{0}\"")]
    Missing(&'static str),
    /// A member occurs twice.
    #[error("the client data have the member \"{0}\" twice")]
    Duplicate(&'static str),
    /// A member has the wrong type.
    #[error("the member \"{0}\" of the client data has the wrong type")]
    WrongType(&'static str),
    /// The client data belong to another kind of ceremony.
    #[error("the client data are of type \"{found}\", not \"{expected}\"")]
    Type {
        /// `webauthn.create` or `webauthn.get`.
        expected: &'static str,
        /// What the client data say.
        found: String,
    },
    /// Another challenge was signed.
    #[error("the client data answer another challenge")]
    Challenge,
    /// The ceremony ran on a page of another origin.
    #[error("the origin \"{0}\" is not one of this relying party's origins")]
    Origin(String),
    /// The ceremony ran in a frame inside a page of another origin.
    #[error("the ceremony ran in a frame of another site, which the policy does not allow")]
    CrossOrigin,
    /// The page around the frame may not hold it.
    #[error("the top origin \"{0}\" may not hold this relying party's pages in a frame")]
    TopOrigin(String),
}

impl<'a> ClientData<'a> {
    /// Parses the whole of `bytes`, which must be one JSON object in UTF-8.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, ClientDataError> {
        if bytes.len() > MAX_CLIENT_DATA {
            return Err(ClientDataError::TooLong);
        }
        // "Any leading byte order mark MUST be stripped" (7.1, step 5).
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|_| JsonError::Utf8)?;
        let mut ceremony = None;
        let mut challenge = None;
        let mut origin = None;
        let mut cross_origin = None;
        let mut top_origin = None;
        json::members(text, |name, value| {
            if name.is("type") {
                once(&mut ceremony, "type", text_of(value))
            } else if name.is("challenge") {
                once(&mut challenge, "challenge", text_of(value))
            } else if name.is("origin") {
                once(&mut origin, "origin", text_of(value))
            } else if name.is("crossOrigin") {
                let value = match value {
                    Value::Bool(value) => Some(value),
                    // Step 10 asks whether it is "present and set to true".
                    Value::Null => Some(false),
                    _ => None,
                };
                once(&mut cross_origin, "crossOrigin", value)
            } else if name.is("topOrigin") {
                once(&mut top_origin, "topOrigin", text_of(value))
            } else {
                Ok(())
            }
        })?;
        Ok(Self {
            ceremony: ceremony.ok_or(ClientDataError::Missing("type"))?,
            challenge: challenge.ok_or(ClientDataError::Missing("challenge"))?,
            origin: origin.ok_or(ClientDataError::Missing("origin"))?,
            cross_origin,
            top_origin,
        })
    }
}

fn text_of(value: Value<'_>) -> Option<JsonStr<'_>> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn once<T>(
    slot: &mut Option<T>,
    name: &'static str,
    value: Option<T>,
) -> Result<(), ClientDataError> {
    if slot.is_some() {
        return Err(ClientDataError::Duplicate(name));
    }
    *slot = Some(value.ok_or(ClientDataError::WrongType(name))?);
    Ok(())
}

/// One ceremony's numbers of the steps that both ceremonies share.
pub(crate) struct Steps {
    pub(crate) parse: Step,
    pub(crate) ceremony: Step,
    pub(crate) challenge: Step,
    pub(crate) origin: Step,
    pub(crate) cross_origin: Step,
    pub(crate) top_origin: Step,
    /// `webauthn.create` or `webauthn.get`.
    pub(crate) expected_type: &'static str,
}

/// Runs 7.1, steps 5 to 11, or 7.2, steps 8 to 14.
#[inline]
pub(crate) fn verify<O: Observer>(
    rp: &RelyingParty,
    challenge: &[u8],
    framing: &Framing,
    bytes: &[u8],
    steps: &Steps,
    observer: &mut O,
) -> Result<(), ClientDataError> {
    let data = conclude(
        observer,
        steps.parse,
        ClientData::parse(bytes),
        format_args!("{} bytes of JSON", bytes.len()),
    )?;
    check(
        observer,
        steps.ceremony,
        data.ceremony.is(steps.expected_type),
        format_args!(
            "\"{}\", expected \"{}\"",
            data.ceremony, steps.expected_type
        ),
        || ClientDataError::Type {
            expected: steps.expected_type,
            found: shown(data.ceremony),
        },
    )?;
    check(
        observer,
        steps.challenge,
        // An empty challenge is never fresh: the caller forgot to make one.
        !challenge.is_empty() && challenge_matches(challenge, data.challenge),
        format_args!(
            "\"{}\", expected \"{}\"",
            data.challenge,
            Base64UrlDigits(challenge)
        ),
        || ClientDataError::Challenge,
    )?;
    check(
        observer,
        steps.origin,
        rp.origins.iter().any(|origin| data.origin.is(origin)),
        format_args!("\"{}\", expected {}", data.origin, Listed(&rp.origins)),
        || ClientDataError::Origin(shown(data.origin)),
    )?;
    verify_framing(&data, framing, steps, observer)
}

/// 7.1, steps 10 and 11; 7.2, steps 13 and 14.
fn verify_framing<O: Observer>(
    data: &ClientData<'_>,
    framing: &Framing,
    steps: &Steps,
    observer: &mut O,
) -> Result<(), ClientDataError> {
    if data.cross_origin == Some(true) {
        let expected = match framing {
            Framing::SameOrigin => false,
            Framing::Within { unnamed_top, .. } => {
                data.top_origin.is_some() || *unnamed_top == UnnamedTop::Accept
            }
        };
        check(
            observer,
            steps.cross_origin,
            expected,
            format_args!("the page was a frame of another site; {framing}"),
            || ClientDataError::CrossOrigin,
        )?;
    } else {
        observer.step(
            steps.cross_origin,
            Outcome::Skipped,
            format_args!("the page was not a frame of another site"),
        );
    }
    let Some(top) = data.top_origin else {
        observer.step(
            steps.top_origin,
            Outcome::Skipped,
            format_args!("no top origin is named"),
        );
        return Ok(());
    };
    let expected = match framing {
        Framing::SameOrigin => false,
        Framing::Within { top_origins, .. } => top_origins.iter().any(|origin| top.is(origin)),
    };
    check(
        observer,
        steps.top_origin,
        expected,
        format_args!("\"{top}\"; {framing}"),
        || ClientDataError::TopOrigin(shown(top)),
    )
}

/// A client's text, cut to 200 characters for an error message.
fn shown(text: JsonStr<'_>) -> String {
    text.chars().take(200).collect()
}

fn challenge_matches(expected: &[u8], found: JsonStr<'_>) -> bool {
    base64url_digits(expected).eq(found.chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Step = Step {
        number: "t",
        title: "t",
    };
    const STEPS: Steps = Steps {
        parse: STEP,
        ceremony: STEP,
        challenge: STEP,
        origin: STEP,
        cross_origin: STEP,
        top_origin: STEP,
        expected_type: "webauthn.get",
    };

    fn run(json: &str, framing: &Framing) -> Result<(), ClientDataError> {
        let rp = RelyingParty::new("example.com", "https://example.com");
        verify(
            &rp,
            b"challenge!",
            framing,
            json.as_bytes(),
            &STEPS,
            &mut (),
        )
    }

    fn json(origin: &str, more: &str) -> String {
        format!(
            r#"{{"type":"webauthn.get","challenge":"Y2hhbGxlbmdlIQ","origin":"{origin}"{more}}}"#
        )
    }

    #[test]
    fn the_expected_client_data_pass() {
        let same = Framing::SameOrigin;
        assert_eq!(run(&json("https://example.com", ""), &same), Ok(()));
        assert_eq!(
            run(
                &json("https://example.com", r#","crossOrigin":null"#),
                &same
            ),
            Ok(())
        );
        let more = r#","crossOrigin":false,"tokenBinding":{"status":"supported"},"x":[1]"#;
        assert_eq!(run(&json("https://example.com", more), &same), Ok(()));
        assert_eq!(run(&json(r"https:\/\/example.com", ""), &same), Ok(()));
        let bom = format!("\u{feff}{}", json("https://example.com", ""));
        assert_eq!(run(&bom, &same), Ok(()));
    }

    #[test]
    fn origins_are_compared_exactly() {
        for origin in [
            "https://evil-example.com",
            "https://example.com.evil.test",
            "https://example.com/",
            "http://example.com",
            "https://example.com:443",
            "https://Example.com",
            "",
        ] {
            assert_eq!(
                run(&json(origin, ""), &Framing::SameOrigin),
                Err(ClientDataError::Origin(origin.into()))
            );
        }
    }

    #[test]
    fn framing_follows_the_policy() {
        let framed = json("https://example.com", r#","crossOrigin":true"#);
        let named = json(
            "https://example.com",
            r#","crossOrigin":true,"topOrigin":"https://top.test""#,
        );
        let within = |unnamed_top| Framing::Within {
            top_origins: vec!["https://top.test".into()],
            unnamed_top,
        };
        assert_eq!(
            run(&framed, &Framing::SameOrigin),
            Err(ClientDataError::CrossOrigin)
        );
        assert_eq!(
            run(&framed, &within(UnnamedTop::Refuse)),
            Err(ClientDataError::CrossOrigin)
        );
        assert_eq!(run(&framed, &within(UnnamedTop::Accept)), Ok(()));
        assert_eq!(run(&named, &within(UnnamedTop::Refuse)), Ok(()));
        let other = named.replace("top.test", "evil-top.test");
        assert_eq!(
            run(&other, &within(UnnamedTop::Accept)),
            Err(ClientDataError::TopOrigin("https://evil-top.test".into()))
        );
        // A top origin without crossOrigin is judged all the same.
        let odd = json("https://example.com", r#","topOrigin":"https://x.test""#);
        assert!(run(&odd, &Framing::SameOrigin).is_err());
    }

    #[test]
    fn duplicates_wrong_types_and_gaps_are_refused() {
        let base = json("https://example.com", "");
        let twice = json("https://example.com", r#","origin":"https://example.com""#);
        assert_eq!(
            run(&twice, &Framing::SameOrigin),
            Err(ClientDataError::Duplicate("origin"))
        );
        let escaped = json("https://example.com", r#","\u006frigin":"https://a.test""#);
        assert_eq!(
            run(&escaped, &Framing::SameOrigin),
            Err(ClientDataError::Duplicate("origin"))
        );
        let text = json("https://example.com", r#","crossOrigin":"true""#);
        assert_eq!(
            run(&text, &Framing::SameOrigin),
            Err(ClientDataError::WrongType("crossOrigin"))
        );
        assert_eq!(
            run(r#"{"type":"webauthn.get"}"#, &Framing::SameOrigin),
            Err(ClientDataError::Missing("challenge"))
        );
        assert!(run(&format!("{base}{base}"), &Framing::SameOrigin).is_err());
        assert_eq!(
            run(
                &base.replace("webauthn.get", "webauthn.create"),
                &Framing::SameOrigin
            ),
            Err(ClientDataError::Type {
                expected: "webauthn.get",
                found: "webauthn.create".into()
            })
        );
    }

    #[test]
    fn other_challenges_are_refused() {
        for challenge in [
            "Y2hhbGxlbmdlIA",
            "Y2hhbGxlbmdlIQ==",
            "Y2hhbGxlbmdlIR",
            "Y2hhbGxlbmdlI",
            "",
        ] {
            let other = json("https://example.com", "").replace("Y2hhbGxlbmdlIQ", challenge);
            assert_eq!(
                run(&other, &Framing::SameOrigin),
                Err(ClientDataError::Challenge),
                "{challenge}"
            );
        }
    }

    #[test]
    fn an_empty_challenge_matches_nothing() {
        let rp = RelyingParty::new("example.com", "https://example.com");
        let empty = json("https://example.com", "").replace("Y2hhbGxlbmdlIQ", "");
        let same = Framing::SameOrigin;
        let result = verify(&rp, b"", &same, empty.as_bytes(), &STEPS, &mut ());
        assert_eq!(result, Err(ClientDataError::Challenge));
    }

    #[test]
    fn huge_client_data_are_refused_unread() {
        let huge = " ".repeat(MAX_CLIENT_DATA + 1);
        assert_eq!(
            run(&huge, &Framing::SameOrigin),
            Err(ClientDataError::TooLong)
        );
    }
}
