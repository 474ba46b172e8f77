//! What of a stack has a state, by its place in the settings: it outlives other settings that leave it as it is.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::bulkhead::{Bulkhead, BulkheadConfig, Bulkheads};
use crate::cache::CachePolicy;
use crate::circuit_breaker::{CircuitBreaker, CircuitBreakerConfig};
use crate::rate_limit::{RateLimitConfig, RateLimiter, RateLimiters};

/// Parts that have a state, each with the settings that it was made of. A clone is a handle to the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts(Arc<Mutex<Kept>>);

#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    pub(super) bulkheads: Made<BulkheadConfig, Bulkhead>,
    pub(super) limiters: Made<RateLimitConfig, RateLimiter>,
    pub(super) breakers: Made<CircuitBreakerConfig, CircuitBreaker>,
    /// By the tool, the number under which its answers are kept.
    pub(super) caches: Made<CachePolicy, u64>,
}

/// By name: the settings, and what was made of them.
pub(super) type Made<C, T> = BTreeMap<String, (C, T)>;

impl Parts {
    pub(super) fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The part of that name, if it was made of the same settings.
pub(super) fn same<C: PartialEq, T: Clone>(made: &Made<C, T>, name: &str, config: &C) -> Option<T> {
    made.get(name).filter(|(of, _)| of == config).map(|(_, part)| part.clone())
}

/// Parts of one kind as a registry reads them: together, since a metric has one description.
pub(super) struct Told<All>(Parts, PhantomData<fn() -> All>);

impl<All> Told<All> {
    pub(super) fn new(parts: &Parts) -> Self {
        Self(parts.clone(), PhantomData)
    }
}

impl Collector for Told<Bulkheads> {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let all = self.0.lock().bulkheads.values().map(|(_, part)| part).collect::<Bulkheads>();
        all.encode(encoder)
    }
}

impl Collector for Told<RateLimiters> {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let all = self.0.lock().limiters.values().map(|(_, part)| part).collect::<RateLimiters>();
        all.encode(encoder)
    }
}

impl<All> fmt::Debug for Told<All> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Told")
    }
}
