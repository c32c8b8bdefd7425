//! Stores at agents whose locks are kept here.

use async_trait::async_trait;
use hallway_evidence::statement::hall::{HallName, StoreName};
use http::{Request, Response};

use super::Switchboard;
use crate::body::{AnyBody, Body};
use crate::dav::path::FilePath;
use crate::files::{Behind, Discovery, Entry, Here, Locking, Made, Present, StoreAccess};
use crate::problem::Problem;

impl Locking {
    /// Answers a request for the files of a store that an agent of the hall provides.
    pub async fn at_agent(
        &self,
        switchboard: &Switchboard,
        here: Here<'_>,
        request: Request<impl AnyBody>,
    ) -> Response<Body> {
        let (hall, store): (_, &StoreName) = (&self.store.hall, &self.store.store);
        let agent = AtAgent {
            switchboard,
            hall,
            store,
            here,
        };
        self.answer(&agent, here, request).await
    }
}

/// A store that an agent provides.
struct AtAgent<'h> {
    switchboard: &'h Switchboard,
    hall: &'h HallName,
    store: &'h StoreName,
    here: Here<'h>,
}

#[async_trait]
impl Present for AtAgent<'_> {
    async fn present(&self, path: &FilePath) -> Result<Option<Entry>, Problem> {
        // The gateway itself looks, also for a client that may only write.
        let access = StoreAccess {
            read: true,
            ..self.here.access
        };
        let here = Here {
            access,
            ..self.here
        };
        let afar = self.switchboard.afar(self.hall, self.store, here)?;
        afar.present(path).await
    }
}

#[async_trait]
impl Behind for AtAgent<'_> {
    async fn answer(&self, request: Request<Body>, discovery: &dyn Discovery) -> Response<Body> {
        let (switchboard, here) = (self.switchboard, self.here);
        switchboard
            .files(self.hall, self.store, here, request, discovery)
            .await
    }

    async fn make(&self, path: &FilePath) -> Result<Made, Problem> {
        let afar = self.switchboard.afar(self.hall, self.store, self.here)?;
        afar.make(path).await
    }
}
