//! Tasks as clients read them.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::encode::{begin, tool_error, write, write_meta};
use super::result::write_tool_result;
use crate::answer::AnswerKind;
use crate::error::Error;
use crate::json::RawJson;
use crate::protocol::{ProtocolVersion, RequestId};
use crate::request::Reply;
use crate::task::TaskRecord;
use crate::tool::ToolResult;

const VERSION: ProtocolVersion = ProtocolVersion::LATEST;

/// What came of a task, as the answer to its call would have been.
pub(crate) fn task_result(result: &ToolResult) -> RawJson {
    let mut out = Vec::new();
    write_tool_result(&mut out, result, "", VERSION);
    json(out)
}

/// A failure that the model can act on, as the answer to its call would have been.
pub(crate) fn task_failure(error: &Error) -> RawJson {
    json(tool_error(error, "", VERSION))
}

fn json(text: Vec<u8>) -> RawJson {
    let text = String::from_utf8(text).expect("what serialisers write is text");
    RawJson::trusted(text.into())
}

/// The answer to a call that goes on as a task.
pub(crate) fn created_task(
    record: &TaskRecord,
    meta: Option<&Map<String, Value>>,
    server_meta: &str,
) -> Reply {
    let mut out = br#"{"resultType":"task","#.to_vec();
    let members = Value::Object(record.summary()).to_string();
    out.extend_from_slice(&members.as_bytes()[1..members.len() - 1]);
    write_meta(&mut out, meta, server_meta, VERSION);
    out.push(b'}');
    Reply::of(AnswerKind::Task, out)
}

/// The answer to `tasks/get`.
pub(crate) fn encode_task(record: &TaskRecord, server_meta: &str) -> Reply {
    let mut out = begin(VERSION);
    out.extend_from_slice(record.details().as_bytes());
    write_meta(&mut out, None, server_meta, VERSION);
    out.push(b'}');
    Reply::of(AnswerKind::Complete, out)
}

/// The answer to `tasks/update` and `tasks/cancel`.
pub(crate) fn encode_task_note(server_meta: &str) -> Reply {
    let mut out = br#"{"resultType":"complete""#.to_vec();
    write_meta(&mut out, None, server_meta, VERSION);
    out.push(b'}');
    Reply::of(AnswerKind::Complete, out)
}

/// The notification of what has become of a task, on a subscription.
pub(crate) fn task_changed(record: &TaskRecord, subscription: &RequestId) -> Bytes {
    let mut out = br#"{"jsonrpc":"2.0","method":"notifications/tasks","params":{"_meta":{"#.to_vec();
    write(&mut out, "io.modelcontextprotocol/subscriptionId");
    out.push(b':');
    out.extend_from_slice(subscription.as_json().as_bytes());
    out.extend_from_slice(b"},");
    out.extend_from_slice(record.details().as_bytes());
    out.extend_from_slice(b"}}");
    out.into()
}
