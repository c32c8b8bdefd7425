//! The log over HTTP, as if it were static files (C2SP tlog-tiles). Public: its entries are hashes.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hallway_evidence::log::Tile;

use crate::Gateway;
use crate::http::problem::Problem;
use crate::http::route::{Access, Route};
use crate::ledger::cosigned;

/// Handles GET of the newest checkpoint, with the cosignatures that it has.
pub async fn checkpoint(State(gateway): State<Gateway>) -> Result<Response, Problem> {
    let checkpoint = cosigned::newest(gateway.store.read()).await?;
    if checkpoint.is_empty() {
        return Err(Problem::not_found("checkpoint: nothing is logged yet"));
    }
    Ok(note(checkpoint))
}

/// Handles GET of the checkpoint that most witnesses cosigned; of several, the newest.
pub async fn cosigned_checkpoint(State(gateway): State<Gateway>) -> Result<Response, Problem> {
    let checkpoint = cosigned::covering(gateway.store.read(), 0).await?;
    checkpoint
        .map(note)
        .ok_or_else(|| Problem::not_found("checkpoint: no witness cosigned one yet"))
}

fn note(checkpoint: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, checkpoint).into_response()
}

/// Handles GET of a tile or an entry bundle, whole or partial. It never changes, so it may be cached for
/// good.
pub async fn tile(
    State(gateway): State<Gateway>,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    let missing = || Problem::not_found("tile");
    let tile: Tile = format!("tile/{path}").parse().map_err(|_| missing())?;
    let bytes = gateway
        .store
        .read()
        .log()
        .tile(tile)
        .await?
        .ok_or_else(missing)?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, bytes).into_response())
}

/// The log's routes, all public.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/log/checkpoint", Access::Public, checkpoint)
            .summary("The log's signed checkpoint (C2SP tlog-checkpoint)"),
        Route::get("/log/tile/{*path}", Access::Public, tile)
            .summary("A tile of the log (C2SP tlog-tiles)"),
    ]
}
