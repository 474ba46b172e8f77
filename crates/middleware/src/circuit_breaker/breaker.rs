//! A breaker that callers share, on the clock.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use serde::{Serialize, Serializer};
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::config::{CircuitBreakerConfig, Mode};
use super::machine::Machine;
use super::permit::{Permit, Rejected};
use super::state::{Reason, State, Step};

/// How many events a receiver may be behind before it misses the oldest.
pub(super) const EVENTS: usize = 64;

/// Refuses calls of what keeps failing, until it is well. A clone is a handle to the same breaker.
///
/// ```
/// use towline_middleware::circuit_breaker::State;
/// use towline_middleware::{CircuitBreaker, CircuitBreakerConfig, Outcome};
///
/// let breaker = CircuitBreaker::new("shop", CircuitBreakerConfig::default());
/// for _ in 0..10 {
///     let permit = breaker.try_acquire().unwrap();
///     permit.record(Outcome::Failure);
/// }
/// assert_eq!(breaker.state(), State::Open);
/// assert!(breaker.try_acquire().unwrap_err().retry_after.is_some());
/// ```
#[derive(Clone)]
pub struct CircuitBreaker(Arc<Shared>);

struct Shared {
    /// Empty if it has none.
    name: Arc<str>,
    events: broadcast::Sender<Event>,
    guarded: Mutex<Guarded>,
}

pub(super) struct Guarded {
    pub(super) machine: Machine,
    pub(super) counts: Counts,
}

/// What has become of calls since the breaker was made.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) ignored: u64,
    pub(super) refused: u64,
}

/// All that is to be seen of a breaker at one moment.
pub(super) struct Observed {
    pub(super) snapshot: Snapshot,
    pub(super) counts: Counts,
    /// By the state that it went to, as in [`State::ALL`].
    pub(super) transitions: [u64; 3],
}

/// A breaker went from one state to another.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// The breaker's name.
    pub breaker: Arc<str>,
    /// The state before.
    pub from: State,
    /// The state since.
    pub to: State,
    /// Why.
    pub reason: Reason,
    /// For how long, if it opened on its own.
    pub open_for: Option<Duration>,
}

/// What a breaker is like at one moment, for people to look at.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Snapshot {
    /// Its name.
    #[serde(serialize_with = "as_str")]
    pub name: Arc<str>,
    /// What it does with calls; as the mode says, if that forces it.
    pub state: State,
    /// Whether it works on its own.
    pub mode: Mode,
    /// How many calls there are in the window. This and the rates are of the time when it opened, while it is
    /// not closed.
    pub calls: u32,
    /// What share of them has failed, 0 to 1.
    pub failure_rate: f64,
    /// What share of them was slow, 0 to 1.
    pub slow_call_rate: f64,
    /// How long a call that is refused now should wait, if that is known.
    #[serde(rename = "retryAfterMs", serialize_with = "as_millis")]
    pub retry_after: Option<Duration>,
    /// How many calls it has refused.
    pub refused: u64,
    /// How often it has gone from one state to another.
    pub transitions: u64,
}

impl CircuitBreaker {
    /// A closed breaker. Clients and logs read the name: of the thing guarded, such as `shop`, without its
    /// address.
    ///
    /// # Panics
    ///
    /// Panics if [`validate`](CircuitBreakerConfig::validate) finds fault with `config`.
    pub fn new(name: impl Into<Arc<str>>, config: CircuitBreakerConfig) -> Self {
        Self::build(name.into(), config, Rng::new(), broadcast::Sender::new(EVENTS))
    }

    /// The same, with jitter that is the same each time, for tests.
    ///
    /// # Panics
    ///
    /// Panics if [`validate`](CircuitBreakerConfig::validate) finds fault with `config`.
    pub fn with_seed(name: impl Into<Arc<str>>, config: CircuitBreakerConfig, seed: u64) -> Self {
        Self::build(name.into(), config, Rng::with_seed(seed), broadcast::Sender::new(EVENTS))
    }

    pub(super) fn build(
        name: Arc<str>,
        config: CircuitBreakerConfig,
        rng: Rng,
        events: broadcast::Sender<Event>,
    ) -> Self {
        if let Err(error) = config.validate() {
            panic!("circuit breaker {name:?}: {error}");
        }
        let machine = Machine::new(config, rng, Instant::now());
        let guarded = Mutex::new(Guarded { machine, counts: Counts::default() });
        Self(Arc::new(Shared { name, events, guarded }))
    }

