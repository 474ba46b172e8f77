//! A server with tools, resources and prompts of every kind, for clients to try.
//!
//! `fixture --stdio` or `fixture --listen 127.0.0.1:8080`. The tools whose names begin with `test_`, and
//! `json_schema_2020_12_tool`, are those that the official conformance suite asks for.

use std::env;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::time::sleep;
use towline::protocol::{
    Annotations, CacheScope, Content, Icon, LogLevel, PromptMessage, ResourceContents, Role, ToolAnnotations,
};
use towline::{
    Context, Error, FixedResource, Json, PromptSet, ResourceSet, Router, Server, ToolResult, ToolSet, http,
    prompt_fn, resource_fn, stdio, tool_fn,
};

/// One pixel.
const PNG: &[u8] = include_bytes!("pixel.png");
/// One sample.
const WAV: &[u8] = include_bytes!("sample.wav");

const STEP: Duration = Duration::from_millis(20);

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let server = Server::new(
        Router::new("fixture", "1.2.3")
            .instructions("Try everything.")
            .tools(content())
            .tools(behaviour())
            .resources(resources())
            .prompts(prompts())
            .health([]),
    );
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--stdio"] => stdio::serve(server).await,
        ["--listen", address] => {
            let address: SocketAddr = address.parse().map_err(std::io::Error::other)?;
            http::serve(server, address).await
        }
        _ => Err(std::io::Error::other("usage: fixture --stdio | --listen ADDRESS")),
    }
}

/// Tools that answer with every kind of content.
fn content() -> ToolSet {
    ToolSet::new()
        .with(tool_fn(
            "test_simple_text",
            "Answers text.",
            async || "This is a simple text response for testing.",
        ))
        .with(tool_fn("test_image_content", "Answers an image.", async || {
            ToolResult::new([Content::image(PNG, "image/png")])
        }))
        .with(tool_fn("test_audio_content", "Answers a sound.", async || {
            ToolResult::new([Content::audio(WAV, "audio/wav")])
        }))
        .with(tool_fn("test_embedded_resource", "Answers a resource.", async || {
            ToolResult::new([Content::embedded_text(
                "test://embedded-resource",
                "text/plain",
                "This is an embedded resource content.",
            )])
        }))
        .with(tool_fn("test_multiple_content_types", "Answers several kinds of content.", async || {
            ToolResult::new([
                Content::text("Multiple content types test:"),
                Content::image(PNG, "image/png"),
                Content::embedded_text(
                    "test://mixed-content-resource",
                    "application/json",
                    r#"{"test":"data","value":123}"#,
                ),
            ])
        }))
        .with(tool_fn("test_error_handling", "Answers that it failed.", async || {
            ToolResult::error("This tool intentionally returns an error for testing")
        }))
        .with(tool_fn("blob", "Answers a binary resource.", async || {
            ToolResult::new([Content::embedded_blob(
                "test://blob",
                "application/octet-stream",
                &[0, 255, 128],
            )])
        }))
        .with(tool_fn("link", "Answers a link to a resource.", async || {
            ToolResult::new([Content::link("file:///report.pdf", "report")])
        }))
        .with(tool_fn("annotated", "Answers text for the person alone.", async || {
            let annotations = Annotations::for_audience([Role::User]).with_priority(0.5);
            ToolResult::new([Content::text("for you").annotated(annotations)])
        }))
        .with(
            tool_fn("add", "Adds two numbers.", async |Terms { a, b }: Terms| Json(Sum { sum: a + b }))
                .read_only()
                .define(|definition| {
                    definition.with_title("Addition").with_icon(Icon::new("data:image/png;base64,AAAA"))
                }),
        )
}

/// Resources of every kind, those first that the conformance suite asks for.
fn resources() -> ResourceSet {
    let text = FixedResource::text(
        "test://static-text",
        "static-text",
        "text/plain",
        "This is the content of the static text resource.",
    )
    .define(|definition| {
        let annotations = Annotations::for_audience([Role::User]).with_last_modified("2026-01-12T15:00:58Z");
        definition
            .with_title("Text")
            .with_description("Text that never changes.")
            .with_annotations(annotations)
    })
    .fresh_for(Duration::from_secs(60), CacheScope::Public);
    let binary = FixedResource::blob("test://static-binary", "static-binary", "image/png", PNG)
        .define(|definition| definition.with_description("A pixel."));
    let template = resource_fn("test://template/{id}/data", "template", async |Id { id }: Id| {
        json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")}).to_string()
    })
    .define(|definition| definition.with_description("Data by number.").with_mime_type("application/json"))
    .complete("id", async |_| vec!["123", "124", "200"]);
    let broken = resource_fn("test://broken", "broken", async || {
        Err::<String, Error>(Error::internal("secret detail"))
    });
    ResourceSet::new().with(text).with(binary).with(template).with(broken)
}

#[derive(Deserialize, JsonSchema)]
struct Id {
    id: u32,
}

