//! An MCP server for PostgreSQL databases.

mod args;
mod config;
mod startup;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use towline::health::{ConnectionPool, HealthCheck};
use towline::middleware::Stack;
use towline::ops::{self, Admin, Drain, Failure, Reload};
use towline::postgres::Pool;
use towline::{Router, Serve, Server, postgres};

use crate::args::Args;
use crate::config::Config;

/// Gives memory back when a crowd has gone. The system's keeps it, and musl's has one lock for all threads.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const INSTRUCTIONS: &str = "\
Answers questions from PostgreSQL databases, read-only. Begin with list_tables, then get_table_schema for the \
tables that matter; suggest_queries and analyze_table help to know the data. execute_query runs one SELECT; give \
values as parameters ($1, $2), and aggregate in SQL instead of fetching many rows.";

fn main() -> ExitCode {
    let args = Args::parse();
    let load = || config::load(&args, ops::environment());
    ops::run("database-server", &args.common, load, |config| serve(&args, config))
}

#[tokio::main]
async fn serve(args: &Args, config: Config) -> Result<(), Failure> {
    let logs = ops::log_to_stderr(&config.log)?;
    let is_check = args.common.check_config;
    let mut pools = Vec::new();
    for database in config.own.databases.values() {
        pools.push(Pool::new(database.clone()).map_err(Failure::settings)?);
    }
    let stack = Stack::new(config.layers.clone()).map_err(|error| config.source.tell_layers(error))?;
    let build = {
        let (stack, pools) = (stack.clone(), pools.clone());
        move |config: &Config| server(config, &stack, &pools, is_check)
    };
    let server = build(&config)?;
    let drain = Drain::new();
    let about = ("database-server", env!("CARGO_PKG_VERSION"));
    let admin = Admin::new(&config.admin, &config.source, about, &stack, checks(&pools), &drain)?;
    startup::check(&pools, is_check).await?;
    if is_check {
        let names: Vec<&str> = pools.iter().map(Pool::name).collect();
        ops::say(&format!("The configuration works. Databases: {}", names.join(", ")));
        return Ok(());
    }
    let connections = pools.iter().map(|pool| Arc::new(pool.clone()) as Arc<dyn ConnectionPool>);
    admin.pools(connections).start().await?;
    let again = args.clone();
    let load = move || config::load(&again, ops::environment());
    ops::serve(config, server, &drain, Reload::new(logs, load, build)).await
}

/// The databases, with the layers of these settings around them and around all.
fn server(
    config: &Config,
    stack: &Stack,
    pools: &[Pool],
    is_check: bool,
) -> Result<impl Serve + use<>, Failure> {
    let explain = |error| config.source.tell_layers(error);
    let stack = stack.next(config.layers.clone()).map_err(explain)?;
    let names = pools.iter().map(Pool::name);
    let stack = stack.upstreams(names, postgres::database_of(pools)).map_err(explain)?;
    let router = Router::new("database-server", env!("CARGO_PKG_VERSION"))
        .instructions(INSTRUCTIONS)
        .health(checks(pools));
    let router = stack.tools(router, postgres::tools(pools.iter().cloned())).map_err(explain)?;
    let server = Server::new(router);
    config.check_scopes(&server, is_check)?;
    stack.take_over();
    // Within what counts: a refusal is one of the things that happen.
    Ok(server.layer(config.auth.scopes()).layer(stack.server()))
}

fn checks(pools: &[Pool]) -> impl Iterator<Item = Arc<dyn HealthCheck>> {
    pools.iter().map(|pool| Arc::new(pool.clone()) as Arc<dyn HealthCheck>)
}
