//! From bytes to a request: one pass, nothing copied.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;

use super::scan::{Limits, ScanError, Scanner, Span};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::json::RawJson;
use crate::meta::{Place, Places, RequestMeta};
use crate::protocol::{ProtocolVersion, RequestId};
use crate::request::{Params, Request};

/// One message from a client.
#[derive(Clone, Debug)]
pub enum Message {
    /// It wants an answer with the same id.
    Request(RequestId, Request),
    /// It wants none.
    Notification(Request),
    /// An answer to a request that the server sent; only clients of older revisions have any.
    Response(Response),
}

/// An answer of the client's.
#[derive(Clone, Debug)]
pub struct Response {
    /// The id of the request; none if the client did not know it.
    pub id: Option<RequestId>,
    /// The `result` member, or the `error` member.
    pub outcome: Result<RawJson, RawJson>,
}

/// Why bytes are no message, and the id to answer with if one could be read.
#[derive(Debug)]
pub struct DecodeError {
    /// The id, if the message had a good one.
    pub id: Option<RequestId>,
    /// What to answer.
    pub error: Error,
}

/// Reads one message. Its revision is not settled yet: that takes [`negotiate`](super::negotiate), for which the
/// transport says what it knows.
///
/// # Errors
///
/// When the bytes are not UTF-8, not JSON, over a bound of `limits`, or no JSON-RPC 2.0 message. A batch is refused
/// without reading it.
pub fn decode(bytes: Bytes, limits: &Limits) -> Result<Message, DecodeError> {
    let text = ByteString::try_from(bytes)
        .map_err(|_| DecodeError { id: None, error: Error::new(ErrorKind::Parse, "not UTF-8") })?;
    if text.len() > Place::MAX_TEXT {
        let error = Error::new(ErrorKind::TooLarge, "the message is longer than 4 GiB");
        return Err(DecodeError { id: None, error });
    }
    let mut found = Found::default();
    let scanned = scan_message(&text, limits, &mut found);
    if found.has_two_ids {
        found.id = Place::default();
    }
    // A bad message is answered with its id if that was read before the fault.
    let id = found.id.share(&text).and_then(RequestId::from_json);
    let result = match scanned {
        Ok(()) => message(&text, &found, id.clone()),
        Err(error) => Err(refuse(error)),
    };
    result.map_err(|error| DecodeError { id, error })
}

/// Finds the members of parameters that were made in code.
pub(crate) fn decode_params(method: &str, raw: &RawJson) -> Result<(Params, RequestMeta), Error> {
    let text = raw.shared();
    // The caller is this program, and its bounds are its own.
    let limits = Limits {
        max_depth: usize::MAX,
        max_nodes: usize::MAX,
        max_members: usize::MAX,
        max_string: usize::MAX,
    };
    if text.len() > Place::MAX_TEXT {
        return Err(Error::invalid_params("`params` is longer than 4 GiB"));
    }
    let mut found = Found::default();
    let mut scanner = Scanner::new(&text, &limits);
    if scanner.peek() != Some(b'{') {
        return Err(Error::invalid_params("`params` must be an object"));
    }
    scan_params(&mut scanner, &mut found).map_err(refuse)?;
    Ok(found.params(&text, method))
}

/// Where in the text the members stand that matter.
#[derive(Default)]
pub(super) struct Found {
    jsonrpc: Place,
    pub(super) id: Place,
    /// Nobody can say which of them is meant.
    pub(super) has_two_ids: bool,
    pub(super) method: Place,
    params: Place,
    result: Place,
    error: Place,
    name: Place,
    uri: Place,
    task_id: Place,
    places: Places,
}

impl Found {
    fn params(&self, text: &ByteString, method: &str) -> (Params, RequestMeta) {
        // By method, never by what happens to be there: anyone else who reads the request, such as a gateway, must see
        // the same tool called.
        let subject = match method {
            "resources/read" | "resources/subscribe" | "resources/unsubscribe" => self.uri,
            "tasks/get" | "tasks/update" | "tasks/cancel" => self.task_id,
            _ => self.name,
        };
        let params = Params {
            subject: subject.range().map(|range| string(text, range)),
            arguments: self.places.arguments.json(text),
            raw: self.params.json(text),
        };
        let places = Places { subject, ..self.places };
        (params, RequestMeta { text: text.clone(), places, client: None })
    }
}