/// Prompts of every kind, as the conformance suite asks for them.
fn prompts() -> PromptSet {
    let simple =
        prompt_fn("test_simple_prompt", "Says a sentence.", async || "This is a simple prompt for testing.");
    let arguments = prompt_fn("test_prompt_with_arguments", "Says what it is given.", async |args: Pair| {
        format!("Prompt with arguments: arg1='{}', arg2='{}'", args.arg1, args.arg2)
    })
    .define(|definition| definition.with_title("Arguments"))
    .complete("arg1", async |_| vec!["test1", "test2", "other"]);
    let embedded = prompt_fn("test_prompt_with_embedded_resource", "Has a resource.", async |args: Uri| {
        let resource = ResourceContents::text(args.uri, "Embedded resource content for testing.");
        [
            PromptMessage::user(Content::embedded(resource.with_mime_type("text/plain"))),
            PromptMessage::user("Please process the embedded resource above."),
        ]
    });
    let image = prompt_fn("test_prompt_with_image", "Has a picture.", async || {
        [
            PromptMessage::user(Content::image(PNG, "image/png")),
            PromptMessage::user("Please analyze the image above."),
        ]
    });
    PromptSet::new().with(simple).with(arguments).with(embedded).with(image)
}

#[derive(Deserialize, JsonSchema)]
struct Pair {
    /// The first.
    arg1: String,
    /// The second.
    arg2: String,
}

#[derive(Deserialize, JsonSchema)]
struct Uri {
    /// Where the resource is said to be.
    #[serde(rename = "resourceUri")]
    uri: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Terms {
    /// The first number.
    #[schemars(range(max = 1000))]
    a: i64,
    /// The second number.
    b: i64,
}

#[derive(Serialize, JsonSchema)]
struct Sum {
    /// What both make.
    sum: i64,
}

/// Tools that report, wait, fail and look at the request.
fn behaviour() -> ToolSet {
    let dropped = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&dropped);
    ToolSet::new()
        .with(tool_fn("test_tool_with_progress", "Reports progress.", progress))
        .with(tool_fn("test_tool_with_logging", "Logs.", log))
        .with(tool_fn("test_logging_tool", "Logs.", log))
        .with(tool_fn("test_missing_capability", "Needs sampling.", needs_sampling))
        .with(tool_fn("test_streaming_elicitation", "Answers at once.", async || "nothing to ask"))
        .with(tool_fn("test_custom_header", "Takes an argument from a header too.", async |args: Custom| {
            args.value
        }))
        .with(tool_fn("json_schema_2020_12_tool", "Has an elaborate schema.", anything).define(
            |mut definition| {
                definition.input_schema = elaborate_schema();
                definition
            },
        ))
        .with(
            tool_fn("panic", "Panics.", panics)
                .define(|definition| definition.with_annotations(ToolAnnotations::default())),
        )
        .with(tool_fn("defect", "Fails inside.", async || {
            Err::<String, Error>(Error::internal("secret detail"))
        }))
        .with(tool_fn("who", "Tells what it knows of the client.", who))
        .with(tool_fn("slow", "Takes a minute.", move |_: Nothing| {
            let guard = Dropped(Arc::clone(&dropped));
            async move {
                sleep(Duration::from_secs(60)).await;
                drop(guard);
                "slept"
            }
        }))
        .with(tool_fn("nap", "Takes as long as it is told.", async |Nap { ms }: Nap| {
            sleep(Duration::from_millis(ms)).await;
            "rested"
        }))
        .with(tool_fn("abandoned", "Tells how many calls of `slow` ended early.", move |_: Nothing| {
            let seen = Arc::clone(&seen);
            async move {
                // A cancellation may still be on its way.
                for _ in 0..100 {
                    if seen.load(Ordering::SeqCst) > 0 {
                        break;
                    }
                    sleep(STEP).await;
                }
                seen.load(Ordering::SeqCst).to_string()
            }
        }))
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
struct Custom {
    /// Anything.
    #[schemars(extend("x-mcp-header" = "Value"))]
    value: String,
}

#[derive(Deserialize, JsonSchema)]
struct Nap {
    /// Milliseconds.
    ms: u64,
}

struct Dropped(Arc<AtomicU32>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

async fn progress(_: Nothing, context: Context) -> &'static str {
    for (done, message) in [(0.0, "begun"), (50.0, "half"), (100.0, "done")] {
        context.progress(done, Some(100.0), Some(message)).await;
        sleep(STEP).await;
    }
    "finished"
}

async fn log(_: Nothing, context: Context) -> &'static str {
    context.log(LogLevel::Debug, Some("fixture"), &"a detail").await;
    for text in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
        context.log(LogLevel::Info, Some("fixture"), &text).await;
        sleep(STEP).await;
    }
    "logged"
}

async fn needs_sampling(_: Nothing, context: Context) -> Result<&'static str, Error> {
    if context.client_supports("sampling") {
        return Ok("sampling is there");
    }
    Err(Error::missing_capability(&json!({"sampling": {}})))
}

async fn who(_: Nothing, context: Context) -> String {
    let client = context.client_info().map_or_else(|| "nobody".to_owned(), |info| info.name);
    format!("{client} {}", context.version())
}

async fn anything(arguments: Map<String, Value>) -> String {
    format!("{} arguments", arguments.len())
}

async fn panics() -> String {
    panic!("secret detail")
}

fn elaborate_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            },
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}
