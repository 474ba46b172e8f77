use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;
use towline::protocol::LogLevel;
use towline::{Context, Error, ToolSet, tool_fn};

use crate::asking::Nothing;
use crate::schema;

const STEP: Duration = Duration::from_millis(20);
/// Long enough for a client to lose its stream before there is an answer.
const PAUSE: Duration = Duration::from_millis(100);

/// Tools that report, look at the request, and take arguments in uncommon ways.
pub fn behaviour() -> ToolSet {
    ToolSet::new()
        .with(tool_fn("test_tool_with_progress", "Reports progress.", progress))
        .with(tool_fn("test_tool_with_logging", "Logs.", log))
        .with(tool_fn("test_logging_tool", "Logs.", log))
        .with(tool_fn("test_missing_capability", "Needs sampling.", needs_sampling))
        .with(tool_fn("test_reconnection", "Lets its client go, and come back for the answer.", reconnect))
        .with(tool_fn("test_custom_header", "Takes an argument from a header too.", async |args: Custom| {
            args.value
        }))
        .with(schema::tool())
}

#[derive(Deserialize, JsonSchema)]
struct Custom {
    /// Anything.
    #[schemars(extend("x-mcp-header" = "Value"))]
    value: String,
}

async fn progress(_: Nothing, context: Context) -> &'static str {
    for (done, message) in [(0.0, "begun"), (50.0, "half"), (100.0, "done")] {
        context.progress(done, Some(100.0), Some(message)).await;
        sleep(STEP).await;
    }
    "finished"
}

async fn log(_: Nothing, context: Context) -> &'static str {
    context.log(LogLevel::Debug, Some("test"), &"a detail").await;
    for text in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
        context.log(LogLevel::Info, Some("test"), &text).await;
        sleep(STEP).await;
    }
    "logged"
}

async fn reconnect(_: Nothing, context: Context) -> &'static str {
    context.release_stream(PAUSE).await;
    sleep(PAUSE).await;
    "Reconnection test completed: the answer came on a stream of its own."
}

async fn needs_sampling(_: Nothing, context: Context) -> Result<&'static str, Error> {
    if context.client_supports("sampling") {
        return Ok("sampling is there");
    }
    Err(Error::missing_capability(&json!({"sampling": {}})))
}
