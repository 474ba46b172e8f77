//! Loads that are under way, and who waits for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot::{Receiver, Sender, channel};
use towline_core::{AnswerKind, Error, ErrorKind, Failure, ToolResult};

use super::key::Key;
use super::policy::CachePolicy;
use super::store::Entry;

/// What is loaded: what was forgotten since is another matter.
pub(super) type Id = (Key, u64);

/// The loads of one service.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Id, Vec<Sender<Told>>>>);

/// What those who wait are told.
#[derive(Clone)]
pub(super) enum Told {
    /// The answer.
    Answer(ToolResult),
    /// There is none.
    Failed(Failed),
    /// What came concerns only the caller for whom it was loaded: call for yourself.
    Own,
}

/// What can be told of a failure to those who only waited.
#[derive(Clone)]
pub(super) struct Failed {
    kind: ErrorKind,
    message: Arc<str>,
    retry_after: Option<Duration>,
}

/// How a call takes part in a load.
pub(super) enum Joined {
    /// It begins one.
    First(Load),
    /// It waits for one.
    Waiting(Receiver<Told>),
    /// The answer has come just now.
    Arrived(Arc<Entry>),
    /// Too many wait already.
    Crowded,
    /// Too many loads are under way.
    Busy,
}

/// A load that is under way. Its end is that it is dropped: if there is nothing to tell then, as after a panic, those
/// who wait get an error.
pub(super) struct Load {
    flights: Arc<Flights>,
    id: Id,
    told: Option<Told>,
}

/// Why there is no answer: the load panicked, or the runtime went down.
#[derive(Debug, thiserror::Error)]
#[error("the call for the answer ended without one")]
pub(super) struct Lost;

/// Why there is no answer for those who only waited.
#[derive(Debug, thiserror::Error)]
#[error("the call of another caller failed; what went wrong inside stands in its own report")]
struct Elsewhere;

impl Flights {
    /// Waits for the load of `id`, or begins one unless its answer has `arrived` meanwhile.
    pub(super) fn join(
        self: &Arc<Self>,
        id: Id,
        policy: &CachePolicy,
        arrived: impl FnOnce() -> Option<Arc<Entry>>,
    ) -> Joined {
        let mut loads = self.lock();
        if let Some(waiting) = loads.get_mut(&id) {
            if waiting.len() >= policy.max_waiting {
                waiting.retain(|sender| !sender.is_closed());
            }
            if waiting.len() >= policy.max_waiting {
                return Joined::Crowded;
            }
            let (sender, receiver) = channel();
            waiting.push(sender);
            return Joined::Waiting(receiver);
        }
        // The answer is kept before its load ends: whoever finds neither may begin.
        if let Some(entry) = arrived() {
            return Joined::Arrived(entry);
        }
        if loads.len() >= policy.max_loads {
            return Joined::Busy;
        }
        loads.insert(id.clone(), Vec::new());
        Joined::First(Load { flights: Arc::clone(self), id, told: None })
    }

    /// Begins a load of `id` unless there is one, or there are too many.
    pub(super) fn begin(self: &Arc<Self>, id: Id, policy: &CachePolicy) -> Option<Load> {
        let mut loads = self.lock();
        if loads.contains_key(&id) || loads.len() >= policy.max_loads {
            return None;
        }
        loads.insert(id.clone(), Vec::new());
        Some(Load { flights: Arc::clone(self), id, told: None })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Vec<Sender<Told>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Load {
    pub(super) fn id(&self) -> &Id {
        &self.id
    }

    /// Ends the load, and tells those who wait.
    pub(super) fn done(mut self, told: Told) {
        self.told = Some(told);
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Once it is out of the map there may be another load of the same id.
        let waiting = self.flights.lock().remove(&self.id).unwrap_or_default();
        let Some(told) = &self.told else { return };
        for sender in waiting {
            // Who is gone need not know.
            let _ = sender.send(told.clone());
        }
    }
}

impl Told {
    /// Of an answer. A request for input is between the service and one caller, and so is what is true for a moment.
    pub(super) fn of(result: &ToolResult) -> Self {
        match result.kind() {
            AnswerKind::Complete | AnswerKind::ToolError if !result.is_volatile() => {
                Self::Answer(result.clone())
            }
            _ => Self::Own,
        }
    }

    /// Of a failure. What was refused to one caller need not be refused to another.
    pub(super) fn of_error(error: &impl Failure) -> Self {
        use ErrorKind::{Cancelled, Forbidden, MissingCapability, RateLimited, Unauthenticated};
        match error.kind() {
            Cancelled | Forbidden | MissingCapability | RateLimited | Unauthenticated => Self::Own,
            kind => Self::Failed(Failed {
                kind,
                message: error.message().into(),
                retry_after: error.retry_after(),
            }),
        }
    }
}

impl Failed {
    pub(super) fn into_error(self) -> Error {
        let error = Error::new(self.kind, self.message.to_string()).with_source(Elsewhere);
        match self.retry_after {
            Some(retry_after) => error.with_retry_after(retry_after),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> Id {
        (Key::from(*b"key"), 0)
    }

    fn entry() -> Arc<Entry> {
        Arc::new(Entry {
            result: ToolResult::text("there"),
            stored_at: tokio::time::Instant::now(),
            fresh_for: Duration::from_secs(1),
            keep: Duration::from_secs(1),
            generation: 0,
            bytes: 0,
        })
    }

    #[test]
    fn an_answer_that_came_meanwhile_is_not_loaded_again() {
        let (flights, policy) = (Arc::new(Flights::default()), CachePolicy::new(Duration::from_secs(1)));
        let Joined::First(load) = flights.join(id(), &policy, || None) else { panic!("it begins a load") };
        // While there is a load, what is kept is older.
        assert!(matches!(flights.join(id(), &policy, || Some(entry())), Joined::Waiting(_)));
        load.done(Told::Own);
        assert!(matches!(flights.join(id(), &policy, || Some(entry())), Joined::Arrived(_)));
        assert!(flights.lock().is_empty());
    }
}
