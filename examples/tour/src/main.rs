//! Asks a running server what a model would ask, and prints the answers.
//!
//! The client is the official Rust SDK, `rmcp`, over Streamable HTTP. It expects the sample shop or the sample APIs
//! behind the server, as `cargo xtask demo` starts them, and fails when an answer is not of the kind that it should be.

mod apis;
mod call;
mod database;
mod print;

use std::env;
use std::process::ExitCode;
use std::time::Instant;

use rmcp::model::{CallToolRequestParams, CallToolResult, ClientConfig, ProtocolVersion};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{Peer, RoleClient};

use call::{Call, Expect};

/// Why the tour ended early.
#[derive(Debug, thiserror::Error)]
enum TourError {
    #[error("usage: tour <URL> [database|api], for example tour http://127.0.0.1:8080/mcp")]
    Usage,
    #[error("could not connect to {url}: {source}")]
    Connect { url: String, source: Box<rmcp::service::ClientInitializeError> },
    #[error("{0}")]
    Protocol(#[from] rmcp::ServiceError),
    #[error("the answer to `{tool}` should have been {expected}")]
    Unexpected { tool: &'static str, expected: &'static str },
    #[error("the answer to `{tool}` should have said {expected:?}")]
    Silent { tool: &'static str, expected: &'static str },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), TourError> {
    let url = env::args().nth(1).filter(|url| url.starts_with("http")).ok_or(TourError::Usage)?;
    let calls = match env::args().nth(2).as_deref() {
        None | Some("database") => database::tour(),
        Some("api") => apis::tour(),
        Some(_) => return Err(TourError::Usage),
    };
    // Whether its HTTP client brings a cryptography of its own depends on who else is built.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let transport = StreamableHttpClientTransport::from_uri(url.as_str());
    // What a client does that wants the newest revision and takes an older one.
    let lifecycle = ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: Some(ProtocolVersion::V_2025_11_25),
    };
    let client = ClientConfig::default()
        .serve_with_lifecycle(transport, lifecycle)
        .await
        .map_err(|source| TourError::Connect { url: url.clone(), source: Box::new(source) })?;
    if let Some(peer) = client.peer_info() {
        let server = peer.server_info.as_ref().map_or("a server", |info| info.name.as_str());
        print::note(&format!("connected to {server}, protocol revision {}", peer.protocol_version));
    }

    list_tools(&client).await?;
    for call in calls {
        make(&client, &call).await?;
    }
    // Best effort: the answers are in.
    let _ = client.cancel().await;
    Ok(())
}

async fn list_tools(client: &Peer<RoleClient>) -> Result<(), TourError> {
    let started = Instant::now();
    let tools = client.list_all_tools().await?;
    print::question("What can this server do?", "tools/list", started.elapsed());
    for tool in &tools {
        print::tool(&tool.name, tool.description.as_deref().unwrap_or_default());
    }
    Ok(())
}

async fn make(client: &Peer<RoleClient>, call: &Call) -> Result<(), TourError> {
    tokio::time::sleep(call.pause).await;
    let started = Instant::now();
    let params = CallToolRequestParams::new(call.tool).with_arguments(call.arguments.clone());
    let result = client.call_tool(params).await?;
    print::question(call.question, &call.headline(), started.elapsed());
    print::sql(call.sql());
    let is_error = result.is_error.unwrap_or(false);
    if is_error {
        print::refusal(&text(&result));
    } else {
        print::answer(&laid_out(text(&result)), call.lines);
    }
    if !text(&result).contains(call.says) {
        return Err(TourError::Silent { tool: call.tool, expected: call.says });
    }
    match call.expect {
        Expect::Answer if is_error => Err(TourError::Unexpected { tool: call.tool, expected: "no error" }),
        Expect::Refusal if !is_error => Err(TourError::Unexpected { tool: call.tool, expected: "an error" }),
        _ => Ok(()),
    }
}

/// JSON on lines of its own, anything else as it is.
fn laid_out(text: String) -> String {
    let json = serde_json::from_str::<serde_json::Value>(&text).ok().filter(|json| !json.is_string());
    json.and_then(|json| serde_json::to_string_pretty(&json).ok()).unwrap_or(text)
}

fn text(result: &CallToolResult) -> String {
    let blocks = result.content.iter().filter_map(|block| block.as_text());
    blocks.map(|block| block.text.as_str()).collect::<Vec<_>>().join("\n")
}
