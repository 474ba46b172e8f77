//! What is told of the server at one moment.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::entry::Entry;
use super::latency::Summary;
use super::recent::Noted;
use super::{ErrorType, Metrics, lock, since_epoch};

/// How many of the last errors the text for people names; the data has all that are kept.
const ERRORS_IN_TEXT: usize = 10;

/// What one replica has counted since it started. Times are in milliseconds.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Snapshot {
    /// What the figures cover: this replica alone, since it started.
    pub window: &'static str,
    /// What the replica calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica: Option<String>,
    /// When the snapshot was taken, in UTC.
    pub at: String,
    /// Seconds since the replica started to count.
    pub uptime_seconds: u64,
    /// Over all methods and tools.
    pub totals: Totals,
    /// By tool. Calls of tools that are not known are those of `_other`.
    pub tools: BTreeMap<String, ToolSnapshot>,
    /// What the server depends on, by name.
    pub upstreams: BTreeMap<String, UpstreamSnapshot>,
    /// The last errors, newest first.
    pub recent_errors: Vec<RecentError>,
}

/// Figures over all methods and tools.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Totals {
    /// Requests that were answered.
    pub requests: u64,
    /// Those answered with an error of the server or a tool; a client's mistakes are none.
    pub errors: u64,
    /// Requests for whose answer nobody waited.
    pub cancelled: u64,
    /// Requests that are worked on now.
    pub in_flight: u64,
    /// Answers that a cache gave.
    pub cache_hits: u64,
    /// Requests that were refused because their caller had used up its allowance.
    pub rate_limited: u64,
}

/// Figures of one tool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ToolSnapshot {
    /// Since the start.
    #[serde(flatten)]
    pub times: Times,
    /// Within the last minute, which rolls in steps of ten seconds.
    pub last_minute: Times,
    /// Errors by type: a JSON-RPC code, or `tool_error` for a result that says `isError`.
    pub errors_by_type: BTreeMap<String, u64>,
    /// Calls for whose answer nobody waited; they are not in `count`.
    pub cancelled: u64,
    /// Calls that are worked on now.
    pub in_flight: u64,
    /// When the last error was, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error_at: Option<String>,
}

/// How many calls there were in a span of time, and how long they took, in milliseconds: percentiles to two
/// significant digits, which is at most one percent too much.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Times {
    /// Calls that were answered.
    pub count: u64,
    /// Those answered with an error of the server or the tool; a client's mistakes are none.
    pub errors: u64,
    /// The share of errors, 0 to 1.
    pub error_rate: f64,
    /// The mean.
    pub avg_ms: f64,
    /// Half of the calls took at most this many milliseconds.
    pub p50: f64,
    /// 90 % of the calls took at most this many milliseconds.
    pub p90: f64,
    /// 95 % of the calls took at most this many milliseconds.
    pub p95: f64,
    /// 99 % of the calls took at most this many milliseconds.
    pub p99: f64,
    /// The longest.
    pub max_ms: f64,
}

/// How something is that the server depends on.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamSnapshot {
    /// Its name.
    #[serde(skip)]
    pub name: String,
    /// The state of its circuit breaker, such as `closed`, `open` or `half_open`.
    pub state: String,
    /// The share of calls that failed lately, 0 to 1.
    pub failure_rate: f64,
    /// How long calls are still refused, in milliseconds, if they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// One error, without the arguments that led to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RecentError {
    /// When it was, in UTC.
    pub at: String,
    /// The tool, if one was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The method.
    pub method: String,
    /// The kind of failure, such as `unavailable`, or `tool_error` for a result that says `isError`.
    pub kind: &'static str,
    /// The JSON-RPC code; a result that says `isError` has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// What the client read, or its first 200 characters.
    pub message: String,
    /// The trace that the request belongs to, if the client said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

impl Metrics {
    /// The figures of this moment.
    pub fn snapshot(&self) -> Snapshot {
        let inner = &self.0;
        let uptime = inner.started.elapsed();
        let mut totals = Totals {
            in_flight: u64::try_from(inner.in_flight.get()).unwrap_or_default(),
            // The sources are asked while no lock is held: they may be anyone's code.
            cache_hits: lock(&inner.cache_hits).clone().iter().map(|hits| hits()).sum(),
            ..Totals::default()
        };
        inner.tools.iter().chain(inner.methods.iter()).for_each(|entry| totals.add(entry));
        let unused =
            |entry: &&Entry| *entry.name() != *super::OTHER || entry.answers() + entry.cancelled() > 0;
        let tools = inner.tools.iter().filter(unused);
        let upstreams = lock(&inner.upstreams).clone();
        let upstreams = upstreams.iter().flat_map(|states| states());
        Snapshot {
            window: "this replica only, since it started; lastMinute is a rolling minute",
            replica: inner.config.replica.clone(),
            at: rfc3339(since_epoch()),
            uptime_seconds: uptime.as_secs(),
            totals,
            tools: tools.map(|entry| (entry.name().to_string(), ToolSnapshot::of(entry, uptime))).collect(),
            upstreams: upstreams.map(|upstream| (upstream.name.clone(), upstream)).collect(),
            recent_errors: lock(&inner.recent).iter().map(RecentError::of).collect(),
        }
    }
}

/// How many calls took so long, and longer than those of the class before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LatencyClass {
    /// The longest time, in milliseconds.
    pub up_to_ms: f64,
    /// How many calls.
    pub count: u64,
}

