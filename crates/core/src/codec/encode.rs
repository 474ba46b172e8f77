//! From answers to bytes, in the words of the client's revision.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use jsonrpsee_types::ErrorObject;
use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Cursor;
use crate::answer::AnswerKind;
use crate::error::{Error, ErrorKind};
use crate::protocol::{CacheScope, Content, Implementation, ProtocolVersion, RequestId, ToolDefinition};
use crate::request::Reply;
use crate::tool::{InputRequired, ToolResult};

/// Writes the answer to a request.
///
/// A failure that a tool raised becomes a tool result with `isError`; any other becomes a JSON-RPC error. A defect of
/// the server is logged here together with the id that the client reads.
pub fn encode(id: Option<&RequestId>, answer: &Result<Reply, Error>, version: ProtocolVersion) -> Bytes {
    match answer {
        Ok(reply) => with_result(id, &reply.bytes),
        Err(error) => match error.server_meta() {
            Some(server_meta) => with_result(id, &tool_error(error, server_meta, version)),
            None => with_error(id, error),
        },
    }
}

fn with_result(id: Option<&RequestId>, result: &[u8]) -> Bytes {
    let id = id.map_or("null", RequestId::as_json);
    // Joined to the byte: what is exactly full becomes `Bytes` as it is.
    let parts: [&[u8]; 5] = [br#"{"jsonrpc":"2.0","id":"#, id.as_bytes(), br#","result":"#, result, b"}"];
    parts.concat().into()
}

fn with_error(id: Option<&RequestId>, error: &Error) -> Bytes {
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
    let object = ErrorObject::borrowed(kind.code(), "", None);
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

/// What the client reads of a failure. A defect shows an id only; the logs have the rest under the same id.
fn client_message(error: &Error) -> Cow<'_, str> {
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
fn tool_error(error: &Error, server_meta: &str, version: ProtocolVersion) -> Vec<u8> {
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

pub(crate) fn encode_tool_result(result: &ToolResult, server_meta: &str, version: ProtocolVersion) -> Reply {
    if let Some(input) = result.input() {
        return encode_input_required(input, result, server_meta, version);
    }
    let size = result.structured().map_or(0, |json| json.as_str().len() * 2);
    let mut out = Vec::with_capacity(256 + size);
    write_tool_result(&mut out, result, server_meta, version);
    Reply::of(result.kind(), out)
}

/// basic/patterns/mrtr: what the client must give before the work goes on.
fn encode_input_required(
    input: &InputRequired,
    result: &ToolResult,
    server_meta: &str,
    version: ProtocolVersion,
) -> Reply {
    let mut out = Vec::with_capacity(256);
    if !version.is_modern() {
        let text = "This tool needs input from the user, which this client's protocol revision cannot give.";
        write_tool_result(&mut out, &ToolResult::error(text), server_meta, version);
        return Reply::of(AnswerKind::ToolError, out);
    }
    out.extend_from_slice(br#"{"resultType":"input_required","inputRequests":"#);
    out.extend_from_slice(input.requests.as_str().as_bytes());
    if let Some(state) = &input.state {
        out.extend_from_slice(br#","requestState":"#);
        write(&mut out, &**state);
    }
    write_meta(&mut out, result.meta(), server_meta, version);
    out.push(b'}');
    Reply::of(AnswerKind::InputRequired, out)
}

fn write_tool_result(out: &mut Vec<u8>, result: &ToolResult, server_meta: &str, version: ProtocolVersion) {
    out.push(b'{');
    if version.is_modern() {
        out.extend_from_slice(br#""resultType":"complete","#);
    }
    out.extend_from_slice(br#""content":["#);
    for (n, content) in result.content().iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        write_content(out, content, version);
    }
    out.push(b']');
    if let Some(json) = result.structured().filter(|json| takes_structured(json.as_str(), version)) {
        out.extend_from_slice(br#","structuredContent":"#);
        out.extend_from_slice(json.as_str().as_bytes());
    }
    if result.is_error() {
        out.extend_from_slice(br#","isError":true"#);
    }
    write_meta(out, result.meta(), server_meta, version);
    out.push(b'}');
}

/// Structured results came with 2025-06-18, and until 2026-07-28 had to be objects.
fn takes_structured(json: &str, version: ProtocolVersion) -> bool {
    version.is_modern() || (version >= ProtocolVersion::V2025_06_18 && json.starts_with('{'))
}

/// `,"_meta":{..}`, if there is anything in it: modern results say which server they are from.
fn write_meta(
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

fn write_content(out: &mut Vec<u8>, content: &Content, version: ProtocolVersion) {
    match content {
        Content::Text(text) if text.annotations.is_none() && text.meta.is_none() => {
            out.extend_from_slice(br#"{"type":"text","text":"#);
            write(out, &*text.text);
            out.push(b'}');
        }
        Content::Audio(audio) if version < ProtocolVersion::V2025_03_26 => {
            let note =
                format!("[{} audio, which this client's protocol revision cannot carry]", audio.mime_type);
            write(out, &Content::text(note));
        }
        Content::ResourceLink(link) if version < ProtocolVersion::V2025_06_18 => {
            write(out, &Content::text(format!("{}: {}", link.name, link.uri)));
        }
        other => write(out, other),
    }
}

/// What a server says of itself, written once.
#[derive(Debug)]
pub(crate) struct Identity {
    info: Implementation,
    instructions: Option<String>,
    /// The member that modern results carry in `_meta`.
    meta: ByteString,
}

impl Identity {
    pub(crate) fn new(info: Implementation, instructions: Option<String>) -> Self {
        let json = serde_json::to_string(&info).expect("strings and lists of strings have a JSON form");
        let meta = format!(r#""io.modelcontextprotocol/serverInfo":{json}"#).into();
        Self { info, instructions, meta }
    }

    pub(crate) fn info(&self) -> &Implementation {
        &self.info
    }

    pub(crate) fn meta(&self) -> &ByteString {
        &self.meta
    }

    /// As the older revision knows it.
    fn info_for(&self, version: ProtocolVersion) -> Implementation {
        let mut info = Implementation::new(&self.info.name, &self.info.version);
        if version >= ProtocolVersion::V2025_06_18 {
            info.title.clone_from(&self.info.title);
        }
        if version >= ProtocolVersion::V2025_11_25 {
            info = self.info.clone();
        }
        info
    }
}

/// How long, and by whom, an answer may be kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListHints {
    pub(crate) ttl: Duration,
    pub(crate) scope: CacheScope,
}

impl ListHints {
    fn write(self, out: &mut Vec<u8>) {
        let hints = format!(r#","ttlMs":{},"cacheScope":"{}""#, millis(self.ttl), self.scope.as_str());
        out.extend_from_slice(hints.as_bytes());
    }
}

/// The answer to `server/discover`.
pub(crate) fn discovery(identity: &Identity, capabilities: &impl Serialize, hints: ListHints) -> Reply {
    let mut out = br#"{"resultType":"complete","supportedVersions":"#.to_vec();
    write(&mut out, &ProtocolVersion::ALL.map(ProtocolVersion::as_str));
    out.extend_from_slice(br#","capabilities":"#);
    write(&mut out, capabilities);
    if let Some(instructions) = &identity.instructions {
        out.extend_from_slice(br#","instructions":"#);
        write(&mut out, instructions);
    }
    hints.write(&mut out);
    write_meta(&mut out, None, &identity.meta, ProtocolVersion::LATEST);
    out.push(b'}');
    Reply::of(AnswerKind::Complete, out)
}

/// The answer to `initialize`, in an older revision.
pub(crate) fn initialization(
    identity: &Identity,
    capabilities: &impl Serialize,
    version: ProtocolVersion,
) -> Reply {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct InitializeResult<'a, C> {
        protocol_version: &'static str,
        capabilities: &'a C,
        server_info: Implementation,
        #[serde(skip_serializing_if = "Option::is_none")]
        instructions: Option<&'a str>,
    }
    let mut out = Vec::new();
    let result = InitializeResult {
        protocol_version: version.as_str(),
        capabilities,
        server_info: identity.info_for(version),
        instructions: identity.instructions.as_deref(),
    };
    write(&mut out, &result);
    Reply::of(AnswerKind::Complete, out)
}

/// The pages of `tools/list`. There is always one, if only an empty one.
pub(crate) fn tool_pages<'a>(
    tools: impl Iterator<Item = &'a ToolDefinition>,
    page_size: Option<NonZeroUsize>,
    digest: u64,
    hints: ListHints,
    server_meta: &str,
    version: ProtocolVersion,
) -> Vec<Reply> {
    let tools: Vec<&ToolDefinition> = tools.collect();
    let size = page_size.map_or(tools.len().max(1), NonZeroUsize::get);
    let pages = tools.len().div_ceil(size).max(1);
    let page = |number: usize| {
        let mut out = vec![b'{'];
        if version.is_modern() {
            out.extend_from_slice(br#""resultType":"complete","#);
        }
        out.extend_from_slice(br#""tools":["#);
        for (n, tool) in tools.iter().skip(number * size).take(size).enumerate() {
            if n > 0 {
                out.push(b',');
            }
            write(&mut out, &Versioned(tool, version));
        }
        out.push(b']');
        if number + 1 < pages {
            let next = u32::try_from(number + 1).expect("a list has fewer pages than 2^32");
            out.extend_from_slice(br#","nextCursor":"#);
            write(&mut out, &Cursor { digest, page: next }.encode());
        }
        if version.is_modern() {
            hints.write(&mut out);
        }
        write_meta(&mut out, None, server_meta, version);
        out.push(b'}');
        Reply::of(AnswerKind::Complete, out)
    };
    (0..pages).map(page).collect()
}

/// A tool's definition as a revision knows it.
struct Versioned<'a>(&'a ToolDefinition, ProtocolVersion);

impl Serialize for Versioned<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use ProtocolVersion::{V2025_03_26, V2025_06_18, V2025_11_25};
        let Self(tool, version) = *self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &*tool.name)?;
        if let Some(title) = tool.title.as_ref().filter(|_| version >= V2025_06_18) {
            map.serialize_entry("title", title)?;
        }
        map.serialize_entry("description", &tool.description)?;
        map.serialize_entry("inputSchema", &tool.input_schema)?;
        let speaks = |schema: &&Value| {
            version.is_modern()
                || (version >= V2025_06_18 && schema.get("type") == Some(&Value::from("object")))
        };
        if let Some(schema) = tool.output_schema.as_ref().filter(speaks) {
            map.serialize_entry("outputSchema", schema)?;
        }
        if version >= V2025_03_26 && !tool.annotations.is_empty() {
            map.serialize_entry("annotations", &tool.annotations)?;
        }
        if version >= V2025_11_25 && !tool.icons.is_empty() {
            map.serialize_entry("icons", &tool.icons)?;
        }
        if let Some(meta) = tool.meta.as_ref().filter(|_| version >= V2025_06_18) {
            map.serialize_entry("_meta", meta)?;
        }
        map.end()
    }
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
fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("protocol types have a JSON form");
}
