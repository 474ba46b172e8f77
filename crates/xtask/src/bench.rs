use std::ffi::OsString;

use towline_scratch_postgres::SHARED_URL;

use crate::install::{self, Need};
use crate::process::{Interrupt, cargo};
use crate::report::{self, Failure};
use crate::test::with_database;

/// Runs `cargo bench` with everything the benchmarks need.
pub(crate) fn run(arguments: &[OsString], interrupt: &Interrupt) -> Result<(), Failure> {
    install::ensure(&[Need::Postgres, Need::Libclang], interrupt)?;
    with_database(interrupt, |url| {
        report::title("Running the benchmarks");
        let mut command = cargo();
        command.arg("bench").env(SHARED_URL, url);
        // Without a choice, only what is a benchmark: unit tests have nothing to measure.
        if arguments.first().is_none_or(|argument| argument == "--") {
            command.args(["--workspace", "--bench", "*"]);
        }
        interrupt.run_cargo(command.args(arguments))
    })
}
