//! Where locks are kept, every request for a store's files passes through here first (RFC 4918, 6
//! and 7): `LOCK` and `UNLOCK` are answered, changes that locks forbid are refused, and what `If`
//! says about locks is judged. Everything else goes on to where the files are, a store of ours or
//! an agent.
//!
//! | request | right | |
//! |---|---|---|
//! | `LOCK` | write | a `lockinfo` element, `Depth`, `Timeout`; where nothing is, an empty file is made |
//! | `LOCK` without content | write | refreshes the lock whose token stands in `If` |
//! | `POST ?lock` | write | the same two [in JSON](crate::files::lock::Wish), answered in JSON |
//! | `UNLOCK` | | `Lock-Token`; only by the client that took the lock |
//! | `POST ?locks` | read | the locks around a file or folder, JSON |
//!
//! The two requests with `POST` are for our own servers that pass requests on: they write the XML
//! themselves.

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderMap, Method, Request, Response};

use super::access::StoreAccess;
use super::condition::{Left, States};
use super::destination;
use super::handler::{self, Discovery, Query, below, malformed};
use super::lock::{
    Doing, Form, Lock, LockHolder, LockedStore, Locks, Refusing, ShownLock, Touch, Verdict, covers,
    judge,
};
use super::store::{Store, StoreError};
use crate::body::{self, AnyBody, Body};
use crate::dav::IF;
use crate::dav::path::FilePath;
use crate::dav::unmet::{Precondition, Unmet};
use crate::foreign::{self, Asked, Foreign};
use crate::pass::Pass;
use crate::problem::{Code, IntoResponse, Problem};

mod behind;
mod ending;
mod last_look;
mod taking;

use behind::Own;
pub(crate) use behind::{Behind, Made};
use last_look::Look;
pub(crate) use taking::in_xml;

/// Where a store is reached, and what may be done there.
#[derive(Debug, Clone, Copy)]
pub struct Here<'h> {
    /// What the client may do.
    pub access: StoreAccess,
    /// Where the store is mounted, such as `/files/data`.
    pub mount: &'h str,
    /// Counts the bytes, and can cut the transfer.
    pub pass: &'h Pass,
}

/// The locks of a store, for one client.
pub struct Locking {
    /// Where they are kept.
    pub locks: Arc<dyn Locks>,
    /// The store that they are on.
    pub store: LockedStore,
    /// Whose locks the client may use.
    pub holder: LockHolder,
    /// When the locks of this holder end at the latest, unix milliseconds.
    pub holder_ends_ms: u64,
    /// The present time, unix milliseconds.
    pub now_ms: u64,
}

/// A refusal, and the condition about locks that was not met, if it was one.
#[derive(Debug)]
struct Refused {
    problem: Problem,
    unmet: Option<Unmet>,
}

impl<E: Into<Problem>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self {
            problem: error.into(),
            unmet: None,
        }
    }
}

impl Refused {
    fn new(problem: Problem, code: Precondition, path: &FilePath) -> Self {
        let path = path.clone();
        Self {
            problem,
            unmet: Some(Unmet { code, path }),
        }
    }

    fn into_response(self) -> Response<Body> {
        match self.unmet {
            Some(unmet) => unmet.refuse(self.problem),
            None => self.problem.into_response(),
        }
    }
}

/// A request, as far as locks are concerned.
struct Call<'c> {
    here: Here<'c>,
    method: Method,
    path: FilePath,
    query: Query,
    headers: HeaderMap,
    /// Where a `COPY` or `MOVE` leads.
    destination: Option<FilePath>,
}

impl<'c> Call<'c> {
    fn new<B>(here: Here<'c>, request: &Request<B>) -> Result<Self, Problem> {
        let mount = here.mount;
        let path = below(mount, request.uri().path()).map_err(malformed)?;
        let path = path.ok_or_else(|| malformed("the path is not in this store"))?;
        let mut headers = request.headers().clone();
        destination::name_server(request.uri(), &mut headers);
        let leads = matches!(request.method().as_str(), "COPY" | "MOVE");
        let destination = if leads {
            let asked = destination::asked(request.uri(), &headers);
            let to = destination::destination(&headers, asked.as_ref())?;
            let to = to.map(|to| below(mount, &to).map_err(malformed));
            // A place in another store is refused where the files are.
            to.transpose()?.flatten()
        } else {
            None
        };
        Ok(Self {
            here,
            method: request.method().clone(),
            path,
            query: Query::parse(request.uri().query().unwrap_or_default())?,
            headers,
            destination,
        })
    }

