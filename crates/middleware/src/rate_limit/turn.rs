//! A turn that is yet to come.

use std::sync::Arc;

use tokio::time::Instant;

use super::key::Key;
use super::limiter::Limits;

/// What a waiting call has taken. Dropped before the call began, it gives back what can be given back.
///
/// A turn is a place in a row. The last in the row can be given back without a trace. One with others behind it
/// cannot: they have been told their times, and whoever came next would run at the same time as the last of them.
pub(super) struct Turn {
    limits: Arc<Limits>,
    taken: Vec<Taken>,
}

/// What was taken from one bucket.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) policy: usize,
    pub(super) key: Key,
    pub(super) before: Instant,
    pub(super) after: Instant,
}

impl Turn {
    pub(super) fn new(limits: Arc<Limits>, taken: Vec<Taken>) -> Self {
        Self { limits, taken }
    }

    /// The call begins.
    pub(super) fn begin(&mut self) {
        self.taken.clear();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        for Taken { policy, key, before, after } in self.taken.drain(..) {
            let mut bucket = self.limits.policies[policy].buckets.lock(|| key, Instant::now());
            if bucket.full_at() == after {
                bucket.set(before);
            }
        }
    }
}
