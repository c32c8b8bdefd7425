//! New transactions, as they arrive: server-sent events.
//!
//! Each stream asks the database once a second, because a transaction may come in through another
//! gateway; what it asks is one indexed read.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, stream};
use hallway_spine::Gateway;
use hallway_spine::http::input::Asked;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::{self, Caller, Token};
use hallway_spine::store::{Limit, PageRequest};
use serde::Deserialize;

use crate::store::DeviceTables;
use crate::transactions::{self, TransactionRow};

const SEND_EVERY: Duration = Duration::from_secs(1);

/// The transactions to follow.
#[derive(Debug, Default, Deserialize)]
pub struct Follow {
    /// Only transactions of this device.
    pub device: Option<String>,
}

/// Where a stream stands.
struct Position {
    gateway: Gateway,
    caller: Caller,
    device: Option<String>,
    after: Option<u64>,
    waiting: Vec<TransactionRow>,
}

/// Follows the transactions that the caller may see, from now on, as long as the session lasts.
pub async fn events(
    State(gateway): State<Gateway>,
    caller: Caller,
    Asked(query): Asked<Follow>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let filter = transactions::filter(&gateway, &caller, query.device.as_deref()).await?;
    let newest = PageRequest {
        after: None,
        limit: Limit::nearest(1),
    };
    let page = gateway
        .store
        .read()
        .transactions()
        .page(filter, &newest)
        .await?;
    let after = page.items.first().map(|transaction| transaction.log_index);
    let position = Position {
        gateway,
        caller,
        device: query.device,
        after,
        waiting: Vec::new(),
    };
    Ok(Sse::new(stream::unfold(position, next)).keep_alive(KeepAlive::default()))
}

async fn next(mut position: Position) -> Option<(Result<Event, Infallible>, Position)> {
    loop {
        if let Some(row) = position.waiting.pop() {
            let event = Event::default().event("transaction").json_data(&row).ok()?;
            return Some((Ok(event), position));
        }
        tokio::time::sleep(SEND_EVERY).await;
        position.load().await.ok()?;
    }
}

impl Position {
    async fn load(&mut self) -> Result<(), Problem> {
        let token = Token {
            carrier: self.caller.carrier,
            hash: self.caller.session.token,
        };
        self.caller = session::find(&self.gateway, token)
            .await?
            .ok_or_else(Problem::unauthenticated)?;
        // Asked again each time: the caller's role or the owner of a device may have changed.
        let device = self.device.as_deref();
        let filter = transactions::filter(&self.gateway, &self.caller, device).await?;
        let reader = self.gateway.store.read();
        let fresh = reader
            .transactions()
            .since(filter, self.after, Limit::default())
            .await?;
        self.after = fresh
            .iter()
            .map(|transaction| transaction.log_index)
            .max()
            .or(self.after);
        self.waiting = transactions::rows(&self.gateway, &fresh).await?;
        // Oldest first: they are taken from the end.
        self.waiting
            .sort_by_key(|row| std::cmp::Reverse(row.log_index));
        Ok(())
    }
}
