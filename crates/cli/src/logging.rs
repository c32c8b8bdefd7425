//! Structured logs, on standard error, and spans for a collector where one is configured.

use std::io::stderr;

use hallway_evidence::Printable;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, registry};

use crate::terminal::{LogLines, has_colours};

#[cfg(feature = "otlp")]
mod otlp;

/// Takes what the program says while it runs.
type Sink = Box<dyn Layer<Registry> + Send + Sync>;

/// Started logging. Dropped, it sends the spans that wait.
#[must_use]
pub(crate) struct Logging {
    #[cfg(feature = "otlp")]
    _spans: Option<otlp::Spans>,
}

/// The form of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Text, for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging. `HALLWAY_LOG` sets the filter, in the syntax of `tracing`; `info` by default.
pub(crate) fn start(form: Form) -> Logging {
    let quiet = "info,sqlx=warn,sea_orm_migration=warn";
    let filter = EnvFilter::try_from_env("HALLWAY_LOG").unwrap_or_else(|_| EnvFilter::new(quiet));
    let lines = match form {
        Form::Text => text(),
        Form::Json => fmt::layer().json().with_writer(|| LogLines::Plain).boxed(),
    };
    #[cfg(feature = "otlp")]
    let (lines, spans) = otlp::beside(lines);
    registry().with(lines).with(filter).init();
    Logging {
        #[cfg(feature = "otlp")]
        _spans: spans.unwrap_or_else(|error| {
            tracing::error!(%error, "no spans are sent");
            None
        }),
    }
}

fn text() -> Sink {
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
    fmt::layer()
        .fmt_fields(fields.delimited(" "))
        .with_ansi(has_colours)
        .with_writer(move || lines)
        .boxed()
}
