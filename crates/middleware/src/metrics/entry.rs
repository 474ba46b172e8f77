//! What is counted of one tool, or of one method.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabel, EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use super::latency::{Latency, Summary};
use super::names::{ErrorType, TOOLS_CALL};

/// Of the semantic conventions for MCP, in seconds.
const BUCKETS: [f64; 14] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

pub(super) type Durations = Family<Labels, Histogram, fn() -> Histogram>;
pub(super) type Cancellations = Family<Labels, Counter>;

pub(super) fn durations() -> Durations {
    Family::new_with_constructor(|| Histogram::new(BUCKETS))
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Labels {
    method: Arc<str>,
    tool: Option<Arc<str>>,
    error_type: Option<&'static str>,
}

/// A label that has no value is left out, as the conventions have it.
impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        ("mcp_method_name", &*self.method).encode(encoder.encode_label())?;
        if let Some(tool) = &self.tool {
            ("gen_ai_tool_name", &**tool).encode(encoder.encode_label())?;
        }
        if let Some(error_type) = self.error_type {
            ("error_type", error_type).encode(encoder.encode_label())?;
        }
        Ok(())
    }
}

/// What is counted of one tool, or of one method. Each handle is resolved once: a tool's when it is registered, those of
/// errors and methods when there is something to count, so that a scrape is not full of zeros.
#[derive(Debug)]
pub(super) struct Entry {
    labels: Labels,
    durations: Durations,
    successes: Outcome,
    errors: [Outcome; ErrorType::COUNT],
    cancelled: OnceLock<Counter>,
    cancellations: Cancellations,
    in_flight: AtomicI64,
    /// In milliseconds since 1970; 0 for never.
    last_error_at: AtomicU64,
    /// Of tools only.
    latency: Option<Mutex<Latency>>,
}

#[derive(Debug, Default)]
struct Outcome {
    count: AtomicU64,
    seconds: OnceLock<Histogram>,
}

impl Entry {
    pub(super) fn method(name: Arc<str>, durations: &Durations, cancellations: &Cancellations) -> Self {
        let labels = Labels { method: name, tool: None, error_type: None };
        Self::new(labels, None, durations, cancellations)
    }

    pub(super) fn tool(name: Arc<str>, durations: &Durations, cancellations: &Cancellations) -> Self {
        let labels = Labels { method: TOOLS_CALL.into(), tool: Some(name), error_type: None };
        Self::new(labels, Some(Mutex::default()), durations, cancellations)
    }

    /// Makes the series at once: what is there from the start can be told from what is missing.
    pub(super) fn shown(self) -> Self {
        self.successes.seconds.get_or_init(|| self.durations.get_or_create_owned(&self.labels));
        self.cancelled.get_or_init(|| self.cancellations.get_or_create_owned(&self.labels));
        self
    }

    fn new(
        labels: Labels,
        latency: Option<Mutex<Latency>>,
        durations: &Durations,
        cancellations: &Cancellations,
    ) -> Self {
        Self {
            labels,
            durations: durations.clone(),
            successes: Outcome::default(),
            errors: Default::default(),
            cancelled: OnceLock::new(),
            cancellations: cancellations.clone(),
            in_flight: AtomicI64::new(0),
            last_error_at: AtomicU64::new(0),
            latency,
        }
    }

    /// The tool's name, or the method's.
    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(self.labels.tool.as_ref().unwrap_or(&self.labels.method))
    }

    pub(super) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn cancel(&self) {
        self.cancelled.get_or_init(|| self.cancellations.get_or_create_owned(&self.labels)).inc();
    }

    /// Counts an answer. `uptime` is the time since the start.
    pub(super) fn record(&self, uptime: Duration, took: Duration, error: Option<ErrorType>) {
        let outcome = error.map_or(&self.successes, |error| &self.errors[error.index()]);
        outcome.count.fetch_add(1, Ordering::Relaxed);
        let seconds = outcome.seconds.get_or_init(|| {
            let error_type = error.map(ErrorType::as_str);
            self.durations.get_or_create_owned(&Labels { error_type, ..self.labels.clone() })
        });
        seconds.observe(took.as_secs_f64());
        if let Some(latency) = &self.latency {
            latency.lock().unwrap_or_else(PoisonError::into_inner).record(uptime, took, error.is_some());
        }
    }

    pub(super) fn note_error_at(&self, since_epoch: Duration) {
        let millis = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        self.last_error_at.fetch_max(millis, Ordering::Relaxed);
    }

    pub(super) fn last_error_at(&self) -> Option<Duration> {
        Some(self.last_error_at.load(Ordering::Relaxed)).filter(|&at| at > 0).map(Duration::from_millis)
    }

    pub(super) fn in_flight(&self) -> u64 {
        u64::try_from(self.in_flight.load(Ordering::Relaxed)).unwrap_or_default()
    }

    pub(super) fn cancelled(&self) -> u64 {
        self.cancelled.get().map_or(0, Counter::get)
    }

    /// How many answers there were.
    pub(super) fn answers(&self) -> u64 {
        self.successes.count.load(Ordering::Relaxed) + self.errors().map(|(_, count)| count).sum::<u64>()
    }

    /// How many errors there were, by type.
    pub(super) fn errors(&self) -> impl Iterator<Item = (ErrorType, u64)> {
        ErrorType::all().map(|error| (error, self.errors[error.index()].count.load(Ordering::Relaxed)))
    }

    /// Times since the start, and within the last minute.
    /// How many calls took how long since the start.
    pub(super) fn classes(&self) -> Vec<(Duration, u64)> {
        let Some(latency) = &self.latency else { return Vec::new() };
        let latency = latency.lock().unwrap_or_else(PoisonError::into_inner).clone();
        latency.classes()
    }

    pub(super) fn times(&self, uptime: Duration) -> Option<(Summary, Summary)> {
        // Percentiles are worked out on a copy, so that calls wait for no more than the copying.
        let latency = self.latency.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Some((latency.total(), latency.last_minute(uptime)))
    }
}
