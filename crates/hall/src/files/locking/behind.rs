//! Where the files are, for a store whose locks are kept here.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use http::{Request, Response};

use super::Here;
use crate::body::Body;
use crate::dav::path::FilePath;
use crate::files::condition::Condition;
use crate::files::handler::{self, Discovery, Present};
use crate::files::store::{Entry, Plan, Store, StoreError};
use crate::problem::Problem;

/// The outcome of making an empty file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    /// The file is there now.
    New,
    /// Something was there meanwhile.
    ThereAlready,
}

/// Where the files are: a store of ours, or one at an agent.
#[async_trait]
pub(crate) trait Behind: Present {
    /// Answers a request that is not about locks; `discovery` tells which locks there are.
    async fn answer(&self, request: Request<Body>, discovery: &dyn Discovery) -> Response<Body>;

    /// Makes an empty file.
    async fn make(&self, path: &FilePath) -> Result<Made, Problem>;
}

/// A store of ours.
pub(super) struct Own<'h> {
    pub(super) store: Arc<dyn Store>,
    pub(super) here: Here<'h>,
}

#[async_trait]
impl Present for Own<'_> {
    async fn present(&self, path: &FilePath) -> Result<Option<Entry>, Problem> {
        self.store.present(path).await
    }
}

#[async_trait]
impl Behind for Own<'_> {
    async fn answer(&self, request: Request<Body>, discovery: &dyn Discovery) -> Response<Body> {
        let store = Arc::clone(&self.store);
        handler::serve_seeing(store, self.here, request, discovery).await
    }

    async fn make(&self, path: &FilePath) -> Result<Made, Problem> {
        let plan = Plan {
            condition: Condition::absent(),
            length: Some(0),
            ..Plan::default()
        };
        match self.store.put(path, plan, stream::empty().boxed()).await {
            Ok(_) => Ok(Made::New),
            Err(StoreError::Precondition | StoreError::Exists) => Ok(Made::ThereAlready),
            Err(error) => Err(error.into()),
        }
    }
}
