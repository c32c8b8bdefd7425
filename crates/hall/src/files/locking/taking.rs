//! How locks are taken and refreshed.

use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode};

use super::behind::Made;
use super::ending::not_yours;
use super::{Behind, Call, Locking, Refused, locked, may_use};
use crate::body::{self, Body};
use crate::dav::unmet::Precondition;
use crate::files::handler::{self, Discovery, condition, depth, malformed, need, text};
use crate::files::lock::{
    self, Doing, LONGEST_TIMEOUT, Lock, LockToken, LocksError, ShownLock, Taken, Touch,
    USUAL_TIMEOUT, Wish, covers,
};
use crate::foreign;
use crate::pass::Way;
use crate::problem::{Code, Problem};

/// The header with a new lock's token (RFC 4918, 10.5).
const LOCK_TOKEN: HeaderName = HeaderName::from_static("lock-token");

/// A lock that was taken or refreshed.
struct Got {
    status: StatusCode,
    lock: ShownLock,
}

impl Locking {
    /// `LOCK` (RFC 4918, 9.10).
    pub(super) async fn lock(
        &self,
        behind: &impl Behind,
        call: &mut Call<'_>,
        request: Request<Body>,
    ) -> Result<Response<Body>, Refused> {
        let wish = lock::read(&whole(call, request).await?)?;
        let is_new = wish.is_some();
        let Got { status, lock } = self.take_or_refresh(behind, call, wish).await?;
        Ok(in_xml(
            call.here.mount,
            status,
            &lock,
            is_new.then_some(&lock.token),
        ))
    }

    /// `LOCK` in JSON, for another server of ours.
    pub(super) async fn lock_in_json(
        &self,
        behind: &impl Behind,
        call: &mut Call<'_>,
        request: Request<Body>,
    ) -> Result<Response<Body>, Refused> {
        let wish = match &*whole(call, request).await? {
            [] => None,
            wish => Some(serde_json::from_slice(wish).map_err(malformed)?),
        };
        let Got { status, lock } = self.take_or_refresh(behind, call, wish).await?;
        Ok(in_json(status, &lock)?)
    }

    /// The locks around a file or folder.
    pub(super) async fn list(&self, call: &Call<'_>) -> Result<Response<Body>, Refused> {
        need(call.here.access.read, "read", call.here.mount)?;
        let shown = self.locks(&call.path).await?.unwrap_or_default();
        Ok(in_json(StatusCode::OK, &shown)?)
    }

    async fn take_or_refresh(
        &self,
        behind: &impl Behind,
        call: &mut Call<'_>,
        wish: Option<Wish>,
    ) -> Result<Got, Refused> {
        let touch = Touch::new(&call.path, Doing::Writes);
        let locks = self.known(call, std::slice::from_ref(&touch)).await?;
        let submitted = self.submitted(call)?;
        self.judge_states(call, &locks)?;
        let present = behind.present(&call.path).await?;
        let condition = condition(behind, call.here.mount, &call.path, &call.headers).await?;
        condition.check(present.as_ref())?;
        let Some(wish) = wish else {
            return self.refresh(call, &locks, &submitted).await;
        };
        let lock = Lock {
            token: LockToken::random()
                .map_err(|error| LocksError::Unavailable(error.to_string()))?,
            root: call.path.clone(),
            depth: depth(&call.headers)?,
            scope: wish.scope,
            owner: wish.owner,
            holder: self.holder,
            ends_ms: self.ends_ms(&call.headers)?,
        };
        if let Some(other) = lock::conflicting(&locks, &lock) {
            return Err(conflict(other));
        }
        if present.is_none() {
            // The file adds a name to its folder.
            let may = |lock: &Lock| may_use(lock, self.holder, &submitted);
            let touches = std::slice::from_ref(&touch);
            self.judge_touches(behind, touches, &locks, may).await?;
        }
        if let Taken::No(other) = self.locks.take(&self.store, &lock, self.now_ms).await? {
            return Err(conflict(&other));
        }
        let shown = lock.shown(self.now_ms);
        let made = match present {
            Some(_) => Ok(Made::ThereAlready),
            // RFC 4918, 7.3: to lock a path where nothing is makes an empty file.
            None => behind.make(&call.path).await,
        };
        let status = match made {
            Ok(Made::New) => StatusCode::CREATED,
            Ok(Made::ThereAlready) => StatusCode::OK,
            Err(problem) => {
                self.locks.release(&[lock.token]).await?;
                return Err(problem.into());
            }
        };
        Ok(Got {
            status,
            lock: shown,
        })
    }

