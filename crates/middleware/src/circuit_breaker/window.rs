//! The calls that count.

use std::time::Duration;

use tokio::time::Instant;

use super::config::CircuitBreakerConfig;

/// In how many slices a window of time is kept: a call is forgotten at most a tenth of the window too early.
const SLICES: usize = 10;

const DEFAULT: Duration = Duration::from_secs(30);

/// How many calls there were, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) calls: u32,
    pub(super) failed: u32,
    pub(super) slow: u32,
}

impl Tally {
    fn add(&mut self, failed: bool, slow: bool) {
        self.calls = self.calls.saturating_add(1);
        self.failed = self.failed.saturating_add(failed.into());
        self.slow = self.slow.saturating_add(slow.into());
    }

    fn subtract(&mut self, other: Self) {
        self.calls = self.calls.saturating_sub(other.calls);
        self.failed = self.failed.saturating_sub(other.failed);
        self.slow = self.slow.saturating_sub(other.slow);
    }

    pub(super) fn failure_rate(self) -> f64 {
        f64::from(self.failed) / f64::from(self.calls.max(1))
    }

    pub(super) fn slow_call_rate(self) -> f64 {
        f64::from(self.slow) / f64::from(self.calls.max(1))
    }
}

/// The calls that count: of the last while, or the last so many. Adding one costs the same however many there
/// are.
#[derive(Debug)]
pub(super) enum Window {
    Time(Slices),
    Calls(Ring),
}

impl Window {
    pub(super) fn new(config: &CircuitBreakerConfig, now: Instant) -> Self {
        match config.window_calls {
            Some(calls) => Self::Calls(Ring::new(calls as usize)),
            None => Self::Time(Slices::new(config.window.unwrap_or(DEFAULT), now)),
        }
    }

    pub(super) fn add(&mut self, failed: bool, slow: bool, now: Instant) {
        match self {
            Self::Time(slices) => slices.add(failed, slow, now),
            Self::Calls(ring) => ring.add(failed, slow),
        }
    }

    /// What counts now.
    pub(super) fn tally(&mut self, now: Instant) -> Tally {
        if let Self::Time(slices) = self {
            slices.roll(now);
        }
        self.last_tally()
    }

    /// What counted when a call was last added or asked for.
    pub(super) fn last_tally(&self) -> Tally {
        match self {
            Self::Time(slices) => slices.total,
            Self::Calls(ring) => ring.total,
        }
    }

    pub(super) fn clear(&mut self, now: Instant) {
        match self {
            Self::Time(slices) => slices.clear(now),
            Self::Calls(ring) => ring.clear(),
        }
    }
}

/// Tallies of ten slices of time, the last of them the present one.
#[derive(Debug)]
pub(super) struct Slices {
    slice: Duration,
    tallies: [Tally; SLICES],
    total: Tally,
    present: usize,
    /// When the present slice began.
    started: Instant,
}

impl Slices {
    fn new(window: Duration, now: Instant) -> Self {
        let slice = window / SLICES as u32;
        Self { slice, tallies: [Tally::default(); SLICES], total: Tally::default(), present: 0, started: now }
    }

    fn add(&mut self, failed: bool, slow: bool, now: Instant) {
        self.roll(now);
        self.tallies[self.present].add(failed, slow);
        self.total.add(failed, slow);
    }

    /// Begins as many slices as are due.
    fn roll(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.started);
        if elapsed < self.slice {
            return;
        }
        let passed = elapsed.as_nanos() / self.slice.as_nanos();
        let into_present = elapsed.as_nanos() % self.slice.as_nanos();
        // A rest of less than a slice fits.
        self.started = now - Duration::from_nanos(into_present as u64);
        for _ in 0..passed.min(SLICES as u128) {
            self.present = (self.present + 1) % SLICES;
            self.total.subtract(std::mem::take(&mut self.tallies[self.present]));
        }
    }

    fn clear(&mut self, now: Instant) {
        self.tallies = [Tally::default(); SLICES];
        self.total = Tally::default();
        self.started = now;
    }
}

/// The last calls, one byte each.
#[derive(Debug)]
pub(super) struct Ring {
    calls: Box<[Option<(bool, bool)>]>,
    oldest: usize,
    total: Tally,
}

impl Ring {
    fn new(len: usize) -> Self {
        Self { calls: vec![None; len].into(), oldest: 0, total: Tally::default() }
    }

    fn add(&mut self, failed: bool, slow: bool) {
        if let Some((failed, slow)) = self.calls[self.oldest].replace((failed, slow)) {
            self.total.subtract(Tally { calls: 1, failed: failed.into(), slow: slow.into() });
        }
        self.oldest = (self.oldest + 1) % self.calls.len();
        self.total.add(failed, slow);
    }

    fn clear(&mut self) {
        self.calls.fill(None);
        self.oldest = 0;
        self.total = Tally::default();
    }
}
