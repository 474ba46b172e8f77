//! The beginning of a program, and its end.

use std::process::ExitCode;

use schemars::JsonSchema;
use serde::Serialize;

use crate::{Command, Config, Failure, ServeArgs, api_key, healthcheck, say, schema};

/// Does what the command line asks for: tells the schema of the settings, makes an API key, shows the settings, asks the server that runs beside, or
/// else `serve`s. `load` reads the settings.
pub fn run<P: Serialize + JsonSchema>(
    program: &str,
    args: &ServeArgs,
    load: impl FnOnce() -> Result<Config<P>, Failure>,
    serve: impl FnOnce(Config<P>) -> Result<(), Failure>,
) -> ExitCode {
    let ended = match &args.command {
        Some(Command::ConfigSchema) => {
            say(&format!("{:#}", schema::of::<P>(program).as_value()));
            Ok(())
        }
        Some(Command::ApiKey(wanted)) => return api_key(program, wanted),
        // Docker knows no exit code but 0 and 1.
        Some(Command::Healthcheck) => {
            load().and_then(|config| healthcheck(&config.server, &config.admin)).map_err(Failure::refused)
        }
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
