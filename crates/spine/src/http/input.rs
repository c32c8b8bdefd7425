//! The input of callers, decoded; errors become problem details.

use std::error::Error;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use hallway_evidence::Line;
use serde::de::DeserializeOwned;

use super::problem::{Code, Problem};

/// A JSON body.
#[derive(Debug, Clone, Copy)]
pub struct Input<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(rejection) => {
                let (code, detail) = match rejection.status() {
                    StatusCode::UNSUPPORTED_MEDIA_TYPE => (
                        Code::NotJson,
                        "send the request's body as application/json".to_owned(),
                    ),
                    StatusCode::PAYLOAD_TOO_LARGE => (
                        Code::TooLarge,
                        "the request's body is larger than this address takes".to_owned(),
                    ),
                    StatusCode::BAD_REQUEST => {
                        (Code::Malformed, "the request's body is not JSON".to_owned())
                    }
                    _ => (Code::Invalid, unfit("the request's body", &rejection)),
                };
                Err(Problem::new(code, detail))
            }
        }
    }
}

/// Refuses a part of a request, and names the wrong member if it is known.
fn unfit(part: &str, rejection: &dyn Error) -> String {
    let said = rejection.source().map(ToString::to_string);
    unfit_by(part, said.as_deref())
}

fn unfit_by(part: &str, said: Option<&str>) -> String {
    match said.and_then(member) {
        Some(member) => format!("{part} is not what this address takes: look at {member}"),
        None => format!("{part} is not what this address takes"),
    }
}

/// The member that the parser's message names: `PATH: COMPLAINT`, or ``missing field `NAME` ``.
fn member(said: &str) -> Option<&str> {
    let is_path = |text: &&str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte))
    };
    let missing = || said.split_once("missing field `")?.1.split('`').next();
    let named = said.split_once(": ").map(|(path, _)| path);
    named
        .filter(is_path)
        .or_else(missing)
        .filter(|member| member.len() <= MAX_MEMBER_BYTES && is_path(member) && !member.is_empty())
}

/// The longest name of a member that a problem repeats.
const MAX_MEMBER_BYTES: usize = 100;

/// Decodes a part of a request that is JSON already.
///
/// # Errors
/// 422, with the missing or wrong member if it is known.
pub fn fitting<T: DeserializeOwned>(part: &str, value: serde_json::Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let detail = unfit_by(part, Some(&error.to_string()));
        Problem::new(Code::Invalid, detail)
    })
}

/// The query of an address.
#[derive(Debug, Clone, Copy)]
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(value) = Query::<T>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::malformed(unfit("the address's query", &rejection)))?;
        Ok(Self(value))
    }
}

/// A line of text from a person.
pub fn line(what: &str, text: &str) -> Result<Line, Problem> {
    Line::new(text.trim()).map_err(|error| Problem::malformed(format!("the {what}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_member_of_the_parsers_message_is_shown() {
        for (said, named) in [
            (
                "act.kind: unknown variant `x`, expected `y`",
                Some("act.kind"),
            ),
            ("missing field `token` at line 1 column 2", Some("token")),
            ("invalid type: integer `1`, expected a string", None),
            ("<b>: unknown", None),
            (": unknown", None),
            ("EOF while parsing", None),
        ] {
            assert_eq!(member(said), named, "{said}");
        }
        let long = format!("{}: unknown", "a".repeat(MAX_MEMBER_BYTES + 1));
        assert_eq!(member(&long), None);
    }
}
