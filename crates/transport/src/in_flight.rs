//! Which requests of a client are running.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::RandomState;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::task::AbortHandle;
use towline_core::Request;
use towline_core::protocol::RequestId;

use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The request that a `notifications/cancelled` means. Cancellations that make no sense are to be ignored
/// (basic/patterns/cancellation, "Error Handling").
pub(crate) fn cancelled(notification: &Request) -> Option<RequestId> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Cancelled<'a> {
        #[serde(borrow)]
        request_id: &'a RawValue,
    }
    let params = notification.params()?;
    let cancelled: Cancelled<'_> = serde_json::from_str(params.as_str()).ok()?;
    RequestId::from_json(cancelled.request_id.get().to_owned().into())
}

/// The requests that are running, by id. A clone is a handle to the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlight(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    running: HashMap<RequestId, (Ticket, AbortHandle), RandomState>,
    last: Ticket,
}

/// Tells apart two requests that have the same id one after the other.
pub(crate) type Ticket = u64;

impl InFlight {
    /// Starts a request, unless one of its id is running.
    pub(crate) fn start(&self, id: &RequestId, spawn: impl FnOnce(Ticket) -> AbortHandle) -> bool {
        let mut state = self.lock();
        let ticket = state.last + 1;
        state.last = ticket;
        match state.running.entry(id.clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert((ticket, spawn(ticket)));
                true
            }
        }
    }

    /// Takes a request off the list; false if it was cancelled, and so must not be answered.
    pub(crate) fn finish(&self, id: &RequestId, ticket: Ticket) -> bool {
        let mut state = self.lock();
        match state.running.remove_entry(id) {
            Some((_, (mine, _))) if mine == ticket => true,
            // The id is another request's by now.
            Some((id, other)) => {
                state.running.insert(id, other);
                false
            }
            None => false,
        }
    }

    /// Drops a request's future, if it is still running.
    pub(crate) fn cancel(&self, id: &RequestId) {
        if let Some((_, task)) = self.lock().running.remove(id) {
            task.abort();
        }
    }

    /// Drops the futures of all requests.
    pub(crate) fn cancel_all(&self) {
        for (_, (_, task)) in self.lock().running.drain() {
            task.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(in_flight: &InFlight, id: i64) -> Option<Ticket> {
        let mut mine = None;
        in_flight.start(&id.into(), |ticket| {
            mine = Some(ticket);
            tokio::spawn(std::future::pending::<()>()).abort_handle()
        });
        mine
    }

    #[tokio::test]
    async fn what_was_cancelled_is_not_finished() {
        let in_flight = InFlight::default();
        let first = start(&in_flight, 1).unwrap();
        assert_eq!(start(&in_flight, 1), None, "it is running");
        in_flight.cancel(&1.into());
        let second = start(&in_flight, 1).unwrap();
        assert!(!in_flight.finish(&1.into(), first), "the id is another request's by now");
        assert!(in_flight.finish(&1.into(), second));
        assert!(!in_flight.finish(&1.into(), second));
    }
}
