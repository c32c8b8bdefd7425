//! Bounds on the bodies of requests: their length, and how slowly they may come.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header;
use bytes::BytesMut;
use futures_util::{StreamExt, stream};
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, timeout};

use crate::http::problem::{Code, Problem};

/// The waiting time, in all, after which the sender of a stream must have sent
/// [`MIN_WINDOW_BYTES`]. Handlers may wait less.
const WINDOW: Duration = Duration::from_secs(90);
/// The bytes of a stream that must come within [`WINDOW`]: half a kilobyte each second.
const MIN_WINDOW_BYTES: u64 = 45 * 1024;

/// Refuses a body that is too long by its Content-Length already.
pub(super) fn announced(request: &Request, most: u64) -> Result<(), Problem> {
    match request.body().size_hint().lower() {
        said if said > most => Err(too_long(most)),
        _ => {
            let said = request.headers().get(header::CONTENT_LENGTH);
            let said = said.and_then(|said| said.to_str().ok()?.parse::<u64>().ok());
            match said {
                Some(said) if said > most => Err(too_long(most)),
                _ => Ok(()),
            }
        }
    }
}

pub(super) async fn whole(body: Body, most: usize) -> Result<Bytes, Problem> {
    let mut chunks = body.into_data_stream();
    let mut taken = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| {
            Problem::malformed("the connection broke in the middle of the request's body")
        })?;
        if taken.len() + chunk.len() > most {
            return Err(too_long(most as u64));
        }
        taken.extend_from_slice(&chunk);
    }
    Ok(taken.freeze())
}

/// Why a streamed body was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The body is longer than this number of bytes, the most that the route takes.
    #[error("the body is longer than {0} bytes")]
    TooLong(u64),
    /// Less than half a kilobyte came each second.
    #[error("less than half a kilobyte came each second")]
    TooSlow,
}

impl Broken {
    /// Finds a [`Broken`] among the causes of a body's error.
    #[must_use]
    pub fn of(error: &axum::Error) -> Option<Self> {
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = cause {
            if let Some(broken) = error.downcast_ref::<Self>() {
                return Some(*broken);
            }
            // io::Error::source leaves out the error that it wraps; get_ref returns it.
            let wrapped = error.downcast_ref::<std::io::Error>();
            if let Some(broken) = wrapped.and_then(|error| error.get_ref()?.downcast_ref::<Self>())
            {
                return Some(*broken);
            }
            cause = error.source();
        }
        None
    }
}

impl From<Broken> for Problem {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::TooLong(most) => too_long(most),
            Broken::TooSlow => too_slow(),
        }
    }
}

impl From<Broken> for std::io::Error {
    fn from(broken: Broken) -> Self {
        let kind = match broken {
            Broken::TooLong(_) => std::io::ErrorKind::FileTooLarge,
            Broken::TooSlow => std::io::ErrorKind::TimedOut,
        };
        Self::new(kind, broken)
    }
}

/// `body`, cut off with [`Broken`] when it is too long or too slow. Only time spent waiting for the
/// sender counts.
pub(super) fn streamed(body: Body, most: u64) -> Body {
    if body.is_end_stream() {
        return body;
    }
    struct Coming {
        chunks: axum::body::BodyDataStream,
        left: u64,
        waited: Duration,
        came: u64,
    }
    let hint = body.size_hint();
    let coming = Coming {
        chunks: body.into_data_stream(),
        left: most,
        waited: Duration::ZERO,
        came: 0,
    };
    let chunks = Body::from_stream(stream::try_unfold(coming, move |mut coming| async move {
        let asked = Instant::now();
        let patience = WINDOW.saturating_sub(coming.waited);
        let chunk = match timeout(patience, coming.chunks.next()).await {
            Ok(chunk) => chunk,
            // Too little came in this window. If enough did, the next chunk gets a whole window.
            Err(_) if coming.came < MIN_WINDOW_BYTES => return Err(Broken::TooSlow.into()),
            Err(_) => match timeout(WINDOW, coming.chunks.next()).await {
                Ok(chunk) => chunk,
                Err(_) => return Err(Broken::TooSlow.into()),
            },
        };
        let Some(chunk) = chunk else { return Ok(None) };
        let chunk = chunk.map_err(std::io::Error::other)?;
        let length = chunk.len() as u64;
        coming.left = match coming.left.checked_sub(length) {
            Some(left) => left,
            None => return Err(Broken::TooLong(most).into()),
        };
        coming.waited += asked.elapsed();
        coming.came += length;
        if coming.waited >= WINDOW {
            if coming.came < MIN_WINDOW_BYTES {
                return Err(Broken::TooSlow.into());
            }
            (coming.waited, coming.came) = (Duration::ZERO, 0);
        }
        Ok::<_, std::io::Error>(Some((chunk, coming)))
    }));
    Body::new(Hinted { chunks, hint })
}

/// A stream of chunks, with the size hint of the body that they came from.
struct Hinted {
    chunks: Body,
    hint: SizeHint,
}

impl HttpBody for Hinted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.chunks).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}

fn too_long(most: u64) -> Problem {
    let detail = match most {
        0 => "this address takes no body".to_owned(),
        _ => format!("the request's body is longer than {most} bytes, the most allowed here"),
    };
    Problem::new(Code::TooLarge, detail)
}

pub(super) fn too_slow() -> Problem {
    Problem::new(
        Code::TooSlow,
        "the request's body came too slowly; send it again",
    )
}
