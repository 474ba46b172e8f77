use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

use crate::Failure;

/// Logs on standard error, since standard output belongs to the protocol: what `filter` lets through, such as `info` or
/// `info,towline_postgres=debug`.
///
/// # Errors
///
/// When the filter is none, or the process logs already.
pub fn log_to_stderr(filter: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(filter).map_err(|_| {
        Failure::settings("--log: not a filter; try `info`, or `info,towline_transport=debug`")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_target(false)
        .try_init()
        .map_err(Failure::refused)
}
