//! An MCP server for folders of files.

mod args;
mod config;

use std::process::ExitCode;

use clap::Parser;
use towline::filesystem::{self, Filesystem};
use towline::middleware::Stack;
use towline::ops::{self, Admin, Drain, Failure, Reload};
use towline::{Registry, Router, Serve, Server};

use crate::args::Args;
use crate::config::Config;

/// Gives memory back when a crowd has gone. The system's keeps it, and musl's has one lock for all threads.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const INSTRUCTIONS: &str = "\
Reads and writes files in the directories that list_allowed_directories tells, and nowhere else. Find files by name with \
search_files and by content with grep_files; read parts of large files. Change files with edit_file, and give the hash that \
a read told as `if_match` where others may write too.";

fn main() -> ExitCode {
    let args = Args::parse();
    let load = || config::load(&args, ops::environment());
    ops::run("filesystem-server", &args.common, load, |config| serve(&args, config))
}

#[tokio::main]
async fn serve(args: &Args, config: Config) -> Result<(), Failure> {
    let logs = ops::log_to_stderr(&config.log)?;
    let is_check = args.common.check_config;
    let stack = Stack::new(config.layers.clone()).map_err(|error| config.source.tell_layers(error))?;
    let files = config::open(&config, args)?;
    let registry = Registry::default();
    let build = {
        let (stack, files, registry) = (stack.clone(), files.clone(), registry.clone());
        move |config: &Config| server(config, &stack, &files, &registry, is_check)
    };
    let server = build(&config)?;
    let drain = Drain::new();
    let about = ("filesystem-server", env!("CARGO_PKG_VERSION"));
    let checks = filesystem::checks(&files);
    let admin = Admin::new(&config.admin, &config.source, about, &stack, checks, &drain)?;
    if is_check {
        let names: Vec<&str> = files.roots().map(|(name, _)| name).collect();
        ops::say(&format!("The configuration works. Directories: {}", names.join(", ")));
        return Ok(());
    }
    let watch = config.own.watch.then(|| filesystem::watch(&files, registry)).transpose();
    // Files can be served without: clients only learn of changes when they read again.
    let _watch = watch.inspect_err(|error| tracing::warn!("{error}"));
    admin.start().await?;
    let again = args.clone();
    let load = move || config::load(&again, ops::environment());
    ops::serve(config, server, &drain, Reload::new(logs, load, build)).await
}

/// The files, with the layers of these settings around them and around all.
fn server(
    config: &Config,
    stack: &Stack,
    files: &Filesystem,
    registry: &Registry,
    is_check: bool,
) -> Result<impl Serve + use<>, Failure> {
    let explain = |error| config.source.tell_layers(error);
    let stack = stack.next(config.layers.clone()).map_err(explain)?;
    let router = Router::new("filesystem-server", env!("CARGO_PKG_VERSION"))
        .instructions(INSTRUCTIONS)
        .health(filesystem::checks(files))
        .resources(filesystem::resources(files));
    // Without it, nothing is ever told, and clients need not listen.
    let router = if config.own.watch { router.with_registry(registry) } else { router };
    let server = Server::new(stack.tools(router, filesystem::tools(files)).map_err(explain)?);
    config.check_scopes(&server, is_check)?;
    stack.take_over();
    // Within what counts: a refusal is one of the things that happen.
    Ok(server.layer(config.auth.scopes()).layer(stack.server()))
}
