//! The beginning of a program, and its end.

use std::process::ExitCode;

use schemars::JsonSchema;
use serde::Serialize;

use crate::{Command, Config, Failure, ServeArgs, healthcheck, say, schema};

/// Does what the command line asks for: tells the schema of the settings, shows them, asks the server that runs beside, or
/// else `serve`s. `load` reads the settings.
pub fn run<P: Serialize + JsonSchema>(
    program: &str,
    args: &ServeArgs,
    load: impl FnOnce() -> Result<Config<P>, Failure>,
    serve: impl FnOnce(Config<P>) -> Result<(), Failure>,
) -> ExitCode {
    let ended = match args.command {
        Some(Command::ConfigSchema) => {
            say(&format!("{:#}", schema::of::<P>(program).as_value()));
            Ok(())
        }
        Some(Command::Healthcheck) => load().and_then(|config| healthcheck(&config.server, &config.admin)),
        None if args.print_config => {
            load().and_then(|config| config.to_toml()).map(|text| say(text.trim_end()))
        }
        None => load().and_then(serve),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(program),
    }
}