    /// What it guards.
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// What it does with calls now.
    pub fn state(&self) -> State {
        self.with(|guarded, now| {
            guarded.machine.settle(now);
            guarded.machine.state()
        })
    }

    /// Whether it works on its own.
    pub fn mode(&self) -> Mode {
        self.with(|guarded, _| guarded.machine.mode())
    }

    /// Overrides it, or lets it work on its own again.
    ///
    /// After a forced mode it begins anew, closed. Between `Auto` and `MetricsOnly` it keeps its state.
    pub fn set_mode(&self, mode: Mode) {
        tracing::info!(breaker = &*self.0.name, mode = mode.name(), "circuit breaker's mode set");
        self.with(|guarded, now| guarded.machine.set_mode(mode, now));
    }

    /// Closes it and forgets all that it has seen, but not what it has counted. The mode stays.
    pub fn reset(&self) {
        self.with(|guarded, now| guarded.machine.reset(now));
    }

    /// Tells of each step from state to state from now on.
    ///
    /// A receiver that is more than 64 events behind misses the oldest.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }

    /// Lets a call through, or does not.
    ///
    /// # Errors
    ///
    /// [`Rejected`] when it is open, and when it is half-open and as many calls as it wants are on their way.
    pub fn try_acquire(&self) -> Result<Permit, Rejected> {
        let admitted = self.with(|guarded, now| {
            let machine = &mut guarded.machine;
            if let Some(admission) = machine.admit(now) {
                return Ok((admission, now));
            }
            guarded.counts.refused += 1;
            Err((machine.state(), machine.mode(), machine.retry_after(now)))
        });
        match admitted {
            Ok((admission, since)) => Ok(Permit::new(self.clone(), admission, since)),
            Err((state, mode, retry_after)) => {
                let name = Arc::clone(&self.0.name);
                tracing::debug!(breaker = &*name, state = state.name(), ?retry_after, "call refused");
                Err(Rejected { breaker: name, state, mode, retry_after })
            }
        }
    }

    /// What it is like now.
    pub fn snapshot(&self) -> Snapshot {
        self.observe().snapshot
    }

    pub(super) fn observe(&self) -> Observed {
        self.with(|Guarded { machine, counts }, now| {
            machine.settle(now);
            let (tally, transitions) = (machine.tally(now), machine.transitions());
            let snapshot = Snapshot {
                name: Arc::clone(&self.0.name),
                state: machine.state(),
                mode: machine.mode(),
                calls: tally.calls,
                failure_rate: tally.failure_rate(),
                slow_call_rate: tally.slow_call_rate(),
                retry_after: machine.retry_after(now),
                refused: counts.refused,
                transitions: transitions.iter().sum(),
            };
            Observed { snapshot, counts: *counts, transitions }
        })
    }

    /// Does something under the lock, which is held for a moment, and tells what has changed.
    pub(super) fn with<T>(&self, run: impl FnOnce(&mut Guarded, Instant) -> T) -> T {
        let now = Instant::now();
        let mut guarded = self.0.guarded.lock().unwrap_or_else(PoisonError::into_inner);
        let value = run(&mut guarded, now);
        let steps = guarded.machine.take_steps();
        for step in &steps {
            // Under the lock, so that they come in order; that nobody listens is no matter.
            let _ = self.0.events.send(self.event(*step));
        }
        drop(guarded);
        // A subscriber of logs may be slow, or ask the breaker.
        for step in steps {
            self.log(step);
        }
        value
    }

    fn event(&self, Step { from, to, reason, open_for }: Step) -> Event {
        Event { breaker: Arc::clone(&self.0.name), from, to, reason, open_for }
    }

    fn log(&self, Step { from, to, reason, open_for }: Step) {
        let (breaker, from, reason) = (&*self.0.name, from.name(), reason.name());
        match to {
            State::Open => tracing::warn!(breaker, from, reason, ?open_for, "circuit breaker open"),
            State::HalfOpen => tracing::info!(breaker, from, reason, "circuit breaker half-open"),
            State::Closed => tracing::info!(breaker, from, reason, "circuit breaker closed"),
        }
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CircuitBreaker").field(&self.0.name).finish()
    }
}

fn as_str<S: Serializer>(name: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name)
}

fn as_millis<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_millis() as u64).serialize(serializer)
}
