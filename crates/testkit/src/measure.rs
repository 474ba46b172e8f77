//! How fast a tool answers.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use crate::tester::Tester;

/// How a tool is called to see how fast it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// How many calls are measured.
    pub iterations: usize,
    /// How many are under way at once.
    pub concurrency: usize,
    /// How many calls come before, unmeasured.
    pub warm_up: usize,
}

impl Default for Load {
    fn default() -> Self {
        Self { iterations: 100, concurrency: 1, warm_up: 5 }
    }
}

/// What a measurement must keep to.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Thresholds {
    /// The median at most, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    /// The 95th percentile at most, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<f64>,
    /// The 99th percentile at most, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
    /// The longest at most, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ms: Option<f64>,
    /// Calls answered per second at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// The share of calls that succeed at least, from 0 to 1. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<f64>,
}

/// Latencies below which so many percent of the calls were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Percentiles {
    /// The fastest, in milliseconds.
    pub min_ms: f64,
    /// Half of the calls.
    pub p50_ms: f64,
    /// 90 of 100 calls.
    pub p90_ms: f64,
    /// 95 of 100 calls.
    pub p95_ms: f64,
    /// 99 of 100 calls.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
    /// The average.
    pub average_ms: f64,
}

/// How fast a tool answered.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Measurement {
    /// How many calls were measured.
    pub iterations: usize,
    /// How many were under way at once.
    pub concurrency: usize,
    /// How many succeeded.
    pub succeeded: usize,
    /// Calls answered per second.
    pub per_second: f64,
    /// The latencies of those that succeeded.
    pub latency: Percentiles,
    /// The same latencies, in ascending order, in milliseconds.
    #[serde(skip)]
    pub samples_ms: Vec<f64>,
    /// Why a call failed, the first that did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
}

impl Measurement {
    /// The share of calls that succeeded, from 0 to 1.
    pub fn success_rate(&self) -> f64 {
        ratio(self.succeeded, self.iterations)
    }

    /// What it does not keep to.
    pub fn exceeded(&self, thresholds: &Thresholds) -> Vec<String> {
        let mut exceeded = Vec::new();
        let latency = &self.latency;
        for (name, limit, actual) in [
            ("the median", thresholds.p50_ms, latency.p50_ms),
            ("the 95th percentile", thresholds.p95_ms, latency.p95_ms),
            ("the 99th percentile", thresholds.p99_ms, latency.p99_ms),
            ("the longest", thresholds.max_ms, latency.max_ms),
        ] {
            if let Some(limit) = limit.filter(|limit| actual > *limit) {
                exceeded.push(format!("{name} is {actual:.2} ms, and may be {limit} ms"));
            }
        }
        if let Some(least) = thresholds.per_second.filter(|least| self.per_second < *least) {
            exceeded.push(format!("{:.1} calls a second, and must be {least}", self.per_second));
        }
        let least = thresholds.success_rate.unwrap_or(1.0);
        if self.success_rate() < least {
            let (succeeded, iterations) = (self.succeeded, self.iterations);
            let mut told =
                format!("{succeeded} of {iterations} calls succeeded, and {:.1} % must", least * 100.0);
            if let Some(why) = &self.first_failure {
                told = format!("{told}; one failed with: {why}");
            }
            exceeded.push(told);
        }
        exceeded
    }
}

impl Tester {
    /// Calls a tool again and again and tells how fast it answered. `tick` is called after each call.
    pub async fn measure(&self, tool: &str, arguments: &Value, load: Load, tick: impl Fn()) -> Measurement {
        for _ in 0..load.warm_up {
            self.exchange(tool, arguments).await;
            tick();
        }
        let concurrency = load.concurrency.max(1);
        let started = Instant::now();
        let mut calls = stream::iter(0..load.iterations)
            .map(|_| self.exchange(tool, arguments))
            .buffer_unordered(concurrency);
        let (mut samples, mut first_failure) = (Vec::new(), None);
        while let Some(answer) = calls.next().await {
            tick();
            if answer.is_answered() && !answer.is_error() {
                samples.push(millis(answer.duration));
            } else if first_failure.is_none() {
                let text = answer.text();
                let why = if text.is_empty() { answer.to_json().to_string() } else { text };
                first_failure = Some(why.chars().take(300).collect());
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        samples.sort_by(f64::total_cmp);
        Measurement {
            iterations: load.iterations,
            concurrency,
            succeeded: samples.len(),
            per_second: if seconds > 0.0 { ratio(samples.len(), 1) / seconds } else { 0.0 },
            latency: percentiles(&samples),
            samples_ms: samples,
            first_failure,
        }
    }
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "numbers of calls are small")]
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// By the nearest rank: each is a latency that was measured.
fn percentiles(sorted: &[f64]) -> Percentiles {
    let (Some(min), Some(max)) = (sorted.first(), sorted.last()) else { return Percentiles::default() };
    let rank = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1];
    Percentiles {
        min_ms: *min,
        p50_ms: rank(50),
        p90_ms: rank(90),
        p95_ms: rank(95),
        p99_ms: rank(99),
        max_ms: *max,
        average_ms: sorted.iter().sum::<f64>() / ratio(sorted.len(), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_latencies_that_were_measured() {
        let sorted: Vec<_> = (1..=200).map(f64::from).collect();
        let found = percentiles(&sorted);
        assert_eq!((found.min_ms, found.p50_ms, found.p95_ms, found.p99_ms), (1.0, 100.0, 190.0, 198.0));
        assert_eq!((found.max_ms, found.average_ms), (200.0, 100.5));
        assert_eq!(percentiles(&[7.0]).p50_ms, 7.0);
        assert_eq!(percentiles(&[]), Percentiles::default());
    }
}