pub(super) fn scan_message(text: &str, limits: &Limits, found: &mut Found) -> Result<(), ScanError> {
    let mut scanner = Scanner::new(text, limits);
    match scanner.peek() {
        Some(b'{') => {}
        // Judged by `message`, which sees that there is no method.
        Some(b'[') => return Ok(()),
        _ => {
            scanner.value()?;
            return scanner.end();
        }
    }
    scanner.members(|scanner, key| {
        match key {
            "jsonrpc" => found.jsonrpc = scanner.value()?.into(),
            "id" => {
                found.has_two_ids |= found.id.range().is_some();
                found.id = scanner.value()?.into();
            }
            "method" => found.method = scanner.value()?.into(),
            "params" if scanner.peek() == Some(b'{') => scan_params(scanner, found)?,
            "params" => found.params = scanner.value()?.into(),
            "result" => found.result = scanner.value()?.into(),
            "error" => found.error = scanner.value()?.into(),
            _ => {
                scanner.value()?;
            }
        }
        Ok(())
    })?;
    scanner.end()
}

fn scan_params(scanner: &mut Scanner<'_>, found: &mut Found) -> Result<(), ScanError> {
    let span = scanner.members(|scanner, key| {
        match key {
            "name" if scanner.peek() == Some(b'"') => found.name = scanner.value()?.into(),
            "uri" if scanner.peek() == Some(b'"') => found.uri = scanner.value()?.into(),
            "taskId" if scanner.peek() == Some(b'"') => found.task_id = scanner.value()?.into(),
            "arguments" => found.places.arguments = scanner.value()?.into(),
            "cursor" => found.places.cursor = scanner.value()?.into(),
            "inputResponses" => found.places.input_responses = scanner.value()?.into(),
            "requestState" => found.places.request_state = scanner.value()?.into(),
            "_meta" if scanner.peek() == Some(b'{') => scan_meta(scanner, found)?,
            _ => {
                scanner.value()?;
            }
        }
        Ok(())
    })?;
    found.params = span.into();
    Ok(())
}

fn scan_meta(scanner: &mut Scanner<'_>, found: &mut Found) -> Result<(), ScanError> {
    let span = scanner.members(|scanner, key| {
        let places = &mut found.places;
        let slot = match key {
            "io.modelcontextprotocol/protocolVersion" => &mut places.protocol_version,
            "io.modelcontextprotocol/clientInfo" => &mut places.client_info,
            "io.modelcontextprotocol/clientCapabilities" => &mut places.client_capabilities,
            "io.modelcontextprotocol/logLevel" => &mut places.log_level,
            "progressToken" => &mut places.progress_token,
            "traceparent" => &mut places.traceparent,
            "tracestate" => &mut places.tracestate,
            _ => return scanner.value().map(drop),
        };
        *slot = scanner.value()?.into();
        Ok(())
    })?;
    found.places.meta = span.into();
    Ok(())
}

/// Makes a message of text that is JSON and within bounds.
fn message(text: &ByteString, found: &Found, id: Option<RequestId>) -> Result<Message, Error> {
    let invalid = |message: &'static str| Err(Error::new(ErrorKind::InvalidRequest, message));
    if text.trim_ascii_start().starts_with('[') {
        return invalid("this revision has no batches: send each message by itself");
    }
    if found.jsonrpc.of(text) != Some("\"2.0\"") {
        return invalid("a message must be an object with `\"jsonrpc\": \"2.0\"`");
    }
    if found.id.range().is_some() && id.is_none() {
        return invalid("`id` must be a string or an integer");
    }
    let Some(method) = found.method.range() else {
        let result = found.result.json(text).map(Ok);
        let Some(outcome) = result.or_else(|| found.error.json(text).map(Err)) else {
            return invalid("`method` is missing");
        };
        return Ok(Message::Response(Response { id, outcome }));
    };
    if !text[method.start..].starts_with('"') {
        return invalid("`method` must be a string");
    }
    if found.params.of(text).is_some_and(|params| !params.starts_with('{')) {
        return invalid("`params` must be an object");
    }
    let method = string(text, method);
    let (params, meta) = found.params(text, &method);
    let context = Context::new(ProtocolVersion::LATEST, Arc::new(meta)).with_id(id.as_ref());
    let request = Request { method, params, context };
    Ok(match id {
        Some(id) => Message::Request(id, request),
        None => Message::Notification(request),
    })
}

pub(super) fn refuse(error: ScanError) -> Error {
    match error {
        ScanError::Syntax(what, at) => {
            Error::new(ErrorKind::Parse, format!("not JSON: {what} (at byte {at})"))
        }
        ScanError::TooLarge(what, limit) => {
            Error::new(ErrorKind::InvalidRequest, format!("the message has more than {limit} {what}"))
        }
        ScanError::Duplicate(key) => {
            let key: String = key.chars().take(64).collect();
            Error::new(ErrorKind::InvalidRequest, format!("the key {key:?} stands twice in one object"))
        }
    }
}

/// What a JSON string says, without a copy if it has no escapes.
fn string(text: &ByteString, span: Span) -> ByteString {
    let inner = &text[span.start + 1..span.end - 1];
    if inner.contains('\\') {
        let text: String = serde_json::from_str(&text[span]).expect("the scanner has checked the string");
        return text.into();
    }
    text.slice_ref(inner)
}
