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

/// A load that is under way. Dropped before it is [done](Self::done), it leaves those who wait with an error.
pub(super) struct Load {
    flights: Arc<Flights>,
    id: Id,
    is_done: bool,
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
        Joined::First(Load { flights: Arc::clone(self), id, is_done: false })
    }

    /// Begins a load of `id` unless there is one, or there are too many.
    pub(super) fn begin(self: &Arc<Self>, id: Id, policy: &CachePolicy) -> Option<Load> {
        let mut loads = self.lock();
        if loads.contains_key(&id) || loads.len() >= policy.max_loads {
            return None;
        }
        loads.insert(id.clone(), Vec::new());
        Some(Load { flights: Arc::clone(self), id, is_done: false })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Vec<Sender<Told>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Load {
    pub(super) fn id(&self) -> &Id {
        &self.id
    }

    /// Tells those who wait.
    pub(super) fn done(mut self, told: &Told) {
        for waiting in self.end() {
            // Who is gone need not know.
            let _ = waiting.send(told.clone());
        }
    }

    /// Ends the load, once: there may be another of the same id afterwards.
    fn end(&mut self) -> Vec<Sender<Told>> {
        if std::mem::replace(&mut self.is_done, true) {
            return Vec::new();
        }
        self.flights.lock().remove(&self.id).unwrap_or_default()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
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