    /// What it changes.
    fn touches(&self) -> Vec<Touch> {
        let at = |doing| vec![Touch::new(&self.path, doing)];
        let replaced = || {
            let to = self.destination.as_ref();
            to.map(|to| Touch::new(to, Doing::Replaces))
        };
        let uploads = self.query.upload.is_some();
        match self.method.as_str() {
            "PATCH" if self.query.properties && !uploads => at(Doing::Describes),
            "PUT" | "PATCH" | "MKCOL" => at(Doing::Writes),
            handler::PROPPATCH => at(Doing::Describes),
            // A list of files that are wanted changes nothing.
            "POST" if handler::is_json(&self.headers) => Vec::new(),
            "POST" => at(Doing::Fills),
            // An upload that is thrown away was no file yet.
            "DELETE" if uploads => Vec::new(),
            "DELETE" => at(Doing::Removes),
            "COPY" => replaced().into_iter().collect(),
            "MOVE" => at(Doing::Removes).into_iter().chain(replaced()).collect(),
            _ => Vec::new(),
        }
    }

    /// The file of this store that `If` calls `place`; the request's own for `None`.
    fn named(&self, place: Option<&str>) -> Option<FilePath> {
        match place {
            None => Some(self.path.clone()),
            Some(place) => {
                let place: http::Uri = place.parse().ok()?;
                below(self.here.mount, place.path()).ok().flatten()
            }
        }
    }
}

impl Locking {
    /// Answers a request for the files of `store`.
    pub async fn own(
        &self,
        store: Arc<dyn Store>,
        here: Here<'_>,
        request: Request<impl AnyBody>,
    ) -> Response<Body> {
        self.answer(&Own { store, here }, here, request).await
    }

    /// Answers a request for the files that are `behind` the locks.
    pub(crate) async fn answer(
        &self,
        behind: &impl Behind,
        here: Here<'_>,
        request: Request<impl AnyBody>,
    ) -> Response<Body> {
        let call = Asked::of(&request).and_then(|asked| Ok((asked, Call::new(here, &request)?)));
        let (asked, mut call) = match call {
            Ok(both) => both,
            Err(problem) => return foreign::protected(problem.into_response()),
        };
        let form = Form::wanted(&call.headers);
        let (head, body) = request.into_parts();
        let request = Request::from_parts(head, body::boxed(body));
        let answered = self.guarded(behind, &mut call, &asked, request).await;
        let response =
            answered.unwrap_or_else(|refused| foreign::protected(refused.into_response()));
        let refusing = Refusing {
            form,
            mount: here.mount,
            path: &call.path,
        };
        refusing.answer(response)
    }

    async fn guarded(
        &self,
        behind: &impl Behind,
        call: &mut Call<'_>,
        asked: &Asked,
        request: Request<Body>,
    ) -> Result<Response<Body>, Refused> {
        match call.method.as_str() {
            "OPTIONS" => {
                return Ok(Foreign::new(handler::options_with_locks())
                    .release(asked)
                    .await);
            }
            handler::LOCK => return self.lock(behind, call, request).await,
            handler::UNLOCK => return self.unlock(behind, call).await,
            "POST" if call.query.lock => return self.lock_in_json(behind, call, request).await,
            "POST" if call.query.locks => return self.list(call).await,
            _ => {}
        }
        let touches = call.touches();
        let may_change = call.here.access.write || call.here.access.delete;
        let names_tokens =
            States::of(&call.headers)?.is_some_and(|states| states.tokens().next().is_some());
        // A client that may change nothing is refused where the files are.
        if (touches.is_empty() || !may_change) && !names_tokens {
            return Ok(behind.answer(request, self).await);
        }
        let locks = self.known(call, &touches).await?;
        let submitted = self.submitted(call)?;
        self.judge_states(call, &locks)?;
        if may_change {
            let may = |lock: &Lock| may_use(lock, self.holder, &submitted);
            self.judge_touches(behind, &touches, &locks, may).await?;
        }
        let (mut head, body) = request.into_parts();
        head.headers = call.headers.clone();
        let writes = |touch: &Touch| matches!(touch.doing, Doing::Writes | Doing::Fills);
        if !touches.iter().any(writes) || http_body::Body::is_end_stream(&body) {
            let response = behind.answer(Request::from_parts(head, body), self).await;
            if response.status().is_success() {
                self.end_with_files(call, &locks).await?;
            }
            return Ok(response);
        }
        let look = Look {
            locks: Arc::clone(&self.locks),
            store: self.store.clone(),
            holder: self.holder,
            now_ms: self.now_ms,
            touches,
            submitted,
        };
        let (body, found) = look.before_the_end_of(body);
        let response = behind.answer(Request::from_parts(head, body), self).await;
        match found.get() {
            Some(lock) if !response.status().is_success() => Err(locked(lock)),
            _ => Ok(response),
        }
    }