    /// Refreshes a lock (RFC 4918, 9.10.2).
    async fn refresh(
        &self,
        call: &Call<'_>,
        locks: &[Lock],
        submitted: &[String],
    ) -> Result<Got, Refused> {
        let is_meant = |lock: &&Lock| {
            let named = submitted
                .iter()
                .any(|token| token.parse() == Ok(lock.token));
            named && covers(lock, &call.path)
        };
        let lost = || {
            let problem = Problem::new(
                Code::NoSuchLock,
                "If names no lock here: to refresh a lock, send its token; to take one, say which",
            );
            Refused::new(problem, Precondition::TokenMatches, &call.path)
        };
        let lock = locks.iter().find(is_meant).ok_or_else(lost)?;
        if lock.holder != self.holder {
            return Err(not_yours().into());
        }
        let ends_ms = self.ends_ms(&call.headers)?;
        let (token, now_ms) = (&lock.token, self.now_ms);
        if !self.locks.refresh(token, ends_ms, now_ms).await? {
            return Err(lost());
        }
        let lock = Lock {
            ends_ms,
            ..lock.clone()
        };
        Ok(Got {
            status: StatusCode::OK,
            lock: lock.shown(now_ms),
        })
    }

    /// When a lock ends that is taken or refreshed now.
    fn ends_ms(&self, headers: &HeaderMap) -> Result<u64, Problem> {
        let lasts = timeout(text(headers, "timeout")?);
        let lasts = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
        Ok(self.now_ms.saturating_add(lasts).min(self.holder_ends_ms))
    }
}

fn conflict(other: &Lock) -> Refused {
    Refused::new(locked(other).problem, Precondition::NoConflict, &other.root)
}

/// The content of a request for a lock, if the client may write.
async fn whole(call: &Call<'_>, request: Request<Body>) -> Result<bytes::Bytes, Problem> {
    need(call.here.access.write, "write", call.here.mount)?;
    handler::collect(call.here.pass.over(request.into_body(), Way::Received)).await
}

/// The first time in `Timeout` that is understood, within bounds (RFC 4918, 10.7).
fn timeout(header: Option<&str>) -> Duration {
    let asked = header.unwrap_or_default().split(',').find_map(|one| {
        let one = one.trim();
        if one.eq_ignore_ascii_case("infinite") {
            return Some(LONGEST_TIMEOUT);
        }
        let (unit, number) = one.split_once('-')?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        (unit.eq_ignore_ascii_case("second") && is_number)
            .then(|| Duration::from_secs(number.parse().unwrap_or(u64::MAX)))
    });
    asked
        .unwrap_or(USUAL_TIMEOUT)
        .clamp(Duration::from_secs(1), LONGEST_TIMEOUT)
}

/// The answer with a lock, and with the token of a new one.
pub(crate) fn in_xml(
    mount: &str,
    status: StatusCode,
    lock: &ShownLock,
    new: Option<&LockToken>,
) -> Response<Body> {
    let mut response = Response::new(body::full(lock::answer(mount, lock)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, lock::xml_type());
    if let Some(token) = new
        && let Ok(value) = HeaderValue::try_from(format!("<{token}>"))
    {
        headers.insert(LOCK_TOKEN, value);
    }
    foreign::protected(response)
}

fn in_json(status: StatusCode, value: &impl serde::Serialize) -> Result<Response<Body>, Problem> {
    let json =
        serde_json::to_vec(value).map_err(|error| LocksError::Unavailable(error.to_string()))?;
    let mut response = Response::new(body::full(json));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(foreign::protected(response))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_the_first_that_is_understood_within_bounds() {
        for (asked, seconds) in [
            (None, 600),
            (Some(""), 600),
            (Some("Second-90"), 90),
            (Some("second-0"), 1),
            (Some("Infinite, Second-4100000000"), 3600),
            (Some("Second-4100000000"), 3600),
            (Some("Second-99999999999999999999999"), 3600),
            (Some("Extend, Second-5"), 5),
            (Some("Second--5"), 600),
            (Some("Second-"), 600),
            (Some("Minute-5"), 600),
        ] {
            assert_eq!(timeout(asked), Duration::from_secs(seconds), "{asked:?}");
        }
    }
}
