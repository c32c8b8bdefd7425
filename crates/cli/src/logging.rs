//! Structured logs, on standard error.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

/// Starts logging. `HALLWAY_LOG` sets what, as `tracing` filters do; `info` otherwise.
pub(crate) fn start(json: bool) {
    let quiet = "info,sqlx=warn,sea_orm_migration=warn";
    let filter = EnvFilter::try_from_env("HALLWAY_LOG").unwrap_or_else(|_| EnvFilter::new(quiet));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    if json {
        logs.json().init();
    } else {
        logs.init();
    }
}
