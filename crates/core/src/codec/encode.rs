//! From answers to bytes, in the words of the client's revision.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use jsonrpsee_types::ErrorObject;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::result::write_tool_result;
use crate::answer::AnswerKind;
use crate::error::{Error, ErrorKind};
use crate::freshness::Freshness;
use crate::protocol::{ProtocolVersion, RequestId};
use crate::request::Reply;
use crate::tool::ToolResult;

/// Writes the answer to a request.
///
/// A failure that a tool raised becomes a tool result with `isError`; any other becomes a JSON-RPC error. A defect of
/// the server is logged here together with the id that the client reads.
pub fn encode(id: Option<&RequestId>, answer: &Result<Reply, Error>, version: ProtocolVersion) -> Bytes {
    match answer {
        Ok(reply) if reply.kind == AnswerKind::InputRequired && !version.is_modern() => {
            let why = "this needs input from the user, which cannot be asked for on this connection";
            with_error(id, &Error::new(ErrorKind::InvalidRequest, why), version)
        }
        Ok(reply) => with_result(id, &reply.bytes),
        Err(error) => match error.server_meta() {
            Some(server_meta) => with_result(id, &tool_error(error, server_meta, version)),
            None => with_error(id, error, version),
        },
    }
}

fn with_result(id: Option<&RequestId>, result: &[u8]) -> Bytes {
    let id = id.map_or("null", RequestId::as_json);
    // Joined to the byte: what is exactly full becomes `Bytes` as it is.
    let parts: [&[u8]; 5] = [br#"{"jsonrpc":"2.0","id":"#, id.as_bytes(), br#","result":"#, result, b"}"];
    parts.concat().into()
}

fn with_error(id: Option<&RequestId>, error: &Error, version: ProtocolVersion) -> Bytes {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Data<'a> {
        kind: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        details: Option<&'a RawValue>,
    }
    let kind = error.kind();
    let retry_after_ms = error.retry_after().map(millis);
    let data = if kind.is_application() {
        let data = Data { kind: kind.name(), retry_after_ms, details: error.data() };
        serde_json::value::to_raw_value(&data).ok().map(Cow::Owned)
    } else {
        error.data().map(Cow::Borrowed)
    };
    let object = ErrorObject::borrowed(code(kind, version), "", None);
    let object = match data {
        Some(data) => ErrorObject::owned(object.code(), client_message(error), Some(data)),
        None => ErrorObject::owned(object.code(), client_message(error), None::<()>),
    };
    let mut out = Vec::with_capacity(160);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","#);
    // The revision wants no `id` at all where none could be read; JSON-RPC's `null` is for older ones.
    if let Some(id) = id {
        out.extend_from_slice(br#""id":"#);
        out.extend_from_slice(id.as_json().as_bytes());
        out.push(b',');
    }
    out.extend_from_slice(br#""error":"#);
    write(&mut out, &object);
    out.push(b'}');
    out.into()
}

/// A resource that is not there had a code of its own until 2026-07-28 (server/resources, "Error Handling").
fn code(kind: ErrorKind, version: ProtocolVersion) -> i32 {
    if kind == ErrorKind::ResourceNotFound && !version.is_modern() { -32002 } else { kind.code() }
}

/// What the client reads of a failure. A defect shows an id only; the logs have the rest under the same id.
pub(crate) fn client_message(error: &Error) -> Cow<'_, str> {
    if error.kind() != ErrorKind::Internal {
        return Cow::Borrowed(error.message());
    }
    let id = error_id();
    let source = std::error::Error::source(error);
    tracing::error!(error_id = id, error = source, message = error.message());
    Cow::Owned(format!("{} (error id {id})", error.message()))
}

/// Ids that do not repeat within a process and differ between processes.
fn error_id() -> String {
    static PROCESS: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let process = PROCESS.get_or_init(|| RandomState::new().hash_one(std::process::id()));
    format!("{:08x}-{:x}", process & 0xffff_ffff, COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A failure as a tool result that the model can act on.
pub(super) fn tool_error(error: &Error, server_meta: &str, version: ProtocolVersion) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Facts {
        kind: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    }
    let mut text = client_message(error).into_owned();
    if let Some(retry_after) = error.retry_after() {
        let seconds = millis(retry_after).div_ceil(1000).max(1);
        text.push_str(&format!(" Try again in {seconds} s."));
    }
    let facts = Facts { kind: error.kind().name(), retry_after_ms: error.retry_after().map(millis) };
    let mut meta = Map::new();
    meta.insert("dev.towline/error".into(), serde_json::to_value(facts).unwrap_or_default());
    let result = ToolResult::error(text).with_meta(meta);
    let mut out = Vec::with_capacity(256);
    write_tool_result(&mut out, &result, server_meta, version);
    out
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// The beginning of a result.
pub(super) fn begin(version: ProtocolVersion) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    begin_in(&mut out, version);
    out
}

pub(super) fn begin_in(out: &mut Vec<u8>, version: ProtocolVersion) {
    out.push(b'{');
    if version.is_modern() {
        out.extend_from_slice(br#""resultType":"complete","#);
    }
}

/// How long a result may be kept, which only modern clients are told.
pub(super) fn write_freshness(out: &mut Vec<u8>, freshness: Freshness, version: ProtocolVersion) {
    if version.is_modern() {
        let Freshness { ttl, scope } = freshness;
        let hints = format!(r#","ttlMs":{},"cacheScope":"{}""#, millis(ttl), scope.as_str());
        out.extend_from_slice(hints.as_bytes());
    }
}

/// `,"_meta":{..}`, if there is anything in it: modern results say which server they are from.
pub(super) fn write_meta(
    out: &mut Vec<u8>,
    own: Option<&Map<String, Value>>,
    server_meta: &str,
    version: ProtocolVersion,
) {
    let server_meta = if version.is_modern() { server_meta } else { "" };
    let own = own.filter(|meta| !meta.is_empty());
    if server_meta.is_empty() && own.is_none() {
        return;
    }
    out.extend_from_slice(br#","_meta":{"#);
    out.extend_from_slice(server_meta.as_bytes());
    for (n, (key, value)) in own.into_iter().flatten().enumerate() {
        if n > 0 || !server_meta.is_empty() {
            out.push(b',');
        }
        write(out, key);
        out.push(b':');
        write(out, value);
    }
    out.push(b'}');
}

/// The answer of a method that is not the protocol's own.
pub(crate) fn encode_custom_result(
    result: &impl Serialize,
    version: ProtocolVersion,
) -> Result<Reply, Error> {
    let text = serde_json::to_string(result).map_err(Error::internal)?;
    let Some(members) = text.strip_prefix('{') else {
        return Err(Error::internal("a result must be an object"));
    };
    if !version.is_modern() {
        return Ok(Reply::of(AnswerKind::Complete, text));
    }
    let comma = if members == "}" { "" } else { "," };
    let text = format!(r#"{{"resultType":"complete"{comma}{members}"#);
    Ok(Reply::of(AnswerKind::Complete, text))
}

/// Writes JSON. It cannot fail: memory does not, and the types that come here have a JSON form.
pub(super) fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("protocol types have a JSON form");
}

/// One notification as a line of JSON. `None` if the parameters have no JSON form, which only data of a tool's
/// own can bring about; a log message is not worth failing the request.
pub(crate) fn notification(method: &'static str, params: &impl Serialize) -> Option<Bytes> {
    #[derive(Serialize)]
    struct Notification<'a, T> {
        jsonrpc: jsonrpsee_types::TwoPointZero,
        method: &'static str,
        params: &'a T,
    }
    let notification = Notification { jsonrpc: jsonrpsee_types::TwoPointZero, method, params };
    let text = serde_json::to_string(&notification).ok()?;
    Some(ByteString::from(text).into_bytes())
}

/// The end of a subscription that the server closes, as the answer to the request that opened it.
pub(crate) fn end_of_subscription(id: &RequestId, server_meta: &str) -> Reply {
    let id = id.as_json();
    let text = format!(
        r#"{{"resultType":"complete","_meta":{{{server_meta},"io.modelcontextprotocol/subscriptionId":{id}}}}}"#
    );
    Reply::of(AnswerKind::Complete, text)
}
