//! An MCP server for folders of files.

mod args;
mod config;

use std::process::ExitCode;

use clap::Parser;
use towline::filesystem;
use towline::middleware::Stack;
use towline::ops::{self, Admin, Command, Drain, Failure};
use towline::{Router, Server};

use crate::args::Args;
use crate::config::Config;

const INSTRUCTIONS: &str = "\
Reads and writes files in the directories that list_allowed_directories tells, and nowhere else. Find files by name with \
search_files and by content with grep_files; read parts of large files. Change files with edit_file, and give the hash that \
a read told as `if_match` where others may write too.";

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(Command::ApiKey(wanted)) = &args.common.command {
        return ops::api_key("filesystem-server", wanted);
    }
    match Config::load(&args, ops::environment()).and_then(|config| start(&args, &config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report("filesystem-server"),
    }
}

fn start(args: &Args, config: &Config) -> Result<(), Failure> {
    match args.common.command {
        Some(_) => ops::healthcheck(&config.server, &config.admin),
        None => run(args, config),
    }
}

#[tokio::main]
async fn run(args: &Args, config: &Config) -> Result<(), Failure> {
    ops::log_to_stderr(&args.common.log)?;
    let stack = Stack::new(config.layers.clone()).map_err(|error| config.tell_layers(error))?;
    let files = config.open(args)?;
    let router = Router::new("filesystem-server", env!("CARGO_PKG_VERSION"))
        .instructions(INSTRUCTIONS)
        .resources(filesystem::resources(&files));
    let tools = stack.tools(router, filesystem::tools(&files));
    let mut router = tools.map_err(|error| config.tell_layers(error))?;
    if args.common.check_config {
        let names: Vec<&str> = files.roots().map(|(name, _)| name).collect();
        ops::say(&format!("The configuration works. Directories: {}", names.join(", ")));
        return Ok(());
    }
    let watch = config.watch.then(|| filesystem::watch(&files, router.registry())).transpose();
    // Files can be served without: clients only learn of changes when they read again.
    let _watch = watch.inspect_err(|error| tracing::warn!("{error}"));
    let drain = Drain::new();
    let about = ("filesystem-server", env!("CARGO_PKG_VERSION"));
    Admin::new(&config.admin, &config.source, about, &stack, [], &drain)?.start().await?;
    // Within what counts: a refusal is one of the things that happen.
    let server = Server::new(router).layer(config.auth.scopes()).layer(stack.server());
    ops::serve(&config.server, &config.auth, server, &drain).await
}
