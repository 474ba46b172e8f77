//! From a body to a request, held against the headers that mirror it.
//!
//! Source: basic/transports/streamable-http, "Request Metadata".

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use towline_core::codec::{self, Agreed, DecodeError, Limits, Message};
use towline_core::protocol::{ProtocolVersion, RequestId};
use towline_core::{Context, Error, ErrorKind, Principal, Request};

use super::head::Head;
use super::respond::status_of;
use super::session::Session;
use crate::in_flight::cancelled;

/// What a client has sent.
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart at once and never kept, so a box would only cost"
)]
pub(super) enum Received {
    /// It wants an answer.
    Request(RequestId, Request),
    /// It is of a session that is not there.
    NoSession,
    /// It wants none.
    Accepted,
    /// It is not served.
    Refused(StatusCode, Bytes),
}

/// The session of a message is not there.
struct NoSession;

/// Whether a message is of a session.
#[derive(Clone, Debug)]
pub(super) enum Of {
    /// Of none.
    Nobody,
    /// Of this one.
    Session(Arc<Session>),
    /// Of one that is not there, or not the caller's.
    Unknown,
}

impl Of {
    /// Whether the client's revision has batches: 2025-03-26, which without a session is also that of who names none.
    pub(super) fn has_batches(&self, head: &Head) -> bool {
        match self {
            Self::Session(session) => session.has_batches(),
            Self::Unknown => true,
            Self::Nobody => version(head).is_ok_and(|version| {
                version.is_none_or(|version| version == ProtocolVersion::V2025_03_26.as_str())
            }),
        }
    }

    /// The session of a message, if it is in a revision that has any.
    fn legacy(&self, message: &Request, head: &Head) -> Result<Option<&Arc<Session>>, NoSession> {
        let is_modern = || {
            message.context().meta().protocol_version().is_some()
                || version(head).is_ok_and(|version| version == Some(ProtocolVersion::LATEST.as_str()))
        };
        match self {
            Self::Nobody => Ok(None),
            _ if is_modern() => Ok(None),
            Self::Session(session) => Ok(Some(session)),
            Self::Unknown => Err(NoSession),
        }
    }
}

pub(super) fn read(
    body: Bytes,
    head: &mut Head,
    limits: &Limits,
    of: &Of,
    caller: Option<&Principal>,
) -> Received {
    match codec::decode(body, limits) {
        Ok(Message::Request(id, mut request)) => {
            let settled = match of.legacy(&request, head) {
                Ok(None) => settle(&mut request, head),
                Ok(Some(session)) => known_version(head).and_then(|()| session.negotiate(&mut request)),
                Err(NoSession) => return Received::NoSession,
            };
            match settled {
                Ok(()) => Received::Request(id, request),
                Err(error) => refuse(Some(&id), error),
            }
        }
        Ok(Message::Notification(mut notification)) => {
            match of.legacy(&notification, head) {
                Ok(None) => {}
                Ok(Some(session)) => {
                    notify(session, &notification, caller);
                    return Received::Accepted;
                }
                Err(NoSession) => return Received::NoSession,
            }
            // The revision defines no notification and no header for any; what must not pass is a version that the
            // server does not speak.
            match version(head)
                .and_then(|version| codec::negotiate(&mut notification, Agreed::Header(version)))
            {
                Err(error) if error.kind() == ErrorKind::UnsupportedVersion => refuse(None, error),
                _ => Received::Accepted,
            }
        }
        Ok(Message::Response(response)) => match of {
            Of::Session(session) => {
                session.answer(response);
                Received::Accepted
            }
            Of::Unknown => Received::NoSession,
            Of::Nobody => Received::Accepted,
        },
        Err(DecodeError { id, error }) => refuse(id.as_ref(), error),
    }
}

/// Takes note of what the client of a session tells.
fn notify(session: &Session, notification: &Request, caller: Option<&Principal>) {
    match notification.method() {
        "notifications/cancelled" => {
            if let Some(id) = cancelled(notification) {
                session.cancel(&id);
            }
        }
        "notifications/initialized" => {
            let mut context = Context::default();
            if let Some(caller) = caller {
                context.extensions_mut().insert(caller.clone());
            }
            session.begin_to_tell(&context);
        }
        _ => {}
    }
}

/// A header that names a version must name one that the server speaks, whatever the session's is.
fn known_version(head: &Head) -> Result<(), Error> {
    match version(head)? {
        Some(version) if ProtocolVersion::parse(version).is_none() => {
            Err(Error::new(ErrorKind::UnsupportedVersion, "unsupported protocol version"))
        }
        _ => Ok(()),
    }
}

fn refuse(id: Option<&RequestId>, error: Error) -> Received {
    let status = status_of(&error);
    Received::Refused(status, codec::encode(id, &Err(error), ProtocolVersion::LATEST))
}

/// Settles the revision of a request, and of a modern one holds the headers against the body.
fn settle(request: &mut Request, head: &mut Head) -> Result<(), Error> {
    codec::negotiate(request, Agreed::Header(version(head)?))?;
    if !request.context().version().is_modern() {
        return Ok(());
    }
    match &head.method {
        None => return Err(mismatch("the header `Mcp-Method` is missing".into())),
        Some(method) if method.as_bytes() != request.method().as_bytes() => {
            return Err(differs("Mcp-Method", &String::from_utf8_lossy(method.as_bytes()), request.method()));
        }
        Some(_) => {}
    }
    // Without a subject the request is wrong for another reason, which its method knows.
    if let Some(subject) = request.subject().filter(|_| is_named(request.method())) {
        let Some(name) = &head.name else {
            return Err(mismatch("the header `Mcp-Name` is missing".into()));
        };
        let name = codec::decode_header_value(name.as_bytes())?;
        if name != subject {
            return Err(differs("Mcp-Name", &name, subject));
        }
    }
    request.context_mut().set_header_params(std::mem::take(&mut head.params));
    Ok(())
}

/// Whether requests of that method mirror what they are about in `Mcp-Name`.
fn is_named(method: &str) -> bool {
    matches!(
        method,
        "tools/call" | "resources/read" | "prompts/get" | "tasks/get" | "tasks/update" | "tasks/cancel"
    )
}

fn version(head: &Head) -> Result<Option<&str>, Error> {
    let text = head.version.as_ref().map(HeaderValue::to_str).transpose();
    text.map_err(|_| mismatch("the header `MCP-Protocol-Version` has invalid characters".into()))
}

fn differs(header: &str, sent: &str, body: &str) -> Error {
    let cut = |text: &str| text.chars().take(64).collect::<String>();
    mismatch(format!("the header `{header}` says {:?}, the body says {:?}", cut(sent), cut(body)))
}

fn mismatch(message: String) -> Error {
    Error::new(ErrorKind::HeaderMismatch, message)
}
