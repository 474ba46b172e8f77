//! One request from its body to its response.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::sync::mpsc::Receiver;
use towline_core::codec;
use towline_core::protocol::{ProtocolVersion, RequestId};
use towline_core::{BoxError, Carrier, Error, Extensions, Notifier, Reply, Request, Serve};

use super::body::Collect;
use super::head::{Accepts, Head};
use super::message::{self, Received};
use super::refusal::Refusal;
use super::respond::{self, ResponseBody};
use super::service::{Guard, Options};
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
        Reporting { call: Option<Pin<Box<Call<S>>>>, reports: Option<Receiver<Bytes>>, exchange: Exchange, options: Arc<Options> },
    }
}

impl<S: Serve, B> State<S, B> {
    fn done(response: HttpResponse<S>) -> Self {
        Self::Done { response: Some(response) }
    }
}

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
}

type HttpResponse<S> = Response<ResponseBody<S>>;

impl<S: Serve, B> ResponseFuture<S, B> {
    pub(super) fn refused(refusal: Refusal) -> Self {
        Self { state: State::done(refusal.into_response()), origin: None, guard: None }
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
                    this.state.set(pending.call(body));
                }
                Projected::Calling { call, exchange } => {
                    break exchange.answer(&ready!(call.poll(cx)));
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
    fn call<B>(mut self, body: Bytes) -> State<S, B> {
        let (id, mut request) = match message::read(body, &mut self.head, &self.options.limits) {
            Received::Request(id, request) => (id, request),
            Received::Accepted => {
                return State::done(respond::json(StatusCode::ACCEPTED, Bytes::new(), None));
            }
            Received::Refused(status, body) => return State::done(respond::json(status, body, None)),
        };
        let context = request.context_mut();
        *context.extensions_mut() = self.extensions;
        context.set_carrier(Carrier::Http);
        let accepts = self.head.accepts;
        let exchange = Exchange { id: Some(id), version: request.context().version(), accepts };
        if !(accepts.stream && request.context().wants_notifications()) {
            return State::Calling { call: Call::new(self.server, request), exchange };
        }
        let (call, reports) = reporting(self.server, request);
        State::Reporting { call: Some(call), reports: Some(reports), exchange, options: self.options }
    }
}

/// A call that may report. Its future moves into the response's body if it does, so it is boxed.
fn reporting<S: Serve>(server: S, mut request: Request) -> (Pin<Box<Call<S>>>, Receiver<Bytes>) {
    let (notifier, reports) = Notifier::channel(NOTIFICATIONS);
    request.context_mut().set_notifier(notifier);
    (Box::pin(Call::new(server, request)), reports)
}

impl Exchange {
    /// An answer alone. A failure that HTTP has a status for is told by it, which a stream cannot have, even to a
    /// client that did not list JSON: the specification wants those statuses.
    fn answer<S: Serve>(&self, answer: &Result<Reply, Error>) -> HttpResponse<S> {
        let body = codec::encode(self.id.as_ref(), answer, self.version);
        let status = respond::status(answer, self.version);
        if !self.accepts.json && status == StatusCode::OK {
            let mut event = Vec::with_capacity(body.len() + 24);
            sse::push_event(&mut event, &body);
            return sse::response(ResponseBody::whole(event.into()));
        }
        let error = answer.as_ref().err().filter(|error| !error.is_in_tool());
        respond::json(status, body, error)
    }

    /// An answer that was there as soon as what came before it.
    fn answer_all<S: Serve>(
        &self,
        first: &Bytes,
        reports: &mut Receiver<Bytes>,
        answer: &Result<Reply, Error>,
    ) -> HttpResponse<S> {
        let mut events = Vec::new();
        sse::push_event(&mut events, first);
        reports.close();
        while let Ok(report) = reports.try_recv() {
            sse::push_event(&mut events, &report);
        }
        sse::push_event(&mut events, &codec::encode(self.id.as_ref(), answer, self.version));
        sse::response(ResponseBody::whole(events.into()))
    }
}

impl<S: Serve, B> fmt::Debug for ResponseFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture")
    }
}
