//! The workspace's own chores, run as `cargo xtask`.

mod args;
mod bench;
mod clients;
mod connect;
mod demo;
mod install;
mod process;
mod report;
mod soak;
mod test;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use args::Command;
use process::Interrupt;
use report::Failure;

fn main() -> ExitCode {
    let command = match Command::parse(env::args_os().skip(1)) {
        Ok(command) => command,
        Err(error) => {
            report::error(&error);
            report::note("`cargo xtask --help` lists what there is");
            return ExitCode::from(2);
        }
    };
    let interrupt = match Interrupt::install() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            report::error(&error);
            return ExitCode::FAILURE;
        }
    };
    let outcome = match command {
        Command::Help(text) => {
            report::line(text);
            Ok(())
        }
        Command::Demo(options) => demo::run(&options, &interrupt),
        Command::Test(cargo) => test::run(&cargo, &interrupt),
        Command::Bench(cargo) => bench::run(&cargo, &interrupt),
        Command::Soak(load) => soak::run(&load, &interrupt),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Interrupted) => {
            report::note("stopped; nothing is left running");
            ExitCode::from(130)
        }
        Err(error) => {
            report::error(&error);
            ExitCode::FAILURE
        }
    }
}

/// The workspace's folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate stands two folders deep")
}