    /// The locks that matter to a request.
    async fn known(&self, call: &Call<'_>, touches: &[Touch]) -> Result<Vec<Lock>, Problem> {
        let mut paths = vec![call.path.clone()];
        paths.extend(touches.iter().map(|touch| touch.path.clone()));
        if let Some(states) = States::of(&call.headers)? {
            paths.extend(states.places().filter_map(|place| call.named(Some(place))));
        }
        paths.sort();
        paths.dedup();
        Ok(self.locks.around(&self.store, &paths, self.now_ms).await?)
    }

    /// The tokens that come with a request.
    fn submitted(&self, call: &Call<'_>) -> Result<Vec<String>, Problem> {
        let states = States::of(&call.headers)?;
        let tokens = states.iter().flat_map(States::tokens);
        Ok(tokens.map(str::to_owned).collect())
    }

    /// Judges what `If` says about locks, and leaves in the header what it says about versions.
    fn judge_states(&self, call: &mut Call<'_>, locks: &[Lock]) -> Result<(), Problem> {
        let Some(states) = States::of(&call.headers)? else {
            return Ok(());
        };
        let left = states.where_locked(|place, token| {
            let path = call.named(place);
            path.is_some_and(|path| {
                locks
                    .iter()
                    .any(|lock| token.parse() == Ok(lock.token) && covers(lock, &path))
            })
        });
        match left {
            Left::Failed => return Err(StoreError::Precondition.into()),
            Left::Nothing => {
                call.headers.remove(IF);
            }
            Left::Versions(states) => {
                let states = http::HeaderValue::try_from(states.to_string().trim_end());
                let states = states.map_err(|_| malformed("the header If is not ASCII"))?;
                call.headers.insert(IF, states);
            }
        }
        Ok(())
    }

    async fn judge_touches(
        &self,
        behind: &impl Behind,
        touches: &[Touch],
        locks: &[Lock],
        may: impl Fn(&Lock) -> bool,
    ) -> Result<(), Refused> {
        for touch in touches {
            match judge(locks, touch, &may) {
                Verdict::Free => {}
                Verdict::LockedIfNew(_) if behind.present(&touch.path).await?.is_some() => {}
                Verdict::Locked(lock) | Verdict::LockedIfNew(lock) => return Err(locked(lock)),
            }
        }
        Ok(())
    }
}

/// Whether `holder` may use a lock: it is theirs, and they submitted its token (RFC 4918, 6.4).
fn may_use(lock: &Lock, holder: LockHolder, submitted: &[String]) -> bool {
    let is_it = |token: &String| token.parse() == Ok(lock.token);
    lock.holder == holder && submitted.iter().any(is_it)
}

fn locked(lock: &Lock) -> Refused {
    let what = if lock.root.is_root() {
        "the whole store".to_owned()
    } else {
        format!("“{}”", hallway_evidence::Line::nearest(lock.root.as_str()))
    };
    let problem = Problem::new(
        Code::Locked,
        format!("{what} is locked: try again when it is unlocked"),
    );
    Refused::new(problem, Precondition::TokenSubmitted, &lock.root)
}

#[async_trait]
impl Discovery for Locking {
    async fn locks(&self, path: &FilePath) -> Result<Option<Vec<ShownLock>>, Problem> {
        let paths = [path.clone()];
        let locks = self.locks.around(&self.store, &paths, self.now_ms).await?;
        let seen = locks
            .iter()
            .filter(|lock| covers(lock, path) || lock.root.parent() == *path);
        let shown = seen.map(|lock| lock.shown(self.now_ms));
        Ok(Some(shown.collect()))
    }
}

#[cfg(test)]
mod tests;
