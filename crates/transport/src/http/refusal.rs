//! Requests that are answered before a server sees them.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ALLOW, CONNECTION,
};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, Version};
use towline_core::codec;
use towline_core::protocol::{ProtocolVersion, RequestId};
use towline_core::{Error, ErrorKind, Serve};

use super::head::Head;
use super::respond::{self, ResponseBody};

/// Why a request is not served, as HTTP says it.
///
/// A refusal is rare, and its head is what travels, so it is boxed.
#[derive(Debug)]
pub(super) struct Refusal(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    error: Option<Error>,
    /// The call that is refused, if it is known.
    id: Option<RequestId>,
    /// Whether the connection must end, since nothing that comes next on it can be told from what was not read.
    closes: bool,
    origin: Option<HeaderValue>,
    /// For a preflight: the headers that the page wants to send.
    request_headers: Option<HeaderValue>,
}

impl Refusal {
    /// A fault of the client's that has no code of its own.
    pub(super) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self::of(status, Error::new(ErrorKind::InvalidRequest, message))
    }

    pub(super) fn forbidden(message: &'static str) -> Self {
        Self::of(StatusCode::FORBIDDEN, Error::new(ErrorKind::Forbidden, message))
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "messages are sent with POST; there is nothing else here")
    }

    /// Another path than the protocol's. The body is no JSON-RPC error: to a client that would mean that the path is
    /// right and the method is unknown.
    pub(super) fn not_found() -> Self {
        Self::bare(StatusCode::NOT_FOUND)
    }

    /// A session that has ended, or never was, or is somebody else's. The client begins a new one.
    pub(super) fn no_session() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such session: begin a new one with `initialize`")
    }

    pub(super) fn of(status: StatusCode, error: Error) -> Self {
        let mut refusal = Self::bare(status);
        refusal.0.error = Some(error);
        refusal
    }

    /// The answer to a browser that asks, before it lets a page send a request, whether the page may.
    pub(super) fn preflight(parts: &Parts, head: &Head) -> Self {
        let mut refusal = Self::bare(StatusCode::NO_CONTENT).with_origin(head.origin.clone());
        refusal.0.request_headers = parts.headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
        refusal
    }

    /// Lets the page of that origin, which is an allowed one, read the answer.
    pub(super) fn with_origin(mut self, origin: Option<HeaderValue>) -> Self {
        self.0.origin = origin;
        self
    }

    /// Names the call that is refused.
    pub(super) fn with_id(mut self, id: Option<RequestId>) -> Self {
        self.0.id = id;
        self
    }

    /// Leaves the rest of the body unread. In HTTP/1 that ends the connection, and the client is told, so that it does not send
    /// its next request there.
    pub(super) fn with_body_left(mut self, version: Version) -> Self {
        self.0.closes = version < Version::HTTP_2;
        self
    }

    fn bare(status: StatusCode) -> Self {
        Self(Box::new(Inner {
            status,
            error: None,
            id: None,
            closes: false,
            origin: None,
            request_headers: None,
        }))
    }

    pub(super) fn into_response<S: Serve>(self) -> Response<ResponseBody<S>> {
        let Inner { status, error, id, closes, origin, request_headers } = *self.0;
        let mut response = match error {
            None => respond::json(status, Bytes::new(), None),
            Some(error) => {
                let answer = Err(error);
                let body = codec::encode(id.as_ref(), &answer, ProtocolVersion::LATEST);
                respond::json(status, body, answer.as_ref().err())
            }
        };
        let headers = response.headers_mut();
        if closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        if status == StatusCode::NO_CONTENT {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
            if let Some(wanted) = request_headers {
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted);
            }
        }
        respond::allow_origin(headers, origin);
        response
    }
}
