//! A command's visit to a hall: through the `hallway open` that is there, or with a touch of its
//! own.

use std::path::{Path, PathBuf};

use hallway_hall::client::{self, Grant};
use hallway_hall::{Body, Right};
use http::Request;
use tokio::net::UnixStream;

use super::opening::{self, Wanted};
use super::path::HallPlace;
use super::way::Way;
use super::{HallCommandError, waiting};
use crate::person::folders::Folders;
use crate::person::{PersonArguments, Visitor};

/// The socket of a `hallway open`, below the folder for what runs.
pub(super) fn socket(folders: &Folders, place: &HallPlace) -> PathBuf {
    // Neither name may have an @, so no hall of a partner is taken for one of our own.
    let name = match &place.host {
        Some(host) => format!("{}@{host}.sock", place.hall),
        None => format!("{}.sock", place.hall),
    };
    folders.runtime.join(name)
}

/// Somebody inside a hall.
struct Visit {
    way: Way,
    own: Option<Own>,
}

/// A grant that this command opened, and its renewal.
struct Own {
    client: client::HallClient,
    renewing: tokio::task::JoinHandle<client::ClientError>,
}

/// Goes in with these rights, does `work`, and leaves, also on Ctrl-C. A touch is needed only where
/// no `hallway open` has all the rights.
///
/// # Errors
/// [`HallCommandError`] of the person's key, the gateway, the network, or the work.
pub(crate) async fn visit<T>(
    person: &PersonArguments,
    hall: &HallPlace,
    rights: &[Right],
    work: impl AsyncFnOnce(Way) -> Result<T, HallCommandError>,
) -> Result<T, HallCommandError> {
    let stopped = crate::told_to_stop();
    tokio::pin!(stopped);
    let visit = Visit::enter(person, hall, rights, stopped.as_mut()).await?;
    let done = tokio::select! {
        done = work(visit.way.clone()) => done,
        () = stopped => Err(HallCommandError::Stopped),
    };
    visit.leave().await;
    done
}

impl Visit {
    async fn enter(
        person: &PersonArguments,
        hall: &HallPlace,
        rights: &[Right],
        stopped: impl Future<Output = ()>,
    ) -> Result<Self, HallCommandError> {
        // The socket needs no gateway's name, so a missing one is no error yet.
        if let Ok(folders) = Folders::find() {
            let socket = socket(&folders, hall);
            if has_all(&socket, rights).await {
                let way = Way::Shared(socket);
                return Ok(Self { way, own: None });
            }
        }
        let mut visitor = Visitor::new(person)?;
        let wanted = Wanted {
            hall: hall.clone(),
            rights: rights.to_vec(),
            // It ends with this command.
            duration_ms: None,
        };
        let opened = opening::open(&mut visitor, &wanted).await?;
        waiting::until_approved(&mut visitor, &opened, stopped, |what| eprintln!("{what}")).await?;
        let client = opened.client;
        let renewed = client.clone();
        Ok(Self {
            way: Way::Grant(client.clone()),
            own: Some(Own {
                client,
                renewing: tokio::spawn(async move { renewed.keep_renewed().await }),
            }),
        })
    }

    /// Leaves. A grant of this command's own is ended; that of `hallway open` stays.
    async fn leave(self) {
        if let Some(own) = self.own {
            own.renewing.abort();
            if let Err(error) = own.client.end().await {
                tracing::debug!(%error, "the grant could not be ended; it ends by itself");
            }
        }
    }
}

/// Whether somebody holds these rights behind a socket.
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
