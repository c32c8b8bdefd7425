//! Refusals of other parties, made anew: a status that refuses files, a code and one line of text.

use std::time::Duration;

use hallway_evidence::Line;
use http::StatusCode;
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use tokio::time::timeout;

use super::unusable;
use crate::body::AnyBody;
use crate::problem::Problem;

/// The longest refusal that is read.
const LONGEST_BYTES: usize = 64 * 1024;
/// How long reading a refusal may take.
const READ_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest code, in bytes.
const LONGEST_CODE_BYTES: usize = 48;

/// The members of problem details (RFC 9457) that count.
#[derive(Default, Deserialize)]
struct Said {
    #[serde(default)]
    code: String,
    #[serde(default)]
    detail: String,
}

/// Reads the refusal in an answer. The status of its head counts, not what the content says.
pub(crate) async fn read(status: StatusCode, body: impl AnyBody) -> Problem {
    let limited = Limited::new(Box::pin(body), LONGEST_BYTES).collect();
    let said: Said = match timeout(READ_TIMEOUT, limited).await {
        Ok(Ok(whole)) => serde_json::from_slice(&whole.to_bytes()).unwrap_or_default(),
        Ok(Err(_)) | Err(_) => Said::default(),
    };
    self::said(status.as_u16(), &said.code, &said.detail)
}

/// A refusal in the words of another party, as it may leave under our name. Another party can
/// neither demand that a person signs in here, nor send anybody elsewhere.
#[must_use]
pub fn said(status: u16, code: &str, detail: &str) -> Problem {
    match status {
        400 | 403..=406 | 408..=599 => told(status, code, detail),
        _ => unusable(),
    }
}

/// The words of another party, made safe to show: a code that is valid, and a line without
/// characters that change the text around it.
pub(crate) fn told(status: u16, code: &str, detail: &str) -> Problem {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_code = (1..=LONGEST_CODE_BYTES).contains(&code.len()) && code.bytes().all(plain);
    let detail = match detail {
        "" => "the other side refuses this".to_owned(),
        detail => Line::nearest(detail).to_string(),
    };
    let mut problem = Problem::without_code(status, detail);
    if is_code {
        code.clone_into(&mut problem.code);
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_demands_a_password_or_leads_elsewhere() {
        for status in [
            100, 101, 103, 200, 204, 300, 301, 302, 307, 308, 401, 402, 407, 600, 999,
        ] {
            assert_eq!(said(status, "x", "y").status, 502, "{status}");
        }
        for status in [400, 403, 404, 409, 412, 416, 429, 500, 503, 507] {
            assert_eq!(said(status, "x", "y").status, status);
        }
    }

    #[test]
    fn words_of_others_are_one_plain_line() {
        let problem = said(404, "Not Found\r\n", "a\u{1b}[31m\u{202e}b\nc");
        assert_eq!(problem.code, "");
        assert_eq!(problem.detail, "a\u{fffd}[31m\u{fffd}b\u{fffd}c");
        let long = said(404, &"a".repeat(49), &"ä".repeat(5000));
        assert_eq!((long.code.as_str(), long.detail.len() <= 255), ("", true));
        assert_eq!(said(404, "not-found", "no").code, "not-found");
    }
}
