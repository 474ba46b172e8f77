//! An MCP server for PostgreSQL databases.

mod args;
mod config;
mod startup;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use towline::health::{ConnectionPool, HealthCheck};
use towline::middleware::Stack;
use towline::ops::{self, Admin, Command, Drain, Failure};
use towline::postgres::Pool;
use towline::{Router, Server, postgres};

use crate::args::Args;
use crate::config::Config;

const INSTRUCTIONS: &str = "\
Answers questions from PostgreSQL databases, read-only. Begin with list_tables, then get_table_schema for the \
tables that matter; suggest_queries and analyze_table help to know the data. execute_query runs one SELECT; give \
values as parameters ($1, $2), and aggregate in SQL instead of fetching many rows.";

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(Command::ApiKey(wanted)) = &args.common.command {
        return ops::api_key("database-server", wanted);
    }
    match Config::load(&args, ops::environment()).and_then(|config| start(&args.common, &config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report("database-server"),
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
    let mut pools = Vec::new();
    for database in config.databases.values() {
        pools.push(Pool::new(database.clone()).map_err(Failure::settings)?);
    }
    let (router, stack) = layered(config, &pools)?;
    startup::check(&pools, args.check_config).await?;
    if args.check_config {
        let names: Vec<&str> = pools.iter().map(Pool::name).collect();
        ops::say(&format!("The configuration works. Databases: {}", names.join(", ")));
        return Ok(());
    }
    let drain = Drain::new();
    let about = ("database-server", env!("CARGO_PKG_VERSION"));
    let checks = pools.iter().map(|pool| Arc::new(pool.clone()) as Arc<dyn HealthCheck>);
    let connections = pools.iter().map(|pool| Arc::new(pool.clone()) as Arc<dyn ConnectionPool>);
    let admin = Admin::new(&config.admin, &config.source, about, &stack, checks, &drain)?;
    admin.pools(connections).start().await?;
    // Within what counts: a refusal is one of the things that happen.
    let server = Server::new(router).layer(config.auth.scopes()).layer(stack.server());
    ops::serve(&config.server, &config.auth, server, &drain).await
}

/// What the server offers, with the layers of its tools and databases around them.
fn layered(config: &Config, pools: &[Pool]) -> Result<(Router, Stack), Failure> {
    let explain = |error| config.source.tell_layers(error);
    let names = pools.iter().map(Pool::name);
    let stack = Stack::new(config.layers.clone()).map_err(explain)?;
    let stack = stack.upstreams(names, postgres::database_of(pools)).map_err(explain)?;
    let checks = pools.iter().map(|pool| Arc::new(pool.clone()) as Arc<dyn HealthCheck>);
    let router =
        Router::new("database-server", env!("CARGO_PKG_VERSION")).instructions(INSTRUCTIONS).health(checks);
    let router = stack.tools(router, postgres::tools(pools.iter().cloned())).map_err(explain)?;
    Ok((router, stack))
}
