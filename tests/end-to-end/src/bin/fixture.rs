//! A server with tools, resources and prompts of every kind, for clients to try.
//!
//! `fixture --stdio` or `fixture --listen 127.0.0.1:8080`. It has what the official conformance suite asks for, from
//! `conformance-server`, and more. With `--changing` before that it also asks its clients and tells them what changes, for
//! which older ones need a session over HTTP.

use std::env;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use towline::protocol::{Annotations, Content, Icon, Role, ToolAnnotations};
use towline::{
    Context, Error, Json, Resource, Router, Server, ToolResult, ToolSet, http, resource_fn, stdio, tool_fn,
};

const STEP: Duration = Duration::from_millis(20);

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (router, arguments) = match &arguments[..] {
        ["--changing", arguments @ ..] => (changing(router()), arguments),
        arguments => (router(), arguments),
    };
    let server = Server::new(router);
    match arguments {
        ["--stdio"] => stdio::serve(server).await,
        ["--listen", address] => {
            let address: SocketAddr = address.parse().map_err(std::io::Error::other)?;
            http::serve(server, address).await
        }
        _ => Err(std::io::Error::other("usage: fixture [--changing] --stdio | --listen ADDRESS")),
    }
}

fn router() -> Router {
    Router::new("fixture", "1.2.3")
        .instructions("Try everything.")
        .tools(conformance_server::content())
        .tools(content())
        .tools(conformance_server::behaviour())
        .tools(behaviour())
        .resources(conformance_server::resources())
        .resource(broken())
        .prompts(conformance_server::prompts())
        .health([])
}

fn changing(mut router: Router) -> Router {
    let registry = router.registry();
    router
        .tools(conformance_server::asking())
        .tools(conformance_server::rounds())
        .tools(conformance_server::changes(&registry))
}

/// Tools that answer with kinds of content that the suite does not ask for.
fn content() -> ToolSet {
    ToolSet::new()
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

fn broken() -> impl Resource {
    resource_fn("test://broken", "broken", async || Err::<String, Error>(Error::internal("secret detail")))
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

/// Tools that wait, fail and look at the request.
fn behaviour() -> ToolSet {
    let dropped = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&dropped);
    ToolSet::new()
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

async fn who(_: Nothing, context: Context) -> String {
    let client = context.client_info().map_or_else(|| "nobody".to_owned(), |info| info.name);
    format!("{client} {}", context.version())
}

async fn panics() -> String {
    panic!("secret detail")
}
