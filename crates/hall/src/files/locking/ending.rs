//! How locks end before their time.

use http::{Response, StatusCode};

use super::{Behind, Call, Locking, Refused};
use crate::body::{self, Body};
use crate::dav::unmet::Precondition;
use crate::files::handler::{condition, malformed, text};
use crate::files::lock::{Lock, LockToken, covers};
use crate::foreign;
use crate::problem::{Code, Problem};

impl Locking {
    /// `UNLOCK` (RFC 4918, 9.11): only by the client that took the lock.
    pub(super) async fn unlock(
        &self,
        behind: &impl Behind,
        call: &mut Call<'_>,
    ) -> Result<Response<Body>, Refused> {
        let token = named(text(&call.headers, "lock-token")?)?;
        let locks = self.known(call, &[]).await?;
        self.judge_states(call, &locks)?;
        let condition = condition(behind, call.here.mount, &call.path, &call.headers).await?;
        if !condition.is_any() {
            condition.check(behind.present(&call.path).await?.as_ref())?;
        }
        let is_it = |lock: &&Lock| Some(lock.token) == token && covers(lock, &call.path);
        let Some(lock) = locks.iter().find(is_it) else {
            let problem = Problem::new(
                Code::LockElsewhere,
                "no lock with that token covers this path",
            );
            return Err(Refused::new(
                problem,
                Precondition::TokenMatches,
                &call.path,
            ));
        };
        if lock.holder != self.holder {
            return Err(not_yours().into());
        }
        self.locks.release(&[lock.token]).await?;
        let mut response = Response::new(body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(foreign::protected(response))
    }

    /// Ends the locks on what no longer exists (7.5, 9.6.1, 9.9): `locks` are those that were known
    /// before the change. A lock on a path where something else is now stays.
    pub(super) async fn end_with_files(
        &self,
        call: &Call<'_>,
        locks: &[Lock],
    ) -> Result<(), Problem> {
        let removes = matches!(call.method.as_str(), "DELETE" | "MOVE");
        let removed = Some(&call.path).filter(|_| removes && call.query.upload.is_none());
        let replaced = call.destination.as_ref();
        let is_gone = |lock: &&Lock| {
            removed.is_some_and(|path| lock.root.is_within(path))
                || replaced.is_some_and(|path| lock.root != *path && lock.root.is_within(path))
        };
        let gone: Vec<LockToken> = locks
            .iter()
            .filter(is_gone)
            .map(|lock| lock.token)
            .collect();
        if !gone.is_empty() {
            self.locks.release(&gone).await?;
        }
        Ok(())
    }
}

/// The refusal to use another client's lock.
pub(super) fn not_yours() -> Problem {
    Problem::new(
        Code::NotYourLock,
        "another client took this lock: only that client can use it",
    )
}

/// The token in `Lock-Token` (10.5); `None` for one that no lock of ours can have.
fn named(header: Option<&str>) -> Result<Option<LockToken>, Problem> {
    let header = header.ok_or_else(|| malformed("Lock-Token is missing: it says which lock"))?;
    let token = header
        .strip_prefix('<')
        .and_then(|rest| rest.strip_suffix('>'))
        .ok_or_else(|| malformed("Lock-Token must be a token between < and >"))?;
    Ok(token.parse().ok())
}