impl Metrics {
    /// How long the calls of a tool took since the start, in classes that double. `None` if nothing is known of the tool.
    pub fn histogram(&self, tool: &str) -> Option<Vec<LatencyClass>> {
        let entry = self.0.tools.iter().find(|entry| *entry.name() == *tool)?;
        let class = |(end, count)| LatencyClass { up_to_ms: millis(end), count };
        Some(entry.classes().into_iter().map(class).collect())
    }
}

impl Totals {
    fn add(&mut self, entry: &Entry) {
        self.requests += entry.answers();
        self.cancelled += entry.cancelled();
        for (error, count) in entry.errors() {
            self.errors += count;
            if Some(error) == ErrorType::of(towline_core::ErrorKind::RateLimited) {
                self.rate_limited += count;
            }
        }
    }
}

impl ToolSnapshot {
    fn of(entry: &Entry, uptime: Duration) -> Self {
        let (total, last_minute) = entry.times(uptime).unwrap_or_default();
        let errors = entry.errors().filter(|&(_, count)| count > 0);
        Self {
            times: Times::of(&total),
            last_minute: Times::of(&last_minute),
            errors_by_type: errors.map(|(error, count)| (error.as_str().to_owned(), count)).collect(),
            cancelled: entry.cancelled(),
            in_flight: entry.in_flight(),
            last_error_at: entry.last_error_at().map(rfc3339),
        }
    }
}

impl Times {
    fn of(summary: &Summary) -> Self {
        Self {
            count: summary.count,
            errors: summary.errors,
            error_rate: if summary.count == 0 { 0.0 } else { summary.errors as f64 / summary.count as f64 },
            avg_ms: millis(summary.mean),
            p50: millis(summary.p50),
            p90: millis(summary.p90),
            p95: millis(summary.p95),
            p99: millis(summary.p99),
            max_ms: millis(summary.max),
        }
    }
}

impl RecentError {
    fn of(noted: &Noted) -> Self {
        let subject = noted.subject.to_string();
        let (tool, method) = match noted.is_tool {
            true => (Some(subject), super::TOOLS_CALL.to_owned()),
            false => (None, subject),
        };
        Self {
            at: rfc3339(noted.at),
            tool,
            method,
            kind: noted.kind.map_or(ErrorType::TOOL_ERROR.as_str(), towline_core::ErrorKind::name),
            code: noted.kind.map(towline_core::ErrorKind::code),
            message: noted.message.clone(),
            trace_id: noted.trace_id.map(|id| format!("{id:032x}")),
        }
    }
}

/// For people.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { requests, errors, cancelled, in_flight, cache_hits, rate_limited } = self.totals;
        let replica = self.replica.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
        write!(
            f,
            "This replica{replica} alone, since it started {} s ago: {requests} requests, {errors} errors, \
             {cancelled} cancelled, {in_flight} in flight, {cache_hits} answers from the cache, {rate_limited} \
             refused by rate limits.",
            self.uptime_seconds
        )?;
        for (name, tool) in &self.tools {
            write!(f, "\n- {name}: {}; {} in flight", tool.times, tool.in_flight)?;
        }
        if !self.upstreams.is_empty() {
            f.write_str("\nUpstreams:")?;
        }
        for (name, upstream) in &self.upstreams {
            write!(f, "\n- {name}: {}, {:.1} % failures", upstream.state, upstream.failure_rate * 100.0)?;
            if let Some(retry_after) = upstream.retry_after_ms {
                write!(f, ", tried again in {:.1} s", retry_after as f64 / 1000.0)?;
            }
        }
        if !self.recent_errors.is_empty() {
            f.write_str("\nLast errors:")?;
        }
        for error in self.recent_errors.iter().take(ERRORS_IN_TEXT) {
            let subject = error.tool.as_ref().unwrap_or(&error.method);
            write!(f, "\n- {} {subject}, {}: {}", error.at, error.kind, error.message)?;
        }
        match self.recent_errors.len().saturating_sub(ERRORS_IN_TEXT) {
            0 => Ok(()),
            more => write!(f, "\n- and {more} more"),
        }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, errors, error_rate, p50, p95, p99, max_ms, .. } = self;
        write!(f, "{count} calls, {errors} errors ({:.1} %)", error_rate * 100.0)?;
        if *count > 0 {
            write!(f, ", p50 {p50} ms, p95 {p95} ms, p99 {p99} ms, at most {max_ms} ms")?;
        }
        Ok(())
    }
}

/// Milliseconds, to the microsecond.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// A time in UTC, such as `2026-11-03T09:05:00.250Z`, of the time since 1970.
fn rfc3339(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's `civil_from_days`: years begin in March, so that a leap day is the last of its year.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..=9 => (era * 400 + year, month + 3),
        _ => (era * 400 + year + 1, month - 9),
    };
    let mut text = String::with_capacity(24);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let millis = since_epoch.subsec_millis();
    // Writing to a `String` does not fail.
    let _ = write!(text, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.250Z"),
            (951_782_399, "2000-02-28T23:59:59.250Z"),
            (951_782_400, "2000-02-29T00:00:00.250Z"),
            (951_868_800, "2000-03-01T00:00:00.250Z"),
            (1_709_251_199, "2024-02-29T23:59:59.250Z"),
            (1_735_689_599, "2024-12-31T23:59:59.250Z"),
            (1_735_689_600, "2025-01-01T00:00:00.250Z"),
            (4_107_542_400, "2100-03-01T00:00:00.250Z"),
        ] {
            assert_eq!(rfc3339(Duration::new(seconds, 250_000_000)), expected);
        }
    }

    #[test]
    fn milliseconds_are_told_to_the_microsecond() {
        assert_eq!(millis(Duration::from_nanos(1_234_567)), 1.235);
        assert_eq!(millis(Duration::ZERO), 0.0);
    }
}
