//! How many requests run at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A count with a bound. A clone is a handle to the same.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    running: Arc<AtomicUsize>,
    max: usize,
}

/// A request that counts until this is dropped.
#[derive(Debug)]
pub(super) struct InFlight(Arc<AtomicUsize>);

impl Bound {
    pub(super) fn new(max: usize) -> Self {
        Self { running: Arc::default(), max }
    }

    /// Whether any request runs.
    pub(super) fn is_busy(&self) -> bool {
        self.running.load(Ordering::Relaxed) > 0
    }

    /// Counts a request, unless there are as many as may be.
    pub(super) fn enter(&self) -> Option<InFlight> {
        let guard = InFlight(Arc::clone(&self.running));
        let before = self.running.fetch_add(1, Ordering::Relaxed);
        (before < self.max).then_some(guard)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
