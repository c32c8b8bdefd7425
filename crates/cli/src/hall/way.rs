//! How requests reach a hall's data plane: by a grant of one's own, or through the `hallway open`
//! that holds one.

use std::path::PathBuf;
use std::time::Duration;

use hallway_hall::client::{self, ClientError, HallClient};
use hallway_hall::stream::{BoxStream, STREAM_PROTOCOL};
use hallway_hall::{Body, ServiceName};
use http::header::{ACCEPT, HOST, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// The host in requests to the socket of `hallway open`, which ignores it.
const LOCAL: HeaderValue = HeaderValue::from_static("hall");

/// A way into one hall.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// A grant, whose key is in this process.
    Grant(HallClient),
    /// The socket of the `hallway open` that has one.
    Shared(PathBuf),
}

impl Way {
    /// Sends a request of the data plane, and waits at most `patience` for its answer to begin.
    ///
    /// # Errors
    /// There is no answer, or it refuses.
    pub(crate) async fn send(
        &self,
        request: Request<Body>,
        patience: Duration,
    ) -> Result<Response<Incoming>, ClientError> {
        let answered = timeout(patience, self.forward(request)).await;
        let response = answered.map_err(|_| ClientError::Slow {
            what: "the far side".to_owned(),
            patience,
        })??;
        client::accepted(response).await
    }

    async fn forward(&self, mut request: Request<Body>) -> Result<Response<Incoming>, ClientError> {
        // Refusals are wanted as JSON problems, also where WebDAV has XML for them.
        (request.headers_mut().entry(ACCEPT))
            .or_insert(HeaderValue::from_static("application/json"));
        match self {
            Self::Grant(client) => client.forward(request).await,
            // A new local connection costs less than keeping one open.
            Self::Shared(path) => {
                request.headers_mut().insert(HOST, LOCAL);
                let stream = UnixStream::connect(path).await?;
                let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
                    .await
                    .map_err(broken)?;
                tokio::spawn(connection);
                sender.send_request(request).await.map_err(broken)
            }
        }
    }

    /// Opens a stream to a service.
    ///
    /// # Errors
    /// It was not granted, or the far side can't be reached.
    pub(crate) async fn stream(&self, service: &ServiceName) -> Result<BoxStream, ClientError> {
        match self {
            Self::Grant(client) => client.stream(service).await,
            Self::Shared(path) => {
                let stream = Box::new(UnixStream::connect(path).await?);
                let path = format!("/connect/{service}");
                client::upgrade(stream, &path, STREAM_PROTOCOL, &LOCAL).await
            }
        }
    }
}

fn broken(error: hyper::Error) -> ClientError {
    ClientError::Broken(error.to_string())
}
