//! Sessions of clients of revisions before 2026-07-28, where they need one.
//!
//! A client of the current revision needs none, and most older ones do not either: a session is made when a handshake shows
//! that the server may ask the client for something, or tell it what changes.
//!
//! Source: revision 2025-11-25, basic/transports, "Session Management" and "Resumability and Redelivery".

mod attach;
mod body;
mod log;
mod run;
mod table;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;
use towline_core::codec::Response;
use towline_core::protocol::{ProtocolVersion, RequestId};
use towline_core::{Context, Error, Principal, Request, SessionSupport};

pub(super) use self::attach::{Attached, Greeting, find_session, session_response};
pub(super) use self::body::SessionBody;
pub(super) use self::log::First;
use self::log::{EventLog, Logs};
use self::run::{Running, run};
pub(super) use self::table::Sessions;
use crate::in_flight::InFlight;
use crate::legacy::{Handshake, Session as Kept};

/// How many sessions are kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    pub(super) max: usize,
    pub(super) idle: Duration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { max: 10_000, idle: Duration::from_secs(30 * 60) }
    }
}

impl SessionLimits {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps none. Clients of older revisions can then be asked for nothing over HTTP, and are told of no changes.
    pub fn none() -> Self {
        Self { max: 0, ..Self::default() }
    }

    /// Keeps that many at once. When there is one more, the one that has been idle longest ends; its client makes a new one.
    /// Default: 10,000.
    #[must_use]
    pub fn max(mut self, sessions: usize) -> Self {
        self.max = sessions;
        self
    }

    /// Ends a session whose client has been gone for that long, and with it the requests that run on without it.
    /// Default: 30 minutes.
    #[must_use]
    pub fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }
}

/// One client's session.
#[derive(Debug)]
pub(super) struct Session {
    id: Box<str>,
    /// Who began it. Nobody else can use it.
    owner: Option<Principal>,
    handshake: Mutex<Handshake>,
    pub(super) kept: Arc<Kept>,
    pub(super) in_flight: InFlight,
    pub(super) logs: Logs,
    /// How many responses the client waits for or reads. A request that runs on without its client is not among them: it may
    /// wait for the client for good, to make room or to answer.
    open: AtomicUsize,
    used: Mutex<Instant>,
}

impl Session {
    fn new(id: Box<str>, owner: Option<Principal>, handshake: Handshake, kept: Arc<Kept>) -> Self {
        Self {
            id,
            owner,
            handshake: Mutex::new(handshake),
            kept,
            in_flight: InFlight::default(),
            logs: Logs::default(),
            open: AtomicUsize::new(0),
            used: Mutex::new(Instant::now()),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Settles the revision of a request of the session's, and adds what is kept.
    ///
    /// # Errors
    ///
    /// Those of [`Handshake::negotiate`].
    pub(super) fn negotiate(&self, request: &mut Request) -> Result<(), Error> {
        lock(&self.handshake).negotiate(request)?;
        request.context_mut().set_session(SessionSupport::Kept, self.kept.log_level());
        Ok(())
    }

    /// Whether priming events are known to the client, and so streams that end early.
    pub(super) fn primes(&self) -> bool {
        lock(&self.handshake).version() == Some(ProtocolVersion::V2025_11_25)
    }

    /// Whether the client's revision has batches.
    pub(super) fn has_batches(&self) -> bool {
        lock(&self.handshake).version() == Some(ProtocolVersion::V2025_03_26)
    }

    pub(super) fn answer(&self, response: Response) {
        self.kept.peer.answer(response);
    }

    pub(super) fn cancel(&self, id: &RequestId) {
        self.in_flight.cancel(id);
    }

    /// Begins to tell the client what changes, on the stream that belongs to no request.
    pub(super) fn begin_to_tell(&self, context: &Context) {
        let log = self.logs.standing();
        let (sender, mut messages) = mpsc::channel::<Bytes>(1);
        self.kept.begin_to_tell(context, sender);
        tokio::spawn(async move {
            while let Some(message) = messages.recv().await {
                log.push(message).await;
            }
        });
    }

    /// Counts a response until what it gives is dropped.
    pub(super) fn open(self: &Arc<Self>) -> Open {
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(self))
    }

    /// For how long nothing has happened.
    fn idle(&self) -> Duration {
        if self.open.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        lock(&self.used).elapsed()
    }

    fn belongs_to(&self, caller: Option<&Principal>) -> bool {
        self.owner.as_ref() == caller
    }

    /// Ends everything that goes on in the session.
    fn end(&self) {
        self.in_flight.cancel_all();
        self.kept.end();
        self.logs.end();
    }
}

/// A response of a session that the client waits for or reads.
#[derive(Debug)]
pub(super) struct Open(Arc<Session>);

impl Drop for Open {
    fn drop(&mut self) {
        *lock(&self.0.used) = Instant::now();
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
