//! `database-server` at half of what it can answer, for as long as one likes.

mod calls;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use towline_scratch_postgres::Database;
use towline_soak::{Answer, Caller, DatabaseServer, Error, Sample, raise_descriptors};

use crate::args::Steady;
use crate::report;

/// How many connections the server's pool opens at most.
const POOL: usize = 8;
/// How many callers take turns.
const CALLERS: usize = 64;
/// How long one step of the ramp takes.
const STEP: Duration = Duration::from_secs(4);
/// How long to look on when nothing is asked any more.
const SETTLE: Duration = Duration::from_secs(5);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many complaints are shown.
const SHOWN: usize = 10;

/// What some time has brought.
#[derive(Clone, Copy)]
pub(crate) struct Interval {
    pub(crate) calls: u64,
    /// Calls in a second.
    pub(crate) rate: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// What all time has brought so far.
pub(crate) struct Held {
    pub(crate) interval: Interval,
    /// Answers that were lost or wrong.
    pub(crate) wrong: u64,
}

pub(crate) async fn run(steady: &Steady) -> Result<(), Error> {
    raise_descriptors()?;
    let database = tokio::task::block_in_place(Database::with_shop)?;
    let mut server = DatabaseServer::start(&steady.server, &database.url(), "").await?;
    report::begin_ramp(steady);
    let (saturation, mut wrong) = ramp(server.address()).await?;
    sleep(SETTLE).await;
    let before = server.sample()?;

    report::begin_held(saturation / 2.0);
    let tally = Tally::new()?;
    let samples = hold(&server, saturation / 2.0, steady.duration, &tally).await?;
    sleep(SETTLE).await;
    let after = server.sample()?;
    report::slope(slope(&samples), &before, &after);

    // A pool keeps the connections that it has opened.
    wrong.extend(after.more_than(&Sample { descriptors: before.descriptors + POOL, ..before }));
    wrong.extend(tally.complaints());
    server.process().terminate()?;
    let status = server.process().ended().await?;
    if !status.success() {
        wrong.push(format!("the server ended with {status}"));
    }
    report::end(&wrong)
}

/// Adds callers for as long as that brings more answers, and returns the most answers in a second.
async fn ramp(address: SocketAddr) -> Result<(f64, Vec<String>), Error> {
    let (mut best, mut wrong) = (0.0_f64, Vec::new());
    for callers in (0..).map(|power| 1 << power).take_while(|callers| *callers <= CALLERS) {
        let tally = Tally::new()?;
        let end = Instant::now() + STEP;
        let mut tasks = JoinSet::new();
        for _ in 0..callers {
            let tally = tally.clone();
            tasks.spawn(async move {
                let mut caller = Caller::new(address, PATIENCE);
                while Instant::now() < end {
                    tally.call(&mut caller, Instant::now()).await;
                }
            });
        }
        while tasks.join_next().await.transpose()?.is_some() {}
        let interval = tally.interval(STEP);
        report::ramp_row(callers, &interval);
        wrong.extend(tally.complaints());
        let is_more = interval.rate > best * 1.05;
        best = best.max(interval.rate);
        if !is_more {
            break;
        }
    }
    Ok((best, wrong))
}

/// Calls so often in a second, however long the answers take, and notes what the server has meanwhile.
async fn hold(
    server: &DatabaseServer,
    rate: f64,
    duration: Duration,
    tally: &Tally,
) -> Result<Vec<(Duration, Sample)>, Error> {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..CALLERS {
        let (tally, address) = (tally.clone(), server.address());
        tasks.spawn(async move {
            let mut caller = Caller::new(address, PATIENCE);
            for turn in (number..).step_by(CALLERS) {
                let due = Duration::from_secs_f64(turn as f64 / rate);
                if due >= duration {
                    return;
                }
                // Times count from when the call was due: one that waits for an earlier one is late too.
                sleep_until(begun + due).await;
                tally.call(&mut caller, begun + due).await;
            }
        });
    }
    let mut samples = Vec::new();
    let mut each = interval((duration / 600).clamp(Duration::from_millis(250), Duration::from_secs(3)));
    each.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let pause = (duration / 10).clamp(Duration::from_secs(5), Duration::from_secs(60));
    let mut next = pause;
    while begun.elapsed() < duration {
        each.tick().await;
        let sample = server.sample()?;
        samples.push((begun.elapsed(), sample));
        if begun.elapsed() >= next {
            report::held_row(&format!("{} s", next.as_secs()), &tally.held(begun.elapsed()), &sample);
            next += pause;
        }
    }
    while tasks.join_next().await.transpose()?.is_some() {}
    report::held_row("in the end", &tally.held(begun.elapsed()), &server.sample()?);
    Ok(samples)
}

/// By how many KiB a minute memory grew, by least squares, after the first quarter, in which the server makes what it
/// keeps.
fn slope(samples: &[(Duration, Sample)]) -> f64 {
    let samples = &samples[samples.len() / 4..];
    let points: Vec<(f64, f64)> =
        samples.iter().map(|(at, sample)| (at.as_secs_f64() / 60.0, sample.memory_kib as f64)).collect();
    let count = points.len() as f64;
    let (x_mean, y_mean) = (
        points.iter().map(|(x, _)| x).sum::<f64>() / count,
        points.iter().map(|(_, y)| y).sum::<f64>() / count,
    );
    let covariance: f64 = points.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
    covariance / variance
}

/// Counts and times of calls.
#[derive(Clone)]
struct Tally(Arc<Mutex<Counts>>);

struct Counts {
    /// In microseconds.
    times: Histogram<u64>,
    wrong: u64,
    complaints: Vec<String>,
}

impl Tally {
    fn new() -> Result<Self, Error> {
        let longest = u64::try_from(PATIENCE.as_micros() * 2)?;
        let times = Histogram::new_with_bounds(1, longest, 3)?;
        Ok(Self(Arc::new(Mutex::new(Counts { times, wrong: 0, complaints: Vec::new() }))))
    }

    /// Makes a call that was due at that time.
    async fn call(&self, caller: &mut Caller, due: Instant) {
        let kind = calls::any();
        let arguments = (kind.arguments)();
        let outcome = caller.call(kind.tool, &arguments).await;
        let took = due.elapsed();
        let mut counts = self.counts();
        counts.times.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        let complaint = match outcome {
            Ok(answer) if (kind.is_right)(&answer) => return,
            Ok(Answer { status, message, .. }) => format!("{} {arguments}: {status} {message}", kind.tool),
            Err(error) => format!("{} {arguments}: {error}", kind.tool),
        };
        counts.wrong += 1;
        if counts.complaints.len() < SHOWN {
            counts.complaints.push(complaint);
        }
    }

    fn interval(&self, duration: Duration) -> Interval {
        let counts = self.counts();
        let millis = |quantile| counts.times.value_at_quantile(quantile) as f64 / 1000.0;
        let calls = counts.times.len();
        let rate = calls as f64 / duration.as_secs_f64();
        Interval { calls, rate, p50_ms: millis(0.5), p99_ms: millis(0.99) }
    }

    fn held(&self, duration: Duration) -> Held {
        Held { interval: self.interval(duration), wrong: self.counts().wrong }
    }

    /// What was wrong, if anything was.
    fn complaints(&self) -> Vec<String> {
        let counts = self.counts();
        let total = (counts.wrong > 0).then(|| format!("{} answers were lost or wrong", counts.wrong));
        total.into_iter().chain(counts.complaints.iter().cloned()).collect()
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
