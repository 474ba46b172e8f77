//! What a caller gets from a breaker.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use towline_core::{Error, ErrorKind};

use super::breaker::CircuitBreaker;
use super::config::Mode;
use super::machine::{Admission, Role};
use super::state::State;
use crate::classify::Outcome;

/// A call that was let through. What came of it is [recorded](Self::record); if it is dropped instead, as
/// when a client goes away, it says nothing, and another may go in its place.
#[derive(Debug)]
#[must_use = "a permit that is dropped records nothing"]
pub struct Permit {
    breaker: CircuitBreaker,
    admission: Admission,
    since: Instant,
    is_spent: bool,
}

impl Permit {
    pub(super) fn new(breaker: CircuitBreaker, admission: Admission, since: Instant) -> Self {
        Self { breaker, admission, since, is_spent: false }
    }

    /// Says what came of the call. It took from when the permit was given until now.
    pub fn record(mut self, outcome: Outcome) {
        self.is_spent = true;
        self.breaker.with(|guarded, now| {
            let count = match outcome {
                Outcome::Success => &mut guarded.counts.succeeded,
                Outcome::Failure => &mut guarded.counts.failed,
                Outcome::Ignored => &mut guarded.counts.ignored,
            };
            *count += 1;
            let took = now.saturating_duration_since(self.since);
            guarded.machine.record(self.admission, outcome, took, now);
        });
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.is_spent && self.admission.role == Role::Probe {
            self.breaker.with(|guarded, now| guarded.machine.release(self.admission, now));
        }
    }
}

/// A call that was not let through.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.message())]
#[non_exhaustive]
pub struct Rejected {
    /// The breaker's name.
    pub breaker: Arc<str>,
    /// Its state.
    pub state: State,
    /// Its mode.
    pub mode: Mode,
    /// How long to wait before calling again, if that is known.
    pub retry_after: Option<Duration>,
}

impl Rejected {
    fn message(&self) -> String {
        let name = match &*self.breaker {
            "" => "The service".to_owned(),
            name => format!("`{name}`"),
        };
        match self.mode {
            Mode::ForcedOpen => format!("{name} is switched off for now; do not retry."),
            _ => format!("{name} is temporarily unavailable; do not retry sooner."),
        }
    }
}

impl From<Rejected> for Error {
    fn from(rejected: Rejected) -> Self {
        let error = Self::new(ErrorKind::CircuitOpen, rejected.message());
        match rejected.retry_after {
            Some(retry_after) => error.with_retry_after(retry_after),
            None => error,
        }
    }
}
