//! How many retries are left.

use std::sync::atomic::{AtomicU64, Ordering};

/// One retry, in the units in which the budget counts.
const RETRY: u64 = 1000;

/// Each call puts a share of a retry into it, each retry takes a whole one out, and no more than a reserve is saved.
#[derive(Debug)]
pub(super) struct Budget {
    saved: AtomicU64,
    deposit: u64,
    most: u64,
}

impl Budget {
    /// A full one. `ratio` is a share, so its thousandths fit.
    pub(super) fn new(ratio: f64, reserve: u32) -> Self {
        let most = u64::from(reserve) * RETRY;
        Self { saved: AtomicU64::new(most), deposit: (ratio * RETRY as f64).round() as u64, most }
    }

    pub(super) fn deposit(&self) {
        let add = |saved: u64| (saved < self.most).then(|| (saved + self.deposit).min(self.most));
        // Full is the usual state, and then nothing is written.
        let _ = self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    pub(super) fn withdraw(&self) -> bool {
        let take = |saved: u64| saved.checked_sub(RETRY);
        self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}
