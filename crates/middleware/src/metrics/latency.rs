//! How long calls of one tool take: since the start, and within the last minute.

use std::collections::VecDeque;
use std::time::Duration;

use hdrhistogram::{Counter, Histogram};

/// The last minute is told in steps of this length.
const SLICE: Duration = Duration::from_secs(10);

/// How many slices make the rolling minute.
const SLICES: usize = 6;

/// What is longer counts as this long in percentiles.
const LONGEST: Duration = Duration::from_secs(600);

/// Times of calls in microseconds, to two significant digits.
///
/// A call is recorded once, in the current slice; a slice that leaves the minute is added to what is past. Slices are
/// made when they are first needed, so a tool that nobody calls takes little memory, and one in use about 0.1 MB.
#[derive(Clone, Debug, Default)]
pub(super) struct Latency {
    total: Tally,
    past: Option<Histogram<u64>>,
    slices: VecDeque<Slice>,
    spare: Vec<Histogram<u32>>,
}

#[derive(Clone, Debug)]
struct Slice {
    number: u64,
    tally: Tally,
    times: Histogram<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    count: u64,
    errors: u64,
    sum: Duration,
    max: Duration,
}

/// What is told of a span of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    pub(super) count: u64,
    pub(super) errors: u64,
    pub(super) mean: Duration,
    pub(super) p50: Duration,
    pub(super) p90: Duration,
    pub(super) p95: Duration,
    pub(super) p99: Duration,
    pub(super) max: Duration,
}

impl Latency {
    /// Adds a call. `uptime` is the time since the start.
    pub(super) fn record(&mut self, uptime: Duration, took: Duration, is_error: bool) {
        let number = slice_number(uptime);
        if self.slices.back().is_none_or(|slice| slice.number < number) {
            self.begin_slice(number);
        }
        self.total.add(took, is_error);
        // A call that was timed just before another thread began a new slice belongs to that one as well.
        if let Some(slice) = self.slices.back_mut() {
            slice.tally.add(took, is_error);
            slice.times.saturating_record(micros(took));
        }
    }

    fn begin_slice(&mut self, number: u64) {
        while self.slices.len() >= SLICES || self.slices.front().is_some_and(|slice| is_over(slice, number)) {
            let Some(Slice { mut times, .. }) = self.slices.pop_front() else { break };
            merge(self.past.get_or_insert_with(histogram), &times);
            times.reset();
            self.spare.push(times);
        }
        let times = self.spare.pop().unwrap_or_else(histogram);
        self.slices.push_back(Slice { number, tally: Tally::default(), times });
    }

    /// Since the start.
    pub(super) fn total(&self) -> Summary {
        let mut times = self.past.clone().unwrap_or_else(histogram);
        self.slices.iter().for_each(|slice| merge(&mut times, &slice.times));
        self.total.summary(&times)
    }

    /// How many calls took how long since the start: the upper end of each class, and the calls in it.
    pub(super) fn classes(&self) -> Vec<(Duration, u64)> {
        let mut times = self.past.clone().unwrap_or_else(histogram);
        self.slices.iter().for_each(|slice| merge(&mut times, &slice.times));
        let steps = times.iter_log(1, 2.0);
        let classes = steps.map(|step| {
            let end = Duration::from_micros(step.value_iterated_to().saturating_add(1));
            (end, step.count_since_last_iteration())
        });
        classes.skip_while(|(_, count)| *count == 0).collect()
    }

    /// Within the last minute, the current slice of ten seconds included.
    pub(super) fn last_minute(&self, uptime: Duration) -> Summary {
        let number = slice_number(uptime);
        let (mut tally, mut times) = (Tally::default(), histogram());
        for slice in self.slices.iter().filter(|slice| !is_over(slice, number)) {
            tally.merge(&slice.tally);
            merge(&mut times, &slice.times);
        }
        tally.summary(&times)
    }
}

impl Tally {
    fn add(&mut self, took: Duration, is_error: bool) {
        self.count += 1;
        self.errors += u64::from(is_error);
        self.sum = self.sum.saturating_add(took);
        self.max = self.max.max(took);
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.errors += other.errors;
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }

    fn summary(&self, times: &Histogram<u64>) -> Summary {
        // A bucket tells its upper end, which may lie above what was measured.
        let at = |quantile| Duration::from_micros(times.value_at_quantile(quantile)).min(self.max);
        Summary {
            count: self.count,
            errors: self.errors,
            mean: mean(self.sum, self.count),
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            max: self.max,
        }
    }
}

fn mean(sum: Duration, count: u64) -> Duration {
    let nanos = sum.as_nanos().checked_div(count.into()).unwrap_or_default();
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn slice_number(uptime: Duration) -> u64 {
    uptime.as_secs() / SLICE.as_secs()
}

fn is_over(slice: &Slice, now: u64) -> bool {
    slice.number + SLICES as u64 <= now
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.min(LONGEST).as_micros()).unwrap_or(u64::MAX).max(1)
}

fn histogram<T: Counter>() -> Histogram<T> {
    let longest = u64::try_from(LONGEST.as_micros()).unwrap_or(u64::MAX);
    Histogram::new_with_bounds(1, longest, 2).expect("these bounds are allowed")
}

fn merge(into: &mut Histogram<u64>, from: &Histogram<u32>) {
    for value in from.iter_recorded() {
        into.saturating_record_n(value.value_iterated_to(), value.count_since_last_iteration());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    /// Within the two digits that are kept.
    fn near(measured: Duration, expected: Duration) -> bool {
        measured >= expected && measured <= expected.mul_f64(1.01)
    }

    #[test]
    fn percentiles_of_one_to_a_thousand_milliseconds() {
        let mut latency = Latency::default();
        for millis in 1..=1000 {
            latency.record(Duration::ZERO, millis * MILLI, millis > 990);
        }
        let all = latency.total();
        assert_eq!((all.count, all.errors), (1000, 10));
        assert_eq!(all.mean, Duration::from_micros(500_500));
        assert_eq!(all.max, 1000 * MILLI);
        for (measured, expected) in [(all.p50, 500), (all.p90, 900), (all.p95, 950), (all.p99, 990)] {
            assert!(near(measured, expected * MILLI), "{measured:?} instead of {expected} ms");
        }
    }

    #[test]
    fn one_call_is_every_percentile() {
        let mut latency = Latency::default();
        latency.record(Duration::ZERO, 1234 * MILLI, false);
        let all = latency.total();
        assert_eq!([all.p50, all.p99, all.max, all.mean], [1234 * MILLI; 4]);
        assert_eq!(latency.last_minute(Duration::ZERO).p50, 1234 * MILLI);
        assert_eq!(Latency::default().total().p99, Duration::ZERO);
    }

    #[test]
    fn percentiles_remember_what_has_left_the_minute() {
        let mut latency = Latency::default();
        for second in 0..200 {
            let took = if second < 100 { 50 * MILLI } else { 2 * MILLI };
            latency.record(Duration::from_secs(second), took, false);
        }
        assert!(near(latency.total().p90, 50 * MILLI), "{:?}", latency.total());
        assert!(near(latency.last_minute(Duration::from_secs(199)).p90, 2 * MILLI));
    }

    #[test]
    fn the_minute_rolls_and_the_total_keeps_all() {
        let mut latency = Latency::default();
        let at = Duration::from_secs;
        latency.record(at(5), 100 * MILLI, true);
        latency.record(at(15), 2 * MILLI, false);
        latency.record(at(59), 2 * MILLI, false);
        assert_eq!(latency.last_minute(at(59)).count, 3);
        // The first slice leaves the minute when it is over for everyone, also if nothing is recorded any more.
        let minute = latency.last_minute(at(60));
        assert_eq!((minute.count, minute.errors, minute.max), (2, 0, 2 * MILLI));
        assert_eq!(latency.last_minute(at(70)).count, 1);
        assert_eq!(latency.last_minute(at(1000)).count, 0);

        for second in (60..600).step_by(5) {
            latency.record(at(second), 3 * MILLI, false);
        }
        let all = latency.total();
        assert_eq!((all.count, all.errors, all.max), (111, 1, 100 * MILLI));
        assert!(near(all.p50, 3 * MILLI));
        // Of 111 calls the last two are past the 99th percentile, and only one of them took long.
        assert!(near(all.p99, 3 * MILLI));
        assert_eq!(latency.last_minute(at(599)).count, 12);
        assert!(latency.slices.len() + latency.spare.len() <= SLICES);
    }
}
