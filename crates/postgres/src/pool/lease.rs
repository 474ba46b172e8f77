//! A connection out of its pool.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Object};
use futures_util::TryStreamExt as _;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::SimpleQueryStream;

use super::Inner;

/// How long the server has to stop a cancelled statement before its connection is closed.
const SETTLE: Duration = Duration::from_secs(2);

/// How long a cancelled statement has to stop before it is cancelled again.
const RETRY: Duration = Duration::from_millis(200);

/// A connection that its caller has for itself.
///
/// Only [`release`](Self::release) gives it back for use. Dropped in any other state, the statement
/// on it is cancelled and the connection is closed; its place in the pool stays taken until the
/// server has stopped working, but no longer than [`SETTLE`].
pub(crate) struct Lease {
    /// Taken when given back.
    object: Option<Object>,
    pool: Arc<Inner>,
    runtime: Handle,
}

impl Lease {
    /// Ends the transaction and clears what can outlive one: the statements of `DISCARD ALL`, which
    /// cannot share a batch, but for those that would forget our own prepared statements.
    pub(crate) const CLEAN: &str = "ROLLBACK;CLOSE ALL;SET SESSION AUTHORIZATION DEFAULT;RESET ALL;\
        UNLISTEN *;SELECT pg_catalog.pg_advisory_unlock_all();DISCARD TEMP;DISCARD SEQUENCES";

    pub(super) fn new(object: Object, pool: Arc<Inner>) -> Self {
        Self { object: Some(object), pool, runtime: Handle::current() }
    }

    pub(crate) fn client(&self) -> &ClientWrapper {
        self.object.as_ref().expect("a lease has its connection until it is given back")
    }

    /// Ends the transaction, clears the session and gives the connection back; closes it if that
    /// fails.
    pub(crate) async fn clean(self) {
        match timeout(SETTLE, self.client().batch_execute(Self::CLEAN)).await {
            Ok(Ok(())) => self.release(),
            Ok(Err(_)) => self.discard(),
            Err(_) => drop(self), // cancels what keeps it
        }
    }

    /// Waits until the session is cleared, which has been asked for, and gives the connection back.
    pub(crate) async fn settle(self, cleaning: SimpleQueryStream) {
        match timeout(SETTLE, drain(cleaning)).await {
            Ok(Ok(())) => self.release(),
            Ok(Err(_)) => self.discard(),
            Err(_) => drop(self), // cancels what keeps it
        }
    }

    /// Gives the connection back. The caller has cleared it.
    pub(crate) fn release(mut self) {
        self.object = None;
    }

    /// Closes the connection, on which nothing runs.
    pub(crate) fn discard(mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object));
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            self.runtime.spawn(abandon(object, Arc::clone(&self.pool)));
        }
    }
}

/// Cancels what runs and closes the connection. It is not used again: nothing tells when a cancel
/// request has been delivered, and a late one would hit the next caller's statement.
async fn abandon(object: Object, pool: Arc<Inner>) {
    stop(&object, &pool).await;
    tracing::debug!(database = pool.config.name, "a cancelled statement's connection is closed");
    drop(Object::take(object));
}

async fn stop(object: &Object, pool: &Inner) {
    let deadline = Instant::now() + SETTLE;
    let token = object.cancel_token();
    let mut idle = std::pin::pin!(object.simple_query(""));
    loop {
        // A request that overtakes the statement finds nothing to cancel, hence more than one.
        let cancelled = timeout_at(deadline, token.cancel_query(pool.tls.clone())).await;
        if cancelled.is_err() {
            break;
        }
        if timeout(RETRY, &mut idle).await.is_ok() || Instant::now() >= deadline {
            break;
        }
    }
}

/// Reads a batch of statements to its end.
pub(crate) async fn drain(stream: SimpleQueryStream) -> Result<(), tokio_postgres::Error> {
    std::pin::pin!(stream).try_for_each(|_| std::future::ready(Ok(()))).await
}

/// Bounds a step by the time that its statement has. The server's own timeout comes first; this
/// one is for a server or a network that no longer answers.
pub(crate) async fn within<T>(deadline: Instant, step: impl Future<Output = T>) -> Option<T> {
    timeout_at(deadline, step).await.ok()
}
