//! The command `towline-test`.

mod args;
mod bar;
mod run;
mod small;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use towline_testkit::{ConnectError, SuiteError, TargetError};

use self::args::{Args, Command};

/// A test failed.
const FAILED: u8 = 1;
/// The command is wrong, or the server cannot be reached.
const CANNOT: u8 = 2;

/// Why nothing could be tested.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("{file}: {error}")]
    Suite { file: String, error: SuiteError },
    #[error("{file}: {error}")]
    File { file: String, error: io::Error },
    #[error("{0}")]
    Usage(String),
}

pub(crate) fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return told(&format!("cannot start: {error}")),
    };
    let passed = runtime.block_on(carry_out(args.command));
    // Servers that do not end must not keep the command from ending.
    runtime.shutdown_background();
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(problem) => told(&problem.to_string()),
    }
}

fn told(problem: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "towline-test: {problem}");
    ExitCode::from(CANNOT)
}

/// Whether all is well.
async fn carry_out(command: Command) -> Result<bool, Problem> {
    match command {
        Command::Run(args) => run::run(&args).await,
        Command::List(args) => small::list(&args).await,
        Command::Call(args) => small::call(&args).await,
        Command::Bench(args) => small::bench(&args).await,
        Command::Init(args) => small::init(&args).await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Args::command(), "towline-test", &mut io::stdout());
            Ok(true)
        }
    }
}

/// Writes to standard output. That nobody reads it is no failure.
fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

fn write_file(file: &str, text: &str) -> Result<(), Problem> {
    std::fs::write(file, text).map_err(|error| Problem::File { file: file.to_owned(), error })
}
