//! The arithmetic of allowances: governor's, asked for what it would do.
//!
//! governor's limiters decide and take in one step, which is a step too few where several policies must allow a
//! call: what one of them took would be lost if another refuses. But governor leaves open where it keeps its state
//! and how it tells the time. So it gets the state of one bucket and one moment to look at, decides, and what it
//! would have stored is handed out, to be kept once all the others have agreed.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::ops::Add;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::direct::NotKeyed;
use governor::{InsufficientCapacity, Quota, RateLimiter};
use tokio::time::Instant;

/// So many at once, and one more after each time of refilling. What is left of it is told by one moment: when the
/// bucket would be full again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    quota: Quota,
    refill: Duration,
}

/// What a bucket says to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has enough, and will be full again at this time once that is taken.
    Now(Instant),
    /// It has enough in so much time.
    In(Duration),
    /// It never holds so much.
    Never,
}

impl Allowance {
    /// `refill` must not be zero.
    pub(super) fn new(burst: NonZeroU32, refill: Duration) -> Self {
        let refill = refill.max(Duration::from_nanos(1));
        let quota = Quota::with_period(refill).unwrap_or_else(|| Quota::per_second(burst));
        Self { quota: quota.allow_burst(burst), refill }
    }

    /// Whether `cost` could be taken at a time out of a bucket that will be full at `full_at`.
    pub(super) fn ask(&self, full_at: Instant, cost: NonZeroU32, at: Instant) -> Verdict {
        let debt = Debt { before: full_at.saturating_duration_since(at).into(), after: Cell::default() };
        // The limiter begins at the moment in question, and the debt is relative to it.
        let limiter = RateLimiter::<_, _, _, NoOpMiddleware<Moment>>::new(self.quota, &debt, Moment(at));
        match limiter.check_n(cost) {
            Ok(Ok(())) => Verdict::Now(at + Duration::from(debt.after.get())),
            Ok(Err(not_until)) => Verdict::In(not_until.wait_time_from(Moment(at))),
            Err(InsufficientCapacity(_)) => Verdict::Never,
        }
    }

    /// How much could be taken at a time out of a bucket that will be full at `full_at`.
    pub(super) fn left(&self, full_at: Instant, at: Instant) -> u32 {
        let debt = full_at.saturating_duration_since(at).as_nanos();
        let missing = u32::try_from(debt.div_ceil(self.refill.as_nanos())).unwrap_or(u32::MAX);
        self.burst().saturating_sub(missing)
    }

    /// How much a full bucket holds.
    pub(super) fn burst(&self) -> u32 {
        self.quota.burst_size().get()
    }
}

/// A moment, which is also a clock that has stopped at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(Instant);

impl Clock for Moment {
    type Instant = Self;

    fn now(&self) -> Self {
        *self
    }
}

impl Reference for Moment {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.checked_sub(duration.into()).unwrap_or(self.0))
    }
}

impl Add<Nanos> for Moment {
    type Output = Self;

    fn add(self, other: Nanos) -> Self {
        Self(self.0 + Duration::from(other))
    }
}

/// How long a bucket takes to fill, before and after what governor decided.
#[derive(Debug)]
struct Debt {
    before: Nanos,
    after: Cell<Nanos>,
}

impl StateStore for &Debt {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (decision, after) = decide(Some(self.before))?;
        self.after.set(after);
        Ok(decision)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use governor::clock::FakeRelativeClock;
    use proptest::prelude::*;

    use super::*;

    /// Counts tokens, one nanosecond's share of one at a time: slow and plain.
    struct Naive {
        burst: u128,
        refill: u128,
        /// In units of a token divided by `refill`.
        filled: u128,
    }

    impl Naive {
        fn advance(&mut self, by: Duration) {
            self.filled = (self.filled + by.as_nanos()).min(self.burst * self.refill);
        }

        fn take(&mut self, cost: u128) -> Result<(), Option<Duration>> {
            let needed = cost * self.refill;
            if cost > self.burst {
                return Err(None);
            }
            if self.filled < needed {
                return Err(Some(Duration::from_nanos((needed - self.filled) as u64)));
            }
            self.filled -= needed;
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn any_script_of_calls_gets_what_a_count_of_tokens_gives(
            burst in 1_u32..20,
            refill in 1_u64..5_000,
            script in prop::collection::vec((0_u64..20_000, 1_u32..25), 1..200),
        ) {
            let refill = Duration::from_nanos(refill);
            let allowance = Allowance::new(burst.try_into().unwrap(), refill);
            let full = u128::from(burst) * refill.as_nanos();
            let mut naive = Naive { burst: burst.into(), refill: refill.as_nanos(), filled: full };
            let mut now = Instant::now();
            let mut full_at = now;
            for (pause, cost) in script {
                now += Duration::from_nanos(pause);
                naive.advance(Duration::from_nanos(pause));
                prop_assert_eq!(u128::from(allowance.left(full_at, now)), naive.filled / naive.refill);
                let verdict = allowance.ask(full_at, cost.try_into().unwrap(), now);
                match naive.take(cost.into()) {
                    Ok(()) => {
                        let full_again = now + Duration::from_nanos((full - naive.filled) as u64);
                        prop_assert_eq!(verdict, Verdict::Now(full_again));
                        full_at = full_again;
                    }
                    Err(Some(wait)) => {
                        prop_assert_eq!(verdict, Verdict::In(wait));
                        let then = allowance.ask(full_at, cost.try_into().unwrap(), now + wait);
                        prop_assert!(matches!(then, Verdict::Now(_)), "{:?}", then);
                    }
                    Err(None) => prop_assert_eq!(verdict, Verdict::Never),
                }
            }
        }

        #[test]
        fn any_script_of_calls_gets_what_a_limiter_of_governor_s_own_gives(
            burst in 1_u32..20,
            refill in 1_u64..5_000,
            pauses in prop::collection::vec(0_u64..20_000, 1..200),
        ) {
            let (burst, refill) = (burst.try_into().unwrap(), Duration::from_nanos(refill));
            let allowance = Allowance::new(burst, refill);
            let clock = Arc::new(FakeRelativeClock::default());
            let quota = Quota::with_period(refill).unwrap().allow_burst(burst);
            let oracle = RateLimiter::direct_with_clock(quota, (*clock).clone());
            let mut now = Instant::now();
            let mut full_at = now;
            for pause in pauses {
                now += Duration::from_nanos(pause);
                clock.advance(Duration::from_nanos(pause));
                let verdict = allowance.ask(full_at, NonZeroU32::MIN, now);
                match oracle.check() {
                    Ok(()) => prop_assert!(matches!(verdict, Verdict::Now(_))),
                    Err(not_until) => {
                        let wait = not_until.wait_time_from(clock.now());
                        prop_assert_eq!(verdict, Verdict::In(wait));
                    }
                }
                if let Verdict::Now(then) = verdict {
                    full_at = then;
                }
            }
        }
    }
}
