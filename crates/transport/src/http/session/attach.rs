//! Requests over HTTP that belong to a session, or begin one.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode};
use towline_core::protocol::RequestId;
use towline_core::{Extensions, Principal, Reply, Request, Serve, SessionSupport};

use super::{EventLog, Open, Running, Session, SessionBody, Sessions, run};
use crate::http::head::Head;
use crate::http::message::Of;
use crate::http::refusal::Refusal;
use crate::http::respond::{self, ResponseBody};
use crate::http::service::{Guard, Options};
use crate::http::sse;
use crate::legacy::{Handshake, Session as Kept};

/// A handshake under way.
pub(in crate::http) struct Greeting {
    request: Request,
    handshake: Handshake,
    owner: Option<Principal>,
    sessions: Sessions,
}

/// A request of a session whose response has not begun. Without one there is nothing to come back to, so a client that
/// goes away then cancels it.
pub(in crate::http) struct Attached {
    pub(in crate::http) session: Arc<Session>,
    pub(in crate::http) log: Arc<EventLog>,
    pub(in crate::http) id: Option<RequestId>,
    _open: Open,
}

impl Drop for Attached {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.session.cancel(&id);
        }
    }
}

impl Greeting {
    /// Offers a session to whoever shakes hands.
    pub(in crate::http) fn begin(request: &mut Request, sessions: &Sessions) -> Box<Self> {
        let mut handshake = Handshake::default();
        // Its revision is settled already, so nothing can be wrong with it.
        let _ = handshake.negotiate(request);
        request.context_mut().set_session(SessionSupport::Offered, None);
        let owner = request.context().principal().cloned();
        Box::new(Self { request: request.clone(), handshake, owner, sessions: sessions.clone() })
    }

    /// Begins the session, if the server wants one. Gives its id.
    pub(in crate::http) fn session(&self, reply: &Reply) -> Option<HeaderValue> {
        reply.session()?;
        let kept = Arc::<Kept>::default();
        kept.note(&self.request, reply).ok()?;
        let session = self.sessions.begin(self.owner.clone(), self.handshake.clone(), kept);
        HeaderValue::from_str(session.id()).ok()
    }
}

/// The session that a request names.
pub(in crate::http) fn find_session(head: &Head, options: &Options, caller: Option<&Principal>) -> Of {
    let Some(id) = &head.session else { return Of::Nobody };
    let session = id.to_str().ok().and_then(|id| options.sessions.find(id, caller));
    session.map_or(Of::Unknown, Of::Session)
}

impl Attached {
    /// Runs a request in its session, apart from the connection. `None` if one of its id runs already.
    pub(in crate::http) fn start<S: Serve>(
        server: S,
        session: Arc<Session>,
        id: RequestId,
        request: Request,
        guard: Option<Guard>,
    ) -> Option<Self> {
        let log = session.logs.begin();
        let spawn = |ticket| {
            let (session, log, id) = (Arc::clone(&session), Arc::clone(&log), id.clone());
            let running = Running { session, log, id, ticket, guard };
            tokio::spawn(run(running, server, request)).abort_handle()
        };
        let is_started = session.in_flight.start(&id, spawn);
        let open = session.open();
        is_started.then_some(Self { session, log, id: Some(id), _open: open })
    }
}

/// Opens a stream of a session, or ends the session.
pub(in crate::http) fn session_response<S: Serve>(
    method: &Method,
    head: &Head,
    extensions: &Extensions,
    options: &Options,
    guard: Guard,
) -> Result<Response<ResponseBody<S>>, Refusal> {
    let Of::Session(session) = find_session(head, options, extensions.get()) else {
        return Err(Refusal::no_session());
    };
    if method == Method::DELETE {
        options.sessions.end(&session);
        return Ok(respond::json(StatusCode::NO_CONTENT, Bytes::new(), None));
    }
    if !head.accepts.stream {
        let message = "the header `Accept` must list `text/event-stream`";
        return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, message));
    }
    let (log, after) = match &head.last_event {
        None => (session.logs.standing(), None),
        Some(event) => {
            let unknown = || {
                let message = "`Last-Event-ID` names no event that is kept";
                Refusal::new(StatusCode::BAD_REQUEST, message)
            };
            let found = event.to_str().ok().and_then(|event| session.logs.find(event));
            found.map(|(log, after)| (log, Some(after))).ok_or_else(unknown)?
        }
    };
    let end = Box::pin(options.end(extensions));
    let body = SessionBody::new(&session, log, after, options.keep_alive, Some(end), Some(guard));
    Ok(sse::response(ResponseBody::session(body)))
}
