//! An MCP server for PostgreSQL databases.

mod args;
mod config;
mod startup;

use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use towline::health::HealthCheck;
use towline::http::{HttpServer, HttpService};
use towline::middleware::Stack;
use towline::postgres::Pool;
use towline::{Router, Serve, Server, postgres, stdio};
use tracing_subscriber::EnvFilter;

use crate::args::Args;
use crate::config::{Config, ConfigError, ServerConfig};

const INSTRUCTIONS: &str = "\
Answers questions from PostgreSQL databases, read-only. Begin with list_tables, then get_table_schema for the \
tables that matter; suggest_queries and analyze_table help to know the data. execute_query runs one SELECT; give \
values as parameters ($1, $2), and aggregate in SQL instead of fetching many rows.";

/// A setting must be changed before the server can work.
const EXIT_CONFIG: u8 = 2;

fn main() -> ExitCode {
    let mut args = Args::parse();
    // By hand, because an empty variable is as good as none.
    let file = || std::env::var_os("TOWLINE_CONFIG").filter(|file| !file.is_empty());
    args.config = args.config.or_else(|| file().map(Into::into));
    let config = match Config::load(&args, environment()) {
        Ok(config) => config,
        Err(error) => return fail(EXIT_CONFIG, &error),
    };
    let filter = match EnvFilter::try_new(&args.log) {
        Ok(filter) => filter,
        Err(_) => {
            return fail(EXIT_CONFIG, &"--log: not a filter; try `info`, or `info,towline_postgres=debug`");
        }
    };
    // Standard output belongs to the protocol.
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    match run(&config, args.check_config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => fail(code, &message),
    }
}

/// The environment, but for what is no text: that is none of ours.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Why the process ends early.
struct Failure {
    code: u8,
    message: String,
}

#[tokio::main]
async fn run(config: &Config, check_only: bool) -> Result<(), Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure { code: EXIT_CONFIG, message: error.to_string() };
    let mut pools = Vec::new();
    for database in config.databases.values() {
        pools.push(Pool::new(database.clone()).map_err(|error| wrong(&error))?);
    }
    let (router, stack) = layered(config, &pools).map_err(|error| wrong(&error))?;
    startup::check(&pools, check_only).await?;
    if check_only {
        let names: Vec<&str> = pools.iter().map(Pool::name).collect();
        say(&format!("The configuration works. Databases: {}", names.join(", ")));
        return Ok(());
    }
    serve(&config.server, Server::new(router).layer(stack.server())).await
}

/// What the server offers, with the layers of its tools and databases around them.
fn layered(config: &Config, pools: &[Pool]) -> Result<(Router, Stack), ConfigError> {
    let explain = |error| config.explain_layers(error);
    let names = pools.iter().map(Pool::name);
    let stack = Stack::new(config.layers.clone()).map_err(explain)?;
    let stack = stack.upstreams(names, postgres::database_of(pools)).map_err(explain)?;
    let checks = pools.iter().map(|pool| Arc::new(pool.clone()) as Arc<dyn HealthCheck>);
    let router =
        Router::new("database-server", env!("CARGO_PKG_VERSION")).instructions(INSTRUCTIONS).health(checks);
    let router = stack.tools(router, postgres::tools(pools.iter().cloned())).map_err(explain)?;
    Ok((router, stack))
}

async fn serve(config: &ServerConfig, server: impl Serve) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure { code: 1, message: format!("serving failed: {error}") };
    if config.stdio {
        return stdio::serve(server).await.map_err(failed);
    }
    let hosts = config.allowed_hosts.iter().cloned();
    let service = hosts.fold(HttpService::new(server), HttpService::allow_host);
    let origins = config.allowed_origins.iter().cloned();
    let service = origins.fold(service, HttpService::allow_origin);
    let serving = HttpServer::from(service).path(config.path.as_str()).serve(config.listen);
    serving.await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied => Failure {
            code: 1,
            message: format!(
                "cannot listen on {} ({}): choose another with --listen",
                config.listen,
                error.kind()
            ),
        },
        _ => failed(error),
    })
}

fn fail(code: u8, message: &dyn std::fmt::Display) -> ExitCode {
    // Nothing can be done about a standard error that cannot be written to.
    let _ = writeln!(std::io::stderr(), "database-server: {message}");
    ExitCode::from(code)
}

fn say(message: &str) {
    let _ = writeln!(std::io::stdout(), "{message}");
}
