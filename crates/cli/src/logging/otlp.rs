//! Spans for a collector of OpenTelemetry, by OTLP over HTTP. The specification's variables say where
//! it is (OpenTelemetry, "Environment Variable Specification"): without one, nothing is sent.

use std::env;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::Layer as _;

use super::Sink;

/// The variables that name a collector.
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
];

/// Sends spans. Dropped, it sends those that wait.
pub(super) struct Spans(SdkTracerProvider);

impl Drop for Spans {
    fn drop(&mut self) {
        // If the collector does not answer, the spans are lost, as any others.
        let _ = self.0.shutdown();
    }
}

/// `lines`, and beside them the collector if there is one.
pub(super) fn beside(lines: Sink) -> (Vec<Sink>, Result<Option<Spans>, ExporterBuildError>) {
    if !ENDPOINTS.iter().any(|name| env::var_os(name).is_some()) {
        return (vec![lines], Ok(None));
    }
    let exporter = match SpanExporter::builder().with_http().build() {
        Ok(exporter) => exporter,
        Err(error) => return (vec![lines], Err(error)),
    };
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder().with_service_name("hallway").build())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("hallway"));
    (vec![lines, layer.boxed()], Ok(Some(Spans(provider))))
}
