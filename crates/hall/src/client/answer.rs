//! Reading answers: the content that was asked for, or the problem that is stated.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use tokio::time::timeout;

use super::error::{ClientError, slow};
use crate::foreign::told;
use crate::problem::Problem;

/// How long an answer that is quick to give may take, and its content again.
pub const ANSWER: Duration = Duration::from_secs(60);
/// The longest answer in JSON, in bytes.
const LONGEST_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// The answer, or the problem that it states.
///
/// # Errors
/// [`ClientError::Problem`].
pub async fn accepted(response: Response<Incoming>) -> Result<Response<Incoming>, ClientError> {
    let status = response.status();
    if status.is_success() || status.is_informational() {
        return Ok(response);
    }
    let plain = || Problem::without_code(status.as_u16(), format!("the gateway answers {status}"));
    // The status is that of the answer, and its words are made safe to show.
    let told = |said: Problem| told(status.as_u16(), &said.code, &said.detail);
    let is_problem = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/problem+json"));
    if !is_problem {
        return Err(plain().into());
    }
    let bytes = collect(response).await?;
    Err(serde_json::from_slice(&bytes)
        .map_or_else(|_| plain(), told)
        .into())
}

async fn collect(response: Response<Incoming>) -> Result<Bytes, ClientError> {
    let whole = Limited::new(response.into_body(), LONGEST_ANSWER_BYTES).collect();
    let whole = timeout(ANSWER, whole)
        .await
        .map_err(|_| slow("the other side", ANSWER))?;
    Ok(whole
        .map_err(|error| ClientError::Broken(error.to_string()))?
        .to_bytes())
}

/// An answer's JSON, of at most 4 MiB.
///
/// # Errors
/// It broke off, or is not the JSON that was expected.
pub async fn json<T: for<'de> Deserialize<'de>>(
    response: Response<Incoming>,
) -> Result<T, ClientError> {
    Ok(sized_json(response).await?.0)
}

/// Like [`json`], with the length of the answer in bytes.
///
/// # Errors
/// As [`json`].
pub async fn sized_json<T: for<'de> Deserialize<'de>>(
    response: Response<Incoming>,
) -> Result<(T, usize), ClientError> {
    let whole = collect(response).await?;
    let answer =
        serde_json::from_slice(&whole).map_err(|error| ClientError::Answer(error.to_string()))?;
    Ok((answer, whole.len()))
}
