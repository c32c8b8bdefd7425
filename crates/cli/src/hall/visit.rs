//! A command's visit to a hall: through a running `hallway open`, or with a touch of its own.

use std::path::{Path, PathBuf};

use hallway_hall::client::{self, Grant};
use hallway_hall::{Body, Right};
use http::Request;
use tokio::net::UnixStream;

use super::HallCommandError;
use super::opening::{self, Wanted};
use super::path::HallPlace;
use super::waiting::{self, Announcement};
use super::way::Way;
use crate::person::folders::Folders;
use crate::person::{Caller, PersonArguments};

/// The socket of a `hallway open`, in the runtime folder.
pub(super) fn socket(folders: &Folders, place: &HallPlace) -> PathBuf {
    // Neither name may contain an @, so no hall of a partner is taken for one of our own.
    let name = match &place.host {
        Some(host) => format!("{}@{host}.sock", place.hall),
        None => format!("{}.sock", place.hall),
    };
    folders.runtime.join(name)
}

/// Enters with these rights, does `work`, and leaves, also on Ctrl-C. A touch is needed only if no
/// `hallway open` has all the rights; if one has, its grant stays. A grant that is made here lasts
/// for `duration_ms` at most, or as long as the gateway allows, and ends with the work.
///
/// # Errors
/// [`HallCommandError`] of the person's key, the gateway, the network, or the work.
pub(crate) async fn visit<T>(
    person: &PersonArguments,
    hall: &HallPlace,
    rights: &[Right],
    duration_ms: Option<u64>,
    work: impl AsyncFnOnce(Way) -> Result<T, HallCommandError>,
) -> Result<T, HallCommandError> {
    if let Some(way) = shared(hall, rights).await {
        let stopped = crate::told_to_stop();
        return until(stopped, work(way)).await;
    }
    let mut caller = Caller::new(person)?;
    let wanted = Wanted {
        hall: hall.clone(),
        rights: rights.to_vec(),
        duration_ms,
    };
    let signed = opening::sign(&mut caller, &wanted).await?;
    let stopped = crate::told_to_stop();
    tokio::pin!(stopped);
    let opened = signed.enter(&mut caller, hall, stopped.as_mut()).await?;
    let announce = |what: &Announcement<'_>| eprintln!("{what}");
    waiting::until_approved(&mut caller, &opened, stopped.as_mut(), announce).await?;
    let renewed = opened.client.clone();
    let renewing = tokio::spawn(async move { renewed.keep_renewed().await });
    let done = until(stopped, work(Way::Grant(opened.client.clone()))).await;
    renewing.abort();
    opened.leave().await;
    done
}

async fn until<T>(
    stopped: impl Future<Output = ()>,
    work: impl Future<Output = Result<T, HallCommandError>>,
) -> Result<T, HallCommandError> {
    tokio::select! {
        done = work => done,
        () = stopped => Err(HallCommandError::Stopped),
    }
}

/// The way through a `hallway open` that has all these rights.
async fn shared(hall: &HallPlace, rights: &[Right]) -> Option<Way> {
    // The socket does not depend on a gateway, so it is no error yet if none is named.
    let socket = socket(&Folders::find().ok()?, hall);
    let serves = has_all(&socket, rights).await;
    serves.then_some(Way::Shared(socket))
}

/// Whether the `hallway open` behind a socket has all these rights.
async fn has_all(socket: &Path, rights: &[Right]) -> bool {
    if UnixStream::connect(socket).await.is_err() {
        return false;
    }
    let way = Way::Shared(socket.to_owned());
    let Ok(request) = Request::get("/grant").body(Body::default()) else {
        return false;
    };
    let Ok(response) = way.send(request, client::ANSWER).await else {
        return false;
    };
    match client::json::<Grant>(response).await {
        Ok(grant) => rights.iter().all(|right| grant.rights.contains(right)),
        Err(_) => false,
    }
}
