//! What the user reads while a chore runs.
#![expect(clippy::print_stdout, reason = "this module is the place for it")]

use std::error::Error;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

/// Why a chore ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("interrupted")]
    Interrupted,
    #[error(transparent)]
    Postgres(#[from] towline_scratch_postgres::Error),
    #[error("could not {action}")]
    Io { action: String, source: io::Error },
    #[error("{0}")]
    Message(String),
}

impl Failure {
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        |source| Self::Io { action, source }
    }
}

/// One line of plain output.
pub(crate) fn line(text: impl Display) {
    println!("{text}");
}

/// The title of a step that prints lines of its own.
pub(crate) fn title(text: impl Display) {
    println!("{}", bold(&format!("==> {text}")));
}

/// Runs one step and says how long it took.
pub(crate) fn step<T, E>(text: &str, run: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    print!("{}", bold(&format!("==> {text} ... ")));
    let _ = io::stdout().flush();
    let started = Instant::now();
    let outcome = run();
    match &outcome {
        Ok(_) => println!("{:.1} s", started.elapsed().as_secs_f64()),
        Err(_) => println!("failed"),
    }
    outcome
}

pub(crate) fn note(text: impl Display) {
    println!("    {text}");
}

/// An error with its causes, on stderr.
pub(crate) fn error(error: &dyn Error) {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}"); // some errors repeat their cause
        }
        source = cause.source();
    }
    let _ = writeln!(io::stderr(), "error: {text}");
}

fn bold(text: &str) -> String {
    if io::stdout().is_terminal() { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}
