//! Structured logs, on standard error.

use std::io::stderr;

use hallway_evidence::Printable;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::debug_fn;

use crate::terminal::{LogLines, has_colours};

/// Starts logging. `HALLWAY_LOG` sets the filter, in the syntax of `tracing`; `info` by default.
pub(crate) fn start(json: bool) {
    let quiet = "info,sqlx=warn,sea_orm_migration=warn";
    let filter = EnvFilter::try_from_env("HALLWAY_LOG").unwrap_or_else(|_| EnvFilter::new(quiet));
    let logs = tracing_subscriber::fmt().with_env_filter(filter);
    if json {
        return logs.json().with_writer(|| LogLines::Plain).init();
    }
    let has_colours = has_colours(&stderr());
    // Somebody else may have chosen the value: it must not begin a new line.
    let fields = debug_fn(|out, field, value| {
        let value = format!("{value:?}");
        match field.name() {
            "message" => write!(out, "{}", Printable(&value)),
            name => write!(out, "{name}={}", Printable(&value)),
        }
    });
    let lines = if has_colours {
        LogLines::Coloured
    } else {
        LogLines::Plain
    };
    logs.fmt_fields(fields.delimited(" "))
        .with_ansi(has_colours)
        .with_writer(move || lines)
        .init();
}
