//! An MCP server for HTTP APIs.

mod args;
mod config;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use towline::health::HealthCheck;
use towline::http_api::{self, Api, Apis};
use towline::middleware::Stack;
use towline::ops::{self, Admin, Command, Drain, Failure};
use towline::{Router, Server};

use crate::args::Args;
use crate::config::Config;

const INSTRUCTIONS: &str = "\
Calls the HTTP APIs that this server is configured for, and no others. Where a tool is named after what you need, use it; \
call_rest_api reaches the rest. Trim long answers with `select`, and page through long lists instead of asking for \
everything.";

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(Command::ApiKey(wanted)) = &args.common.command {
        return ops::api_key("api-server", wanted);
    }
    match Config::load(&args, ops::environment()).and_then(|config| start(&args.common, &config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report("api-server"),
    }
}

fn start(args: &ops::ServeArgs, config: &Config) -> Result<(), Failure> {
    match args.command {
        Some(_) => ops::healthcheck(&config.server, &config.admin),
        None => run(args, config),
    }
}

#[tokio::main]
async fn run(args: &ops::ServeArgs, config: &Config) -> Result<(), Failure> {
    ops::log_to_stderr(&args.log)?;
    let stack = Stack::new(config.layers.clone()).map_err(|error| config.tell_layers(error))?;
    let builder = Api::builder().breakers(stack.breakers());
    let apis = builder.build_all(&config.apis).map_err(|error| config.tell_api(&error))?;
    let router = router(config, &stack, &apis).await?;
    if args.check_config {
        let names: Vec<&str> = apis.iter().map(Api::name).collect();
        ops::say(&format!("The configuration works. APIs: {}", names.join(", ")));
        return Ok(());
    }
    let drain = Drain::new();
    let about = ("api-server", env!("CARGO_PKG_VERSION"));
    let checks = apis.iter().map(|api| Arc::new(api.clone()) as Arc<dyn HealthCheck>);
    Admin::new(&config.admin, &config.source, about, &stack, checks, &drain)?.start().await?;
    // Within what counts: a refusal is one of the things that happen.
    let server = Server::new(router).layer(config.auth.scopes()).layer(stack.server());
    ops::serve(&config.server, &config.auth, server, &drain).await
}

/// What the server offers, with the layers of its tools around them.
async fn router(config: &Config, stack: &Stack, apis: &Apis) -> Result<Router, Failure> {
    let imported = apis.import().await.map_err(|error| config.tell_api(&error))?;
    for (api, report) in &imported.reports {
        tracing::info!(api, "imported {report}");
    }
    let tools = http_api::tools(apis).merge(imported.tools);
    let checks = apis.iter().map(|api| Arc::new(api.clone()) as Arc<dyn HealthCheck>);
    let router =
        Router::new("api-server", env!("CARGO_PKG_VERSION")).instructions(INSTRUCTIONS).health(checks);
    stack.tools(router, tools).map_err(|error| config.tell_layers(error))
}
