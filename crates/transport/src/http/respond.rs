//! Answers as HTTP responses.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use towline_core::protocol::ProtocolVersion;
use towline_core::{Error, ErrorKind, Quota, Reply, Serve};

#[cfg(feature = "http-sse")]
use super::http_sse::HttpSseBody;
use super::session::SessionBody;
use super::sse::Events;

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
/// Source: draft-ietf-httpapi-ratelimit-headers.
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The body of a response: one JSON object, or a stream of events that ends with one.
pub struct ResponseBody<S: Serve>(Form<S>);

enum Form<S: Serve> {
    /// Empty once it has been given.
    Whole(Bytes),
    Stream(Pin<Box<Events<S>>>),
    Session(Box<SessionBody>),
    #[cfg(feature = "http-sse")]
    HttpSse(Box<HttpSseBody>),
}

impl<S: Serve> ResponseBody<S> {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self(Form::Whole(bytes))
    }

    pub(super) fn stream(events: Events<S>) -> Self {
        Self(Form::Stream(Box::pin(events)))
    }

    #[cfg(feature = "http-sse")]
    pub(super) fn http_sse(body: HttpSseBody) -> Self {
        Self(Form::HttpSse(Box::new(body)))
    }

    pub(super) fn session(body: SessionBody) -> Self {
        Self(Form::Session(Box::new(body)))
    }
}

/// An empty body: layers around the service that answer by themselves, such as tower-http's timeout, make these.
impl<S: Serve> Default for ResponseBody<S> {
    fn default() -> Self {
        Self::whole(Bytes::new())
    }
}

impl<S: Serve> fmt::Debug for ResponseBody<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Whole(bytes) => write!(f, "ResponseBody({} bytes)", bytes.len()),
            _ => f.write_str("ResponseBody(a stream)"),
        }
    }
}

impl<S: Serve> Body for ResponseBody<S> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Form::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Form::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Form::Stream(events) => {
                events.as_mut().poll_next(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
            #[cfg(feature = "http-sse")]
            Form::HttpSse(body) => body.poll_next(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
            Form::Session(body) => body.poll_next(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Form::Whole(bytes) => bytes.is_empty(),
            Form::Stream(events) => events.is_done(),
            _ => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Form::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            _ => SizeHint::default(),
        }
    }
}

/// A response with a JSON body, or without any.
pub(super) fn json<S: Serve>(
    status: StatusCode,
    body: Bytes,
    error: Option<&Error>,
) -> Response<ResponseBody<S>> {
    let has_body = !body.is_empty();
    let mut response = Response::new(ResponseBody::whole(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if has_body {
        headers.insert(CONTENT_TYPE, JSON);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    if let Some(error) = error {
        hint(headers, error);
    }
    response
}

/// Tells in headers what a client may do about a failure: when to try again, and which allowance is used up.
fn hint(headers: &mut HeaderMap, error: &Error) {
    if let Some(retry_after) = error.retry_after() {
        headers.insert(RETRY_AFTER, whole_seconds(retry_after).into());
    }
    let Some(Quota { policy, limit, window, remaining, reset }) = error.quota() else { return };
    let name: String =
        policy.chars().filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\')).collect();
    let window = whole_seconds(*window).max(1);
    let fields = [
        (RATE_LIMIT_POLICY, format!("\"{name}\";q={limit};w={window}")),
        (RATE_LIMIT, format!("\"{name}\";r={remaining};t={}", whole_seconds(*reset))),
    ];
    for (field, value) in fields {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(field, value);
        }
    }
}

/// Never sooner than was meant.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// Lets the page of an allowed origin read the answer.
pub(super) fn allow_origin(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(VARY, HeaderValue::from_static("Origin"));
    }
}

/// The HTTP status of an answer to a request that a server has seen.
///
/// Older revisions give a JSON-RPC error the status 200, unless it is one that HTTP itself acts on.
pub(super) fn status(answer: &Result<Reply, Error>, version: ProtocolVersion) -> StatusCode {
    use ErrorKind::{
        CircuitOpen, Forbidden, Overloaded, RateLimited, ShuttingDown, TooLarge, Unauthenticated, Unavailable,
    };
    let Err(error) = answer else { return StatusCode::OK };
    if error.is_in_tool() {
        return StatusCode::OK;
    }
    match error.kind() {
        Unauthenticated | Forbidden | TooLarge | RateLimited => {}
        Unavailable | CircuitOpen | Overloaded | ShuttingDown => {}
        _ if version.is_modern() => {}
        _ => return StatusCode::OK,
    }
    status_of(error)
}

/// The HTTP status of a failure.
pub(super) fn status_of(error: &Error) -> StatusCode {
    StatusCode::from_u16(error.kind().http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
