//! Tests MCP servers from the command line.

mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::main()
}
