//! Exports spans to an OpenTelemetry collector: OTLP over HTTP, as protobuf.
//!
//! ```no_run
//! use towline_middleware::otel::{Exporter, OtelConfig};
//! use tracing_subscriber::layer::SubscriberExt;
//! use tracing_subscriber::util::SubscriberInitExt;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let exporter = Exporter::new(&OtelConfig::default())?;
//! tracing_subscriber::registry().with(exporter.layer()).init();
//! // Serve. What is not sent yet is sent when the exporter is dropped.
//! # Ok(())
//! # }
//! ```

mod client;

use std::env;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId, TracerProvider};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SamplingResult, SdkTracerProvider, ShouldSample};
use serde::Deserialize;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use self::client::Client;
use crate::config::{ConfigError, millis, not_zero, share};

/// Where spans go, and how many of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct OtelConfig {
    /// The collector's base address, to which `/v1/traces` is added, such as `http://127.0.0.1:4318`. Default: what
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` (the whole address) or `OTEL_EXPORTER_OTLP_ENDPOINT` (the base) says, else
    /// `http://localhost:4318`. Plain HTTP only: a collector beside the server is what speaks TLS to the world.
    pub endpoint: Option<String>,
    /// What the service is called. Default: what `OTEL_SERVICE_NAME` says, else the name of the program.
    pub service_name: Option<String>,
    /// The share of traces that is exported, 0 to 1. Default: 1.
    pub sample_ratio: f64,
    /// Whether a caller who names a trace decides if it is exported. Default: false, so that no caller can make the
    /// server export more, or hide.
    pub trust_callers: bool,
    /// Time to send one batch; `timeout_ms` in files. Default: 10 s.
    #[serde(rename = "timeout_ms", deserialize_with = "millis")]
    pub timeout: Duration,
}

impl Default for OtelConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            service_name: None,
            sample_ratio: 1.0,
            trust_callers: false,
            timeout: Duration::from_secs(10),
        }
    }
}

impl OtelConfig {
    /// Whether the settings can work.
    ///
    /// # Errors
    ///
    /// When a value is out of bounds, or the address is not one of plain HTTP.
    pub fn validate(&self) -> Result<(), ConfigError> {
        share("sample_ratio", self.sample_ratio)?;
        not_zero("timeout_ms", self.timeout)?;
        if !self.address().starts_with("http://") {
            return Err(ConfigError::new("endpoint", "must begin with `http://`"));
        }
        Ok(())
    }

    fn address(&self) -> String {
        let from_env = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let base = match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => {
                if let Some(whole) = from_env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
                    return whole;
                }
                from_env("OTEL_EXPORTER_OTLP_ENDPOINT").unwrap_or_else(|| "http://localhost:4318".into())
            }
        };
        format!("{}/v1/traces", base.trim_end_matches('/'))
    }

    fn resource(&self) -> Resource {
        // The builder reads `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`.
        let resource = Resource::builder();
        match (&self.service_name, env::var_os("OTEL_SERVICE_NAME")) {
            (Some(name), _) => resource.with_service_name(name.clone()),
            (None, Some(_)) => resource,
            (None, None) => resource.with_service_name(program()),
        }
        .build()
    }
}

/// The name of the running program.
fn program() -> String {
    let path = env::current_exe().ok();
    path.and_then(|path| Some(path.file_stem()?.to_str()?.to_owned())).unwrap_or_else(|| "mcp-server".into())
}

/// Why spans cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OtelError {
    /// A setting cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The environment holds a setting that cannot work, or the collector takes nothing.
    #[error("spans cannot be exported: {0}")]
    Export(String),
}

/// Sends spans in batches, from a thread of its own. Dropping it sends what is left.
#[derive(Debug)]
pub struct Exporter {
    provider: SdkTracerProvider,
}

impl Exporter {
    /// Starts the thread. Nothing is connected yet: a collector that is away costs spans, never the server.
    ///
    /// # Errors
    ///
    /// When the settings cannot work.
    pub fn new(config: &OtelConfig) -> Result<Self, OtelError> {
        config.validate()?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new(config.timeout))
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(config.address())
            .with_timeout(config.timeout)
            .build()
            .map_err(|error| OtelError::Export(error.to_string()))?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Edge { ratio: config.sample_ratio, trust_callers: config.trust_callers })
            .with_resource(config.resource())
            .build();
        Ok(Self { provider })
    }

    /// What a [`tracing_subscriber`] registry needs to export the spans that it sees.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("towline"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
    }

    /// Sends what is left, as dropping the exporter does. It blocks its thread until that is done or given up, for
    /// seconds at most.
    ///
    /// # Errors
    ///
    /// When the collector did not take it.
    pub fn flush(&self) -> Result<(), OtelError> {
        self.provider.force_flush().map_err(|error| OtelError::Export(error.to_string()))
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!(%error, "the last spans could not be exported");
        }
    }
}

/// Decides at the edge of this process whether a trace is exported; what is within follows.
#[derive(Clone, Debug)]
struct Edge {
    ratio: f64,
    trust_callers: bool,
}

impl ShouldSample for Edge {
    fn should_sample(
        &self,
        parent: Option<&opentelemetry::Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let own = Sampler::TraceIdRatioBased(self.ratio);
        let span = parent
            .filter(|parent| parent.has_active_span())
            .map(|parent| parent.span().span_context().clone());
        let is_callers = span.is_some_and(|span| span.is_remote());
        let sampler =
            if is_callers && !self.trust_callers { own } else { Sampler::ParentBased(Box::new(own)) };
        sampler.should_sample(parent, trace_id, name, kind, attributes, links)
    }
}
