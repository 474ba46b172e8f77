//! A request and its answer, at the level of a server.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::answer::AnswerKind;
use crate::codec;
use crate::context::Context;
use crate::error::Error;
use crate::json::RawJson;
use crate::operation::Operation;
use crate::protocol::ProtocolVersion;
use crate::session::SessionOffer;

/// A request to a server. A clone is a few refcounts.
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) method: ByteString,
    pub(crate) params: Params,
    pub(crate) context: Context,
}

/// The parameters, and the members of them that routing needs, found while the request was decoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params {
    pub(crate) raw: Option<RawJson>,
    /// `name`, `uri` or `taskId`: the one that the method mirrors in `Mcp-Name`.
    pub(crate) subject: Option<ByteString>,
    pub(crate) arguments: Option<RawJson>,
}

impl Request {
    /// A request of the latest revision, made in code. `params` must serialise as an object.
    ///
    /// # Errors
    ///
    /// When `params` has no JSON form, or is no object.
    pub fn new(method: impl Into<ByteString>, params: &impl Serialize) -> Result<Self, Error> {
        let params = RawJson::from_value(params)?;
        let method = method.into();
        let (params, meta) = codec::decode_params(&method, &params)?;
        let context = Context::new(ProtocolVersion::LATEST, meta.into());
        Ok(Self { method, params, context })
    }

    /// The method, such as `tools/call`. A client chooses it, so it may be anything.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The parameters, unparsed.
    pub fn params(&self) -> Option<&RawJson> {
        self.params.raw.as_ref()
    }

    /// Parses the parameters.
    ///
    /// # Errors
    ///
    /// `InvalidParams` when they are not what `T` expects.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let parsed = match &self.params.raw {
            Some(params) => params.parse(),
            None => serde_json::from_str("{}"),
        };
        parsed.map_err(|error| Error::invalid_params(format!("invalid parameters: {error}")))
    }

    /// What the request is about: the name of a tool or prompt, the URI of a resource. It is the value that
    /// the HTTP header `Mcp-Name` mirrors.
    pub fn subject(&self) -> Option<&str> {
        self.params.subject.as_deref()
    }

    /// Whether the answer is the end of a stream that goes on for as long as both sides want it.
    pub fn is_stream(&self) -> bool {
        &*self.method == "subscriptions/listen"
    }

    /// Whether the request could have notifications at all: it asks for some, or is a [stream](Self::is_stream). A transport
    /// attaches a notifier only then, so that any other answer is a single JSON object.
    pub fn wants_notifications(&self) -> bool {
        self.context.wants_notifications() || self.is_stream()
    }

    /// What else is known of the request.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// What else is known of the request, to add to it.
    pub fn context_mut(&mut self) -> &mut Context {
        &mut self.context
    }
}

impl Operation for Request {
    fn name(&self) -> &str {
        &self.method
    }

    fn method(&self) -> &str {
        &self.method
    }

    fn target(&self) -> Option<&str> {
        self.subject()
    }

    fn arguments(&self) -> Option<&RawJson> {
        self.params.raw.as_ref()
    }

    fn is_idempotent(&self) -> bool {
        matches!(
            &*self.method,
            "server/discover"
                | "initialize"
                | "ping"
                | "tools/list"
                | "prompts/list"
                | "prompts/get"
                | "resources/list"
                | "resources/templates/list"
                | "resources/read"
                | "completion/complete"
                | "tasks/get"
                | "subscriptions/listen"
        )
    }

    fn is_stream(&self) -> bool {
        Self::is_stream(self)
    }

    fn context(&self) -> &Context {
        &self.context
    }

    fn context_mut(&mut self) -> &mut Context {
        &mut self.context
    }
}

/// A serialised `result`. A clone is a refcount, so an answer can be kept and sent again.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(crate) bytes: Bytes,
    pub(crate) kind: AnswerKind,
    /// Of the answer to a handshake.
    session: Option<Arc<SessionOffer>>,
}

impl PartialEq for Reply {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.kind == other.kind
    }
}

impl Eq for Reply {}

impl Reply {
    /// The answer of a method of one's own: an object, to which the revision's own members are added.
    ///
    /// # Errors
    ///
    /// When `result` has no JSON form, or is no object.
    pub fn new(result: &impl Serialize, version: ProtocolVersion) -> Result<Self, Error> {
        codec::encode_custom_result(result, version)
    }

    /// Text that a serialiser of ours has made.
    pub(crate) fn of(kind: AnswerKind, bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), kind, session: None }
    }

    pub(crate) fn with_session(mut self, offer: SessionOffer) -> Self {
        self.session = Some(Arc::new(offer));
        self
    }

    /// Of the answer to a handshake: what to keep of the client, if anything.
    pub fn session(&self) -> Option<&SessionOffer> {
        self.session.as_deref()
    }

    /// The JSON text of the `result` member.
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The same answer with another `result`, for layers that leave something out of it. It must be JSON text of an object of
    /// the same kind.
    #[must_use]
    pub fn with_bytes(mut self, bytes: impl Into<Bytes>) -> Self {
        self.bytes = bytes.into();
        self
    }

    /// What it says of the work.
    pub fn kind(&self) -> AnswerKind {
        self.kind
    }
}
