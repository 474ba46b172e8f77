//! Why a request failed, once for every layer and both transports.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use serde::Serialize;
use serde_json::value::RawValue;

/// More characters than these of a URI that does not exist are not sent back.
const MAX_URI: usize = 2048;
/// More characters than these of a name that does not exist are not sent back.
const MAX_NAME: usize = 128;

/// A boxed error, as tower's own layers return it.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Why a request failed.
///
/// It carries a message that is safe for the client, often a language model, to read. What went wrong inside
/// is the [source](Self::with_source): it goes to the logs and never to the wire.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
    data: Option<Box<RawValue>>,
    quota: Option<Quota>,
    source: Option<BoxError>,
    /// If a tool raised it: what the server says of itself, as its results' `_meta` tells it.
    server_meta: Option<ByteString>,
}

/// An allowance that a caller has used up, as the `RateLimit` header fields tell it.
///
/// Source: draft-ietf-httpapi-ratelimit-headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The policy's name: printable ASCII without `"` and `\\`.
    pub policy: Arc<str>,
    /// How many calls it allows in a window.
    pub limit: u32,
    /// The window.
    pub window: Duration,
    /// How many are left now.
    pub remaining: u32,
    /// How long until there are more.
    pub reset: Duration,
}

/// The kinds of failure: what a client may do about it, and what a layer makes of it.
///
/// The codes outside JSON-RPC's reserved range are the HTTP status that says the same, as the specification
/// leaves them to applications (basic/index, "Error Codes").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text is not JSON.
    Parse,
    /// The text is JSON, but no request that this server takes.
    InvalidRequest,
    /// There is no such method.
    MethodNotFound,
    /// The parameters are wrong, or they name something that does not exist.
    InvalidParams,
    /// There is no such resource.
    ResourceNotFound,
    /// A required `_meta` field is missing or malformed.
    InvalidMeta,
    /// The HTTP headers do not match the body.
    HeaderMismatch,
    /// The client lacks a capability that the request needs.
    MissingCapability,
    /// The server does not speak the requested revision.
    UnsupportedVersion,
    /// The caller must say who they are.
    Unauthenticated,
    /// The caller may not do this.
    Forbidden,
    /// The request is too large, or asks for more work than one request may.
    TooLarge,
    /// The caller has used up its allowance.
    RateLimited,
    /// Something that the request needs is down.
    Unavailable,
    /// Something that the request needs has failed too often, so for a while it is not even tried.
    CircuitOpen,
    /// The server is at its limit.
    Overloaded,
    /// The server is going down.
    ShuttingDown,
    /// It took too long.
    Timeout,
    /// A defect of the server.
    Internal,
    /// The client no longer waits for an answer.
    Cancelled,
}

impl ErrorKind {
    /// The JSON-RPC error code, as revision 2026-07-28 has it.
    pub const fn code(self) -> i32 {
        use jsonrpsee_types::error as rpc;
        match self {
            Self::Parse => rpc::PARSE_ERROR_CODE,
            Self::InvalidRequest => rpc::INVALID_REQUEST_CODE,
            Self::MethodNotFound => rpc::METHOD_NOT_FOUND_CODE,
            Self::InvalidParams | Self::InvalidMeta | Self::ResourceNotFound => rpc::INVALID_PARAMS_CODE,
            Self::HeaderMismatch => -32020,
            Self::MissingCapability => -32021,
            Self::UnsupportedVersion => -32022,
            Self::Internal => rpc::INTERNAL_ERROR_CODE,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::TooLarge => 413,
            Self::RateLimited => 429,
            Self::Cancelled => 499,
            Self::Unavailable | Self::CircuitOpen | Self::Overloaded | Self::ShuttingDown => 503,
            Self::Timeout => 504,
        }
    }

    /// The HTTP status of an answer that is this failure.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Parse
            | Self::InvalidRequest
            | Self::InvalidMeta
            | Self::HeaderMismatch
            | Self::MissingCapability
            | Self::UnsupportedVersion => 400,
            Self::MethodNotFound => 404,
            Self::InvalidParams | Self::ResourceNotFound => 200,
            Self::Internal => 500,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::TooLarge => 413,
            Self::RateLimited => 429,
            Self::Cancelled => 499,
            Self::Unavailable | Self::CircuitOpen | Self::Overloaded | Self::ShuttingDown => 503,
            Self::Timeout => 504,
        }
    }

    /// A stable name, for `data.kind`, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::InvalidRequest => "invalid_request",
            Self::MethodNotFound => "method_not_found",
            Self::InvalidParams => "invalid_params",
            Self::ResourceNotFound => "resource_not_found",
            Self::InvalidMeta => "invalid_meta",
            Self::HeaderMismatch => "header_mismatch",
            Self::MissingCapability => "missing_capability",
            Self::UnsupportedVersion => "unsupported_version",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::TooLarge => "too_large",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::CircuitOpen => "circuit_open",
            Self::Overloaded => "overloaded",
            Self::ShuttingDown => "shutting_down",
            Self::Timeout => "timeout",
            Self::Internal => "internal",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the code is one of ours, whose meaning `data.kind` must tell.
    pub(crate) const fn is_application(self) -> bool {
        self.code() > 0
    }
}

