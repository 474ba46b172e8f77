//! Results in the words of the client's revision.

use serde_json::{Map, Value};

use super::encode::{begin, begin_in, write, write_freshness, write_meta};
use super::task::created_task;
use crate::answer::AnswerKind;
use crate::freshness::Freshness;
use crate::input::{InputRequired, StateSeal};
use crate::prompt::PromptResult;
use crate::protocol::{Completion, Content, ProtocolVersion, ResourceContents};
use crate::request::Reply;
use crate::resource::ResourceResult;
use crate::tool::ToolResult;

pub(crate) fn encode_tool_result(
    result: &ToolResult,
    server_meta: &str,
    version: ProtocolVersion,
    seal: &StateSeal,
) -> Reply {
    if let Some(input) = result.input() {
        return encode_input_required(input, result.meta(), server_meta, seal);
    }
    if let Some(record) = result.task_record() {
        return created_task(record, result.meta(), server_meta);
    }
    let size = result.structured().map_or(0, |json| json.as_str().len() * 2);
    let mut out = Vec::with_capacity(256 + size);
    write_tool_result(&mut out, result, server_meta, version);
    Reply::of(result.kind(), out)
}

/// What a read gives.
pub(crate) fn encode_resource_result(
    result: &ResourceResult,
    server_meta: &str,
    version: ProtocolVersion,
    seal: &StateSeal,
) -> Reply {
    if let Some(input) = result.input() {
        return encode_input_required(input, result.meta(), server_meta, seal);
    }
    let mut out = begin(version);
    out.extend_from_slice(br#""contents":["#);
    for (n, contents) in result.contents().iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        write_contents(&mut out, contents, version);
    }
    out.push(b']');
    write_freshness(&mut out, result.freshness().unwrap_or(Freshness::NONE), version);
    write_meta(&mut out, result.meta(), server_meta, version);
    out.push(b'}');
    Reply::of(AnswerKind::Complete, out)
}

/// What a prompt gives.
pub(crate) fn encode_prompt_result(
    result: &PromptResult,
    server_meta: &str,
    version: ProtocolVersion,
    seal: &StateSeal,
) -> Reply {
    if let Some(input) = result.input() {
        return encode_input_required(input, result.meta(), server_meta, seal);
    }
    let mut out = begin(version);
    if let Some(description) = result.description() {
        out.extend_from_slice(br#""description":"#);
        write(&mut out, description);
        out.push(b',');
    }
    out.extend_from_slice(br#""messages":["#);
    for (n, message) in result.messages().iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        out.extend_from_slice(br#"{"role":"#);
        write(&mut out, &message.role);
        out.extend_from_slice(br#","content":"#);
        write_content(&mut out, &message.content, version);
        out.push(b'}');
    }
    out.push(b']');
    write_meta(&mut out, result.meta(), server_meta, version);
    out.push(b'}');
    Reply::of(AnswerKind::Complete, out)
}

pub(crate) fn encode_completion(
    completion: &Completion,
    server_meta: &str,
    version: ProtocolVersion,
) -> Reply {
    let mut out = begin(version);
    out.extend_from_slice(br#""completion":"#);
    write(&mut out, completion);
    write_meta(&mut out, None, server_meta, version);
    out.push(b'}');
    Reply::of(AnswerKind::Complete, out)
}

/// basic/patterns/mrtr: what the client must give before the work goes on. For an older revision, which has no such
/// answer, the transport asks the client on its behalf.
fn encode_input_required(
    input: &InputRequired,
    meta: Option<&Map<String, Value>>,
    server_meta: &str,
    seal: &StateSeal,
) -> Reply {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(br#"{"resultType":"input_required""#);
    if !input.requests.is_empty() {
        out.extend_from_slice(br#","inputRequests":{"#);
        for (n, (key, request)) in input.requests.iter().enumerate() {
            if n > 0 {
                out.push(b',');
            }
            write(&mut out, key);
            out.push(b':');
            write(&mut out, request);
        }
        out.push(b'}');
    }
    if input.has_state() {
        out.extend_from_slice(br#","requestState":"#);
        write(&mut out, &seal.seal(input));
    }
    write_meta(&mut out, meta, server_meta, ProtocolVersion::LATEST);
    out.push(b'}');
    Reply::of(AnswerKind::InputRequired, out)
}

pub(super) fn write_tool_result(
    out: &mut Vec<u8>,
    result: &ToolResult,
    server_meta: &str,
    version: ProtocolVersion,
) {
    begin_in(out, version);
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
        Content::Resource(embedded) if version < ProtocolVersion::V2025_06_18 => {
            let mut embedded = embedded.clone();
            embedded.meta = None;
            embedded.resource.meta = None;
            embedded.annotations = embedded.annotations.map(|annotations| annotations.for_version(version));
            write(out, &Content::Resource(embedded));
        }
        other => write(out, other),
    }
}

fn write_contents(out: &mut Vec<u8>, contents: &ResourceContents, version: ProtocolVersion) {
    if version < ProtocolVersion::V2025_06_18 && contents.meta.is_some() {
        return write(out, &ResourceContents { meta: None, ..contents.clone() });
    }
    write(out, contents);
}
