//! What is logged, and how.

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use crate::{Failure, Source};

/// What is logged, and how: the section `[log]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LogConfig {
    /// How lines are written. Default: `readable`.
    pub format: LogFormat,
    /// What is logged: `error`, `warn`, `info`, `debug` or `trace`, also per target, as in `info,towline_postgres=debug`.
    /// Default: `info`.
    pub filter: String,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LogFormat {
    /// For people.
    #[default]
    Readable,
    /// For programs: one JSON object a line.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::default(), filter: "info".into() }
    }
}

impl LogConfig {
    pub(crate) fn check(&self, source: &Source) -> Result<(), Failure> {
        filter(&self.filter).map(drop).map_err(|problem| source.tell("log.filter", problem))
    }
}

/// The logs of this process.
pub struct Logs {
    set: Box<dyn Fn(EnvFilter) -> bool + Send + Sync>,
}

impl Logs {
    /// Lets through what the settings say from now on. Their format is not taken.
    ///
    /// # Errors
    ///
    /// When the filter is none.
    pub fn refilter(&self, config: &LogConfig) -> Result<(), Failure> {
        let filter =
            filter(&config.filter).map_err(|problem| Failure::settings(format!("log.filter: {problem}")))?;
        match (self.set)(filter) {
            true => Ok(()),
            false => Err(Failure::refused("the logs are gone")),
        }
    }
}

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logs").finish_non_exhaustive()
    }
}

pub(crate) fn filter(text: &str) -> Result<EnvFilter, &'static str> {
    EnvFilter::try_new(text).map_err(|_| "not a filter; try `info`, or `info,towline_transport=debug`")
}

/// Whether lines are objects.
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// Logs on standard error, since standard output belongs to the protocol. In JSON, panics are logged too.
///
/// # Errors
///
/// When the filter is none, or the process logs already.
pub fn log_to_stderr(config: &LogConfig) -> Result<Logs, Failure> {
    let filter =
        filter(&config.filter).map_err(|problem| Failure::settings(format!("log.filter: {problem}")))?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    match config.format {
        LogFormat::Readable => {
            let logs = logs.with_ansi(stderr().is_terminal()).with_target(false).with_filter_reloading();
            let handle = logs.reload_handle();
            logs.try_init().map_err(Failure::refused)?;
            Ok(Logs { set: Box::new(move |filter| handle.reload(filter).is_ok()) })
        }
        LogFormat::Json => {
            let logs = logs.json().with_span_list(false).with_filter_reloading();
            let handle = logs.reload_handle();
            logs.try_init().map_err(Failure::refused)?;
            IS_JSON.store(true, Ordering::Relaxed);
            panic::set_hook(Box::new(log_panic));
            Ok(Logs { set: Box::new(move |filter| handle.reload(filter).is_ok()) })
        }
    }
}

/// Whether what ends the program is a line of the logs, as all else is.
pub(crate) fn are_json() -> bool {
    IS_JSON.load(Ordering::Relaxed)
}

fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let text = panic.payload_as_str().unwrap_or("of an unknown type");
    let location = panic.location().map(tracing::field::display);
    tracing::error!(location, "panic: {text}");
}
