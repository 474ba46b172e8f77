//! An MCP server for HTTP APIs.

mod args;
mod config;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use towline::health::HealthCheck;
use towline::http_api::{self, Api, Apis, ConfigError};
use towline::middleware::Stack;
use towline::ops::{self, Admin, Drain, Failure, Reload};
use towline::{Router, Serve, Server, ToolSet};

use crate::args::Args;
use crate::config::Config;

/// Gives memory back when a crowd has gone. The system's keeps it, and musl's has one lock for all threads.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const INSTRUCTIONS: &str = "\
Calls the HTTP APIs that this server is configured for, and no others. Where a tool is named after what you need, use it; \
call_rest_api reaches the rest. Trim long answers with `select`, and page through long lists instead of asking for \
everything.";

fn main() -> ExitCode {
    let args = Args::parse();
    let load = || config::load(&args, ops::environment());
    ops::run("api-server", &args.common, load, |config| serve(&args, config))
}

#[tokio::main]
async fn serve(args: &Args, config: Config) -> Result<(), Failure> {
    let logs = ops::log_to_stderr(&config.log)?;
    let is_check = args.common.check_config;
    let stack = Stack::new(config.layers.clone()).map_err(|error| config.source.tell_layers(error))?;
    let explain = |error| config::tell(&config.source, &error);
    let apis = Api::builder().breakers(stack.breakers()).build_all(&config.own.apis).map_err(explain)?;
    let tools = tools(&apis).await.map_err(explain)?;
    let build = {
        let (stack, apis) = (stack.clone(), apis.clone());
        move |config: &Config| server(config, &stack, &apis, &tools, is_check)
    };
    let server = build(&config)?;
    let drain = Drain::new();
    let about = ("api-server", env!("CARGO_PKG_VERSION"));
    let admin = Admin::new(&config.admin, &config.source, about, &stack, checks(&apis), &drain)?;
    if is_check {
        let names: Vec<&str> = apis.iter().map(Api::name).collect();
        ops::say(&format!("The configuration works. APIs: {}", names.join(", ")));
        return Ok(());
    }
    admin.start().await?;
    let again = args.clone();
    let load = move || config::load(&again, ops::environment());
    ops::serve(config, server, &drain, Reload::new(logs, load, build)).await
}

/// The tools over the APIs, with those of their documents.
async fn tools(apis: &Apis) -> Result<ToolSet, ConfigError> {
    let imported = apis.import().await?;
    for (api, report) in &imported.reports {
        tracing::info!(api, "imported {report}");
    }
    Ok(http_api::tools(apis).merge(imported.tools))
}

/// The tools, with the layers of these settings around them and around all.
fn server(
    config: &Config,
    stack: &Stack,
    apis: &Apis,
    tools: &ToolSet,
    is_check: bool,
) -> Result<impl Serve + use<>, Failure> {
    let explain = |error| config.source.tell_layers(error);
    let stack = stack.next(config.layers.clone()).map_err(explain)?;
    let router =
        Router::new("api-server", env!("CARGO_PKG_VERSION")).instructions(INSTRUCTIONS).health(checks(apis));
    let server = Server::new(stack.tools(router, tools.clone()).map_err(explain)?);
    config.check_scopes(&server, is_check)?;
    stack.take_over();
    // Within what counts: a refusal is one of the things that happen.
    Ok(server.layer(config.auth.scopes()).layer(stack.server()))
}

fn checks(apis: &Apis) -> impl Iterator<Item = Arc<dyn HealthCheck>> {
    apis.iter().map(|api| Arc::new(api.clone()) as Arc<dyn HealthCheck>)
}
