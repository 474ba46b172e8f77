//! What the tests of several layers need.

#![allow(dead_code, reason = "not every test file needs all of it")]

use serde_json::json;
use towline_core::{Context, RawJson, ToolCall};

/// A call of a tool that may be called twice, without arguments.
pub(crate) fn call(tool: &str) -> ToolCall {
    ToolCall::new(tool, RawJson::EMPTY_OBJECT, Context::default()).with_idempotent(true)
}

/// The same with arguments.
pub(crate) fn call_with(tool: &str, arguments: &serde_json::Value) -> ToolCall {
    ToolCall::new(tool, RawJson::from_value(arguments).unwrap_or(RawJson::EMPTY_OBJECT), Context::default())
}

/// What a client of the current revision sends to call a tool.
pub(crate) fn request(tool: &str) -> towline_core::Request {
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"});
    towline_core::Request::new("tools/call", &json!({"name": tool, "arguments": {}, "_meta": meta}))
        .expect("an object is a good request")
}