impl Error {
    /// A failure with a message that the client may read.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            retry_after: None,
            data: None,
            quota: None,
            source: None,
            server_meta: None,
        }))
    }

    /// A defect of the server. The client reads only that there was one, and an id that the logs have too.
    pub fn internal(source: impl Into<BoxError>) -> Self {
        Self::new(ErrorKind::Internal, "internal error").with_source(source)
    }

    /// Wrong parameters: say which one, what is wrong with it, and what is allowed.
    pub fn invalid_params(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::InvalidParams, message)
    }

    /// There is no resource at that URI. The client reads the URI again, of a very long one the beginning.
    pub fn resource_not_found(uri: &str) -> Self {
        Self::no_resource(uri, "resource not found")
    }

    /// There is no tool of that name, or none that the caller may know of. The client reads the beginning of the name again.
    pub fn tool_not_found(name: &str) -> Self {
        Self::invalid_params(format!("unknown tool: {}", beginning(name)))
    }

    /// There is no prompt of that name, or none that the caller may know of. The client reads the beginning of the name
    /// again.
    pub fn prompt_not_found(name: &str) -> Self {
        Self::invalid_params(format!("unknown prompt: {}", beginning(name)))
    }

    pub(crate) fn no_resource(uri: &str, message: impl Into<Cow<'static, str>>) -> Self {
        #[derive(Serialize)]
        struct Data<'a> {
            uri: &'a str,
        }
        let end = uri.char_indices().nth(MAX_URI).map_or(uri.len(), |(end, _)| end);
        Self::new(ErrorKind::ResourceNotFound, message).with_data(&Data { uri: &uri[..end] })
    }

    /// The client did not declare a capability that the request needs.
    ///
    /// `required` is an object as in `ClientCapabilities`, such as `{"sampling": {}}`.
    pub fn missing_capability(required: &impl Serialize) -> Self {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Data<'a, T> {
            required_capabilities: &'a T,
        }
        Self::new(ErrorKind::MissingCapability, "the client lacks a required capability")
            .with_data(&Data { required_capabilities: required })
    }

    /// Says how long to wait before trying again.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.0.retry_after = Some(retry_after);
        self
    }

    /// Keeps what went wrong inside, for the logs only.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Sets the `data` member of the JSON-RPC error. Data that has no JSON form is left out.
    #[must_use]
    pub fn with_data(mut self, data: &impl Serialize) -> Self {
        self.0.data = serde_json::value::to_raw_value(data).ok();
        self
    }

    /// Says which allowance is used up; HTTP tells it in the headers `RateLimit-Policy` and `RateLimit`.
    #[must_use]
    pub fn with_quota(mut self, quota: Quota) -> Self {
        self.0.quota = Some(quota);
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What the client reads.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// How long to wait before trying again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Which allowance is used up.
    pub fn quota(&self) -> Option<&Quota> {
        self.0.quota.as_ref()
    }

    /// The `data` member of the JSON-RPC error, if one was set.
    pub fn data(&self) -> Option<&RawValue> {
        self.0.data.as_deref()
    }

    /// Whether a tool, or a layer around one, raised it. The client then gets a tool result with `isError`,
    /// which models read, instead of a protocol error.
    pub fn is_in_tool(&self) -> bool {
        self.0.server_meta.is_some()
    }

    pub(crate) fn in_tool(mut self, server_meta: ByteString) -> Self {
        self.0.server_meta = Some(server_meta);
        self
    }

    pub(crate) fn server_meta(&self) -> Option<&str> {
        self.0.server_meta.as_deref()
    }
}

/// What is sent back of a name that does not exist.
fn beginning(name: &str) -> String {
    name.chars().take(MAX_NAME).collect()
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("message", &inner.message)
            .field("retry_after", &inner.retry_after)
            .field("data", &inner.data)
            .field("source", &inner.source)
            .field("in_tool", &self.is_in_tool())
            .finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// Finds the [`Error`] that a foreign layer boxed, and knows the errors of tower's own layers. Anything else is
/// a defect of the server.
impl From<BoxError> for Error {
    fn from(error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => *error,
            Err(other) if other.is::<tower::timeout::error::Elapsed>() => {
                Self::new(ErrorKind::Timeout, "the operation took too long").with_source(other)
            }
            Err(other) if other.is::<tower::load_shed::error::Overloaded>() => {
                Self::new(ErrorKind::Overloaded, "the server is at its limit; try again shortly")
                    .with_source(other)
            }
            Err(other) => Self::internal(other),
        }
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boxed_error_is_found_again() {
        let boxed: BoxError = Box::new(Error::new(ErrorKind::RateLimited, "slow down"));
        assert_eq!(Error::from(boxed).kind(), ErrorKind::RateLimited);
    }

    #[test]
    fn an_unknown_error_shows_nothing_of_itself() {
        let boxed: BoxError = "password=hunter2".into();
        let error = Error::from(boxed);
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Internal, "internal error"));
    }
}
