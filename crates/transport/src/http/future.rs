//! One request from its body to its response.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::sync::mpsc::Receiver;
use towline_core::codec;
use towline_core::protocol::{ProtocolVersion, RequestId};
use towline_core::{
    BoxError, Carrier, Error, ErrorKind, Extensions, Notifier, Principal, Reply, Report, Request, Serve,
};

use super::batch;
use super::body::Collect;
use super::event::push_event;
use super::head::{Accepts, Head, MCP_SESSION};
#[cfg(feature = "http-sse")]
use super::http_sse::{Endpoint, HttpSse};
use super::message::{self, Of, Received};
use super::refusal::Refusal;
use super::respond::{self, ResponseBody};
use super::service::{Guard, Options};
use super::session::{Attached, First, Greeting, Session, SessionBody, find_session, session_response};
use super::sse::{self, Events};
use crate::call::Call;

/// How many notifications of one request wait for the client before the request does.
const NOTIFICATIONS: usize = 16;

pin_project! {
    /// The future of [`HttpService`](super::HttpService). Dropping it cancels the request.
    pub struct ResponseFuture<S: Serve, B> {
        #[pin]
        state: State<S, B>,
        origin: Option<HeaderValue>,
        guard: Option<Guard>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<S: Serve, B> {
        Done { response: Option<Response<ResponseBody<S>>> },
        Reading { #[pin] body: Collect<B>, pending: Option<Pending<S>> },
        Calling { #[pin] call: Call<S>, exchange: Exchange },
        Reporting { call: Option<Pin<Box<Call<S>>>>, reports: Option<Receiver<Report>>, exchange: Exchange, options: Arc<Options> },
        Message { #[pin] body: Collect<B>, taken: Option<Taken> },
        Batch { answers: Pin<Box<dyn Future<Output = HttpResponse<S>> + Send>> },
        Session { attached: Attached, exchange: Exchange, options: Arc<Options> },
    }
}

impl<S: Serve, B> State<S, B> {
    fn done(response: HttpResponse<S>) -> Self {
        Self::Done { response: Some(response) }
    }
}

/// What takes a message that is answered elsewhere.
type Taken = Box<dyn FnOnce(Bytes) -> Result<(), Refusal> + Send>;

/// What waits for the body.
struct Pending<S> {
    server: S,
    options: Arc<Options>,
    head: Head,
    extensions: Extensions,
}

/// What waits for the answer.
struct Exchange {
    id: Option<RequestId>,
    version: ProtocolVersion,
    accepts: Accepts,
    /// Of a handshake that may begin a session.
    greeting: Option<Box<Greeting>>,
    is_stream: bool,
}

type HttpResponse<S> = Response<ResponseBody<S>>;

impl<S: Serve, B> ResponseFuture<S, B> {
    pub(super) fn refused(refusal: Refusal) -> Self {
        Self { state: State::done(refusal.into_response()), origin: None, guard: None }
    }

    /// The answer to a request without a message: for a stream of a session, or for its end.
    pub(super) fn of_session(
        method: &Method,
        head: &Head,
        extensions: &Extensions,
        options: &Options,
        guard: Guard,
    ) -> Self {
        let response = session_response(method, head, extensions, options, guard);
        let response = response.unwrap_or_else(Refusal::into_response);
        Self { state: State::done(response), origin: head.origin.clone(), guard: None }
    }

    /// The answer to a request of the transport of revision 2024-11-05.
    #[cfg(feature = "http-sse")]
    pub(super) fn http_sse(
        server: S,
        (sse, endpoint): (HttpSse, Endpoint),
        options: &Options,
        extensions: Extensions,
        body: Collect<B>,
        origin: Option<HeaderValue>,
        guard: Guard,
    ) -> Self {
        let state = match endpoint {
            Endpoint::Open => {
                let opened = sse.open(server, options, &extensions, guard);
                return Self {
                    state: State::done(opened.unwrap_or_else(Refusal::into_response)),
                    origin,
                    guard: None,
                };
            }
            Endpoint::Message(id) => {
                let take = move |message| sse.take(&id, extensions.get::<Principal>(), message);
                State::Message { body, taken: Some(Box::new(take)) }
            }
        };
        Self { state, origin, guard: Some(guard) }
    }

    pub(super) fn reading(
        server: S,
        options: Arc<Options>,
        mut head: Head,
        extensions: Extensions,
        body: Collect<B>,
        guard: Guard,
    ) -> Self {
        let origin = head.origin.take();
        let pending = Some(Pending { server, options, head, extensions });
        Self { state: State::Reading { body, pending }, origin, guard: Some(guard) }
    }
}

impl<S, B> Future for ResponseFuture<S, B>
where
    S: Serve,
    B: Body,
    B::Error: Into<BoxError>,
{
    type Output = Result<HttpResponse<S>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut response = loop {
            match this.state.as_mut().project() {
                Projected::Done { response } => {
                    break response.take().expect("a future is not polled after its end");
                }
                Projected::Reading { body, pending } => {
                    let body = match ready!(body.poll(cx)) {
                        Ok(body) => body,
                        Err(refusal) => break refusal.into_response(),
                    };
                    let pending = pending.take().expect("a body ends once");
                    if let Some(Err(refusal)) =
                        this.guard.as_mut().map(|guard| guard.enter(&pending.options.in_flight))
                    {
                        break refusal.into_response();
                    }
                    this.state.set(pending.call(body, this.guard));
                }
                Projected::Calling { call, exchange } => {
                    break exchange.answer(&ready!(call.poll(cx)));
                }
                Projected::Message { body, taken } => {
                    let body = ready!(body.poll(cx));
                    let take = taken.take().expect("a body ends once");
                    break match body.and_then(take) {
                        Ok(()) => respond::json(StatusCode::ACCEPTED, Bytes::new(), None),
                        Err(refusal) => refusal.into_response(),
                    };
                }
                Projected::Batch { answers } => break ready!(answers.as_mut().poll(cx)),
                Projected::Session { attached, exchange, options } => {
                    let first = ready!(attached.log.poll_first(cx));
                    attached.id = None;
                    break match first {
                        First::Answer(body, status, error) => exchange.alone(body, status, error.as_ref()),
                        First::Event => {
                            let Attached { session, log, .. } = &*attached;
                            let log = Arc::clone(log);
                            let body = SessionBody::new(session, log, None, options.keep_alive, None, None);
                            sse::response(ResponseBody::session(body))
                        }
                    };
                }
                Projected::Reporting { call, reports, exchange, options } => {
                    let running = call.as_mut().expect("a call is handed on once");
                    let answer = running.as_mut().poll(cx);
                    let receiver = reports.as_mut().expect("a receiver is handed on once");
                    match (answer, receiver.poll_recv(cx)) {
                        (Poll::Ready(answer), Poll::Ready(Some(first))) => {
                            break exchange.answer_all(&first, receiver, &answer);
                        }
                        (Poll::Ready(answer), _) => break exchange.answer(&answer),
                        (Poll::Pending, Poll::Ready(Some(first))) => {
                            let call = call.take().expect("a call is handed on once");
                            let reports = reports.take().expect("a receiver is handed on once");
                            let id = exchange.id.take().expect("an id is handed on once");
                            if exchange.is_stream
                                && let Some(guard) = this.guard.as_mut()
                            {
                                guard.leave();
                            }
                            let events = Events::new(
                                call,
                                reports,
                                &first,
                                (id, exchange.version),
                                options.keep_alive,
                                this.guard.take(),
                            );
                            break sse::response(ResponseBody::stream(events));
                        }
                        (Poll::Pending, _) => return Poll::Pending,
                    }
                }
            }
        };
        if let Some(origin) = this.origin.take() {
            respond::allow_origin(response.headers_mut(), Some(origin));
        }
        Poll::Ready(Ok(response))
    }
}

impl<S: Serve> Pending<S> {
    /// Reads the message and begins to work on it, or says what to answer at once.
    fn call<B>(mut self, body: Bytes, guard: &mut Option<Guard>) -> State<S, B> {
        let caller = self.extensions.get::<Principal>();
        let of = find_session(&self.head, &self.options, caller);
        if codec::is_batch(&body) && of.has_batches(&self.head) {
            let Self { server, options, head, extensions } = self;
            let answers = Box::pin(batch::answer(server, body, options, head, extensions, of));
            return State::Batch { answers };
        }
        let (id, mut request) = match message::read(body, &mut self.head, &self.options.limits, &of, caller) {
            Received::Request(id, request) => (id, request),
            Received::NoSession => return State::done(Refusal::no_session().into_response()),
            Received::Accepted => {
                return State::done(respond::json(StatusCode::ACCEPTED, Bytes::new(), None));
            }
            Received::Refused(status, body) => return State::done(respond::json(status, body, None)),
        };
        let context = request.context_mut();
        *context.extensions_mut() = std::mem::take(&mut self.extensions);
        context.set_carrier(Carrier::Http);
        let mut accepts = self.head.accepts;
        accepts.json &= !(self.options.streams_answers && accepts.stream);
        let version = request.context().version();
        let is_stream = request.is_stream();
        let mut exchange = Exchange { id: None, version, accepts, greeting: None, is_stream };
        if let (Of::Session(session), false) = (of, version.is_modern()) {
            return self.in_session(session, &id, request, exchange, guard.take());
        }
        exchange.id = Some(id);
        if !version.is_modern() && request.method() == "initialize" && self.options.sessions.are_kept() {
            exchange.greeting = Some(Greeting::begin(&mut request, &self.options.sessions));
        }
        if !(accepts.stream && request.wants_notifications()) {
            return State::Calling { call: Call::new(self.server, request), exchange };
        }
        let (call, reports) = reporting(self.server, request, &self.options);
        State::Reporting { call: Some(call), reports: Some(reports), exchange, options: self.options }
    }
}

impl<S: Serve> Pending<S> {
    fn in_session<B>(
        self,
        session: Arc<Session>,
        id: &RequestId,
        request: Request,
        exchange: Exchange,
        guard: Option<Guard>,
    ) -> State<S, B> {
        if !exchange.accepts.stream {
            let message = "the header `Accept` must list `text/event-stream`";
            return State::done(Refusal::new(StatusCode::NOT_ACCEPTABLE, message).into_response());
        }
        match Attached::start(self.server, session, id.clone(), request, guard) {
            Some(attached) => State::Session { attached, exchange, options: self.options },
            None => {
                let error =
                    Error::new(ErrorKind::InvalidRequest, "a request with this `id` is still running");
                let body = codec::encode(Some(id), &Err(error), exchange.version);
                State::done(respond::json(StatusCode::BAD_REQUEST, body, None))
            }
        }
    }
}

/// A call that may report. Its future moves into the response's body if it does, so it is boxed.
fn reporting<S: Serve>(
    server: S,
    mut request: Request,
    options: &Options,
) -> (Pin<Box<Call<S>>>, Receiver<Report>) {
    let (notifier, reports) = Notifier::channel(NOTIFICATIONS);
    let is_stream = request.is_stream();
    let notifier = if is_stream { notifier.until(options.closing.subscribe()) } else { notifier };
    request.context_mut().set_notifier(notifier);
    (Box::pin(Call::new(server, request)), reports)
}

impl Exchange {
    /// An answer alone. A failure that HTTP has a status for is told by it, which a stream cannot have, even to a
    /// client that did not list JSON: the specification wants those statuses.
    fn answer<S: Serve>(&self, answer: &Result<Reply, Error>) -> HttpResponse<S> {
        let body = codec::encode(self.id.as_ref(), answer, self.version);
        let status = respond::status(answer, self.version);
        let error = answer.as_ref().err().filter(|error| !error.is_in_tool());
        let mut response = self.alone(body, status, error);
        if let (Some(greeting), Ok(reply)) = (&self.greeting, answer)
            && let Some(id) = greeting.session(reply)
        {
            response.headers_mut().insert(MCP_SESSION, id);
        }
        response
    }

    fn alone<S: Serve>(&self, body: Bytes, status: StatusCode, error: Option<&Error>) -> HttpResponse<S> {
        if !self.accepts.json && status == StatusCode::OK {
            let mut event = Vec::with_capacity(body.len() + 24);
            push_event(&mut event, &body);
            return sse::response(ResponseBody::whole(event.into()));
        }
        respond::json(status, body, error)
    }

    /// An answer that was there as soon as what came before it.
    fn answer_all<S: Serve>(
        &self,
        first: &Report,
        reports: &mut Receiver<Report>,
        answer: &Result<Reply, Error>,
    ) -> HttpResponse<S> {
        let mut events = Vec::new();
        sse::push_report(&mut events, first);
        reports.close();
        while let Ok(report) = reports.try_recv() {
            sse::push_report(&mut events, &report);
        }
        push_event(&mut events, &codec::encode(self.id.as_ref(), answer, self.version));
        sse::response(ResponseBody::whole(events.into()))
    }
}

impl<S: Serve, B> fmt::Debug for ResponseFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture")
    }
}
