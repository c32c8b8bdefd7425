//! Requests for the files of a store, over the hall listener or from a browser.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use hallway_evidence::statement::hall::StoreName;
use hallway_hall::Pass;
use hallway_hall::files::{Here, LockedStore, Locking};
use hallway_spine::Gateway;

use super::locks::DatabaseLocks;
use super::standing::Standing;
use crate::HallsOf;
use crate::store::lock_holder;

/// Answers a request for the files of `store`, which is reached at `mount`, as far as `standing`
/// and the locks of others allow.
pub async fn serve(
    gateway: &Gateway,
    standing: &Standing,
    store: &StoreName,
    (mount, pass): (&str, &Pass),
    request: Request,
) -> Response {
    let access = match standing.access(store) {
        Ok(access) => access,
        Err(refused) => return refused.into_response(),
    };
    let grant = &standing.grant;
    let locking = Locking {
        locks: Arc::new(DatabaseLocks(gateway.store.clone())),
        store: LockedStore {
            hall: grant.hall.clone(),
            store: store.clone(),
        },
        holder: lock_holder(grant.id),
        holder_ends_ms: grant.ends.as_ms(),
        now_ms: gateway.now().as_ms(),
    };
    let here = Here {
        access,
        mount,
        pass,
    };
    let offers = &gateway.halls().offers;
    let answer = match offers.own_store(&grant.hall, store) {
        Some(own) => locking.own(own, here, request).await,
        None => locking.at_agent(&offers.switchboard, here, request).await,
    };
    answer.map(Body::new)
}
