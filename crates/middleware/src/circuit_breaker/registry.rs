//! All the breakers of a server, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use fastrand::Rng;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use tokio::sync::broadcast;

use super::breaker::{CircuitBreaker, Counts, EVENTS, Event, Observed, Snapshot};
use super::config::{CircuitBreakerConfig, Mode};
use super::state::State;

/// All the breakers of a server, by name. A clone is a handle to the same.
///
/// Names come from whoever builds the server, never from a request, so there are as many breakers, and as
/// many time series, as were registered. It is a prometheus [`Collector`]: a registry reads the breakers when
/// it is scraped.
///
/// | metric | labels | meaning |
/// |---|---|---|
/// | `mcp_breaker_state` | `upstream`, `state` | 1 for the state that it is in, else 0 |
/// | `mcp_breaker_mode` | `upstream`, `mode` | 1 for the mode that it is in, else 0 |
/// | `mcp_breaker_transitions_total` | `upstream`, `to` | steps to that state |
/// | `mcp_breaker_refused_total` | `upstream` | calls not let through |
/// | `mcp_breaker_calls_total` | `upstream`, `outcome` | calls let through and answered |
#[derive(Clone, Debug)]
pub struct CircuitBreakerRegistry {
    breakers: Arc<RwLock<BTreeMap<Arc<str>, CircuitBreaker>>>,
    events: broadcast::Sender<Event>,
}

impl Default for CircuitBreakerRegistry {
    fn default() -> Self {
        Self { breakers: Arc::default(), events: broadcast::Sender::new(EVENTS) }
    }
}

impl CircuitBreakerRegistry {
    /// A registry of none.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a breaker of that name.
    ///
    /// # Panics
    ///
    /// Panics if there is one of that name, and if [`validate`](CircuitBreakerConfig::validate) finds fault
    /// with `config`.
    pub fn register(&self, name: impl Into<Arc<str>>, config: CircuitBreakerConfig) -> CircuitBreaker {
        let name = name.into();
        let breaker = CircuitBreaker::build(Arc::clone(&name), config, Rng::new(), self.events.clone());
        let mut breakers = self.breakers.write().unwrap_or_else(PoisonError::into_inner);
        assert!(!breakers.contains_key(&name), "circuit breaker {name:?}: there is another of that name");
        breakers.insert(name, breaker.clone());
        breaker
    }

    /// A breaker that is not among the others yet, but tells of its steps with them.
    ///
    /// # Panics
    ///
    /// Panics if [`validate`](CircuitBreakerConfig::validate) finds fault with `config`.
    pub(crate) fn prepare(&self, name: &str, config: CircuitBreakerConfig) -> CircuitBreaker {
        CircuitBreaker::build(name.into(), config, Rng::new(), self.events.clone())
    }

    /// Takes some out, and puts others in, each in the place of one of its name.
    pub(crate) fn exchange<'a>(
        &self,
        gone: impl Iterator<Item = &'a str>,
        come: impl Iterator<Item = &'a CircuitBreaker>,
    ) {
        let mut breakers = self.breakers.write().unwrap_or_else(PoisonError::into_inner);
        gone.for_each(|name| drop(breakers.remove(name)));
        come.for_each(|breaker| drop(breakers.insert(Arc::clone(breaker.name()), breaker.clone())));
    }

    /// The breaker of that name.
    pub fn get(&self, name: &str) -> Option<CircuitBreaker> {
        self.breakers.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// All breakers, in the order of their names.
    pub fn breakers(&self) -> Vec<CircuitBreaker> {
        self.breakers.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// What all of them are like now, in the order of their names.
    pub fn snapshots(&self) -> Vec<Snapshot> {
        self.breakers().iter().map(CircuitBreaker::snapshot).collect()
    }

    /// Tells of each step of each breaker from now on.
    ///
    /// A receiver that is more than 64 events behind misses the oldest.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}

impl Collector for CircuitBreakerRegistry {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let seen: Vec<_> = self.breakers().iter().map(CircuitBreaker::observe).collect();
        if seen.is_empty() {
            return Ok(());
        }

        let help = "Whether a circuit breaker is in a state";
        let mut states = encoder.encode_descriptor("mcp_breaker_state", help, None, MetricType::Gauge)?;
        for Observed { snapshot: breaker, .. } in &seen {
            for state in State::ALL {
                let labels = [("upstream", &*breaker.name), ("state", state.name())];
                gauge(&mut states, &labels, breaker.state == state)?;
            }
        }

        let help = "Whether a circuit breaker is in a mode";
        let mut modes = encoder.encode_descriptor("mcp_breaker_mode", help, None, MetricType::Gauge)?;
        for Observed { snapshot: breaker, .. } in &seen {
            for mode in Mode::ALL {
                let labels = [("upstream", &*breaker.name), ("mode", mode.name())];
                gauge(&mut modes, &labels, breaker.mode == mode)?;
            }
        }

        let help = "Steps of a circuit breaker to a state";
        let mut steps =
            encoder.encode_descriptor("mcp_breaker_transitions", help, None, MetricType::Counter)?;
        for Observed { snapshot: breaker, transitions, .. } in &seen {
            for (state, count) in State::ALL.iter().zip(*transitions) {
                counter(&mut steps, &[("upstream", &*breaker.name), ("to", state.name())], count)?;
            }
        }

        let help = "Calls that a circuit breaker refused";
        let mut refused =
            encoder.encode_descriptor("mcp_breaker_refused", help, None, MetricType::Counter)?;
        for Observed { snapshot: breaker, counts, .. } in &seen {
            counter(&mut refused, &[("upstream", &*breaker.name)], counts.refused)?;
        }

        let help = "Calls that a circuit breaker let through, by what came of them";
        let mut calls = encoder.encode_descriptor("mcp_breaker_calls", help, None, MetricType::Counter)?;
        for Observed { snapshot: breaker, counts, .. } in &seen {
            let Counts { succeeded, failed, ignored, .. } = *counts;
            for (outcome, count) in [("success", succeeded), ("failure", failed), ("ignored", ignored)] {
                counter(&mut calls, &[("upstream", &*breaker.name), ("outcome", outcome)], count)?;
            }
        }
        Ok(())
    }
}

fn gauge(encoder: &mut MetricEncoder<'_>, labels: &impl EncodeLabelSet, value: bool) -> fmt::Result {
    encoder.encode_family(labels)?.encode_gauge(&i64::from(value))
}

fn counter(encoder: &mut MetricEncoder<'_>, labels: &impl EncodeLabelSet, count: u64) -> fmt::Result {
    encoder.encode_family(labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)
}
