//! From bytes to a request: one pass, nothing copied.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;

use super::scan::{Limits, ScanError, Scanner, Span};
use crate::context::{Context, RequestMeta};
use crate::error::{Error, ErrorKind};
use crate::json::RawJson;
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
    Response,
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
    let mut found = Found::default();
    let scanned = scan_message(&text, limits, &mut found);
    if matches!(&scanned, Err(ScanError::Duplicate(key)) if key == "id") {
        // Nobody can say which of them is meant.
        found.id = None;
    }
    // A bad message is answered with its id if that was read before the fault.
    let id = found.id.as_ref().and_then(|span| RequestId::from_json(slice(&text, span)));
    let result = match scanned {
        Ok(()) => message(&text, found, id.clone()),
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
struct Found {
    jsonrpc: Option<Span>,
    id: Option<Span>,
    method: Option<Span>,
    params: Option<Span>,
    answer: bool,
    name: Option<Span>,
    uri: Option<Span>,
    task_id: Option<Span>,
    arguments: Option<Span>,
    cursor: Option<Span>,
    meta: Option<Span>,
    protocol_version: Option<Span>,
    client_info: Option<Span>,
    client_capabilities: Option<Span>,
    log_level: Option<Span>,
    progress_token: Option<Span>,
    traceparent: Option<Span>,
    tracestate: Option<Span>,
    input_responses: Option<Span>,
    request_state: Option<Span>,
}

impl Found {
    fn params(self, text: &ByteString, method: &str) -> (Params, RequestMeta) {
        // By method, never by what happens to be there: anyone else who reads the request, such as a gateway, must see
        // the same tool called.
        let subject = match method {
            "resources/read" | "resources/subscribe" | "resources/unsubscribe" => self.uri,
            "tasks/get" | "tasks/update" | "tasks/cancel" => self.task_id,
            _ => self.name,
        };
        let json = |span: Option<Span>| span.map(|span| RawJson::trusted(slice(text, &span)));
        let params = Params {
            subject: subject.map(|span| string(text, span)),
            arguments: json(self.arguments),
            cursor: json(self.cursor),
            input_responses: json(self.input_responses),
            request_state: json(self.request_state),
            raw: json(self.params),
        };
        let meta = RequestMeta {
            raw: json(self.meta),
            protocol_version: json(self.protocol_version),
            client_info: json(self.client_info),
            client_capabilities: json(self.client_capabilities),
            log_level: json(self.log_level),
            progress_token: json(self.progress_token),
            traceparent: json(self.traceparent),
            tracestate: json(self.tracestate),
        };
        (params, meta)
    }
}

fn scan_message(text: &ByteString, limits: &Limits, found: &mut Found) -> Result<(), ScanError> {
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
            "jsonrpc" => found.jsonrpc = Some(scanner.value()?),
            "id" => found.id = Some(scanner.value()?),
            "method" => found.method = Some(scanner.value()?),
            "params" if scanner.peek() == Some(b'{') => scan_params(scanner, found)?,
            "params" => found.params = Some(scanner.value()?),
            "result" | "error" => {
                found.answer = true;
                scanner.value()?;
            }
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
            "name" if scanner.peek() == Some(b'"') => found.name = Some(scanner.value()?),
            "uri" if scanner.peek() == Some(b'"') => found.uri = Some(scanner.value()?),
            "taskId" if scanner.peek() == Some(b'"') => found.task_id = Some(scanner.value()?),
            "arguments" => found.arguments = Some(scanner.value()?),
            "cursor" => found.cursor = Some(scanner.value()?),
            "inputResponses" => found.input_responses = Some(scanner.value()?),
            "requestState" => found.request_state = Some(scanner.value()?),
            "_meta" if scanner.peek() == Some(b'{') => scan_meta(scanner, found)?,
            _ => {
                scanner.value()?;
            }
        }
        Ok(())
    })?;
    found.params = Some(span);
    Ok(())
}

fn scan_meta(scanner: &mut Scanner<'_>, found: &mut Found) -> Result<(), ScanError> {
    let span = scanner.members(|scanner, key| {
        let slot = match key {
            "io.modelcontextprotocol/protocolVersion" => &mut found.protocol_version,
            "io.modelcontextprotocol/clientInfo" => &mut found.client_info,
            "io.modelcontextprotocol/clientCapabilities" => &mut found.client_capabilities,
            "io.modelcontextprotocol/logLevel" => &mut found.log_level,
            "progressToken" => &mut found.progress_token,
            "traceparent" => &mut found.traceparent,
            "tracestate" => &mut found.tracestate,
            _ => return scanner.value().map(drop),
        };
        *slot = Some(scanner.value()?);
        Ok(())
    })?;
    found.meta = Some(span);
    Ok(())
}

/// Makes a message of text that is JSON and within bounds.
fn message(text: &ByteString, found: Found, id: Option<RequestId>) -> Result<Message, Error> {
    let invalid = |message: &'static str| Err(Error::new(ErrorKind::InvalidRequest, message));
    if text.trim_ascii_start().starts_with('[') {
        return invalid("batches are not supported: send each message by itself");
    }
    if found.jsonrpc.as_ref().map(|span| &text[span.clone()]) != Some("\"2.0\"") {
        return invalid("a message must be an object with `\"jsonrpc\": \"2.0\"`");
    }
    let has_id = found.id.is_some();
    if has_id && id.is_none() {
        return invalid("`id` must be a string or an integer");
    }
    let Some(method) = &found.method else {
        return if found.answer { Ok(Message::Response) } else { invalid("`method` is missing") };
    };
    if !text[method.start..].starts_with('"') {
        return invalid("`method` must be a string");
    }
    if found.params.as_ref().is_some_and(|span| !text[span.start..].starts_with('{')) {
        return invalid("`params` must be an object");
    }
    let method = string(text, method.clone());
    let (params, meta) = found.params(text, &method);
    let context = Context::new(ProtocolVersion::LATEST, Arc::new(meta)).with_id(id.as_ref());
    let request = Request { method, params, context };
    Ok(match id {
        Some(id) => Message::Request(id, request),
        None => Message::Notification(request),
    })
}

fn refuse(error: ScanError) -> Error {
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

fn slice(text: &ByteString, span: &Span) -> ByteString {
    text.slice_ref(&text[span.clone()])
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
