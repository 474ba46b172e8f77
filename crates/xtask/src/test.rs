use std::env;
use std::ffi::OsString;

use towline_scratch_postgres::{Cluster, SHARED_URL};

use crate::clients;
use crate::install::{self, Need};
use crate::process::{Interrupt, cargo};
use crate::report::{self, Failure};

/// Runs `cargo test` with everything the tests need.
pub(crate) fn run(arguments: &[OsString], interrupt: &Interrupt) -> Result<(), Failure> {
    install::ensure(&[Need::Postgres, Need::Libclang, Need::Make, Need::Chromium], interrupt)?;
    clients::ensure(interrupt)?;
    with_database(interrupt, |url| {
        report::title("Running the tests");
        let mut command = cargo();
        command.arg("test").env(SHARED_URL, url);
        if !selects_packages(arguments) {
            command.arg("--workspace");
        }
        interrupt.run_cargo(command.args(arguments))
    })
}

/// Calls `run` with the URL of a server that tests may use: the user's, or a private one for the time of the call.
pub(crate) fn with_database(
    interrupt: &Interrupt,
    run: impl FnOnce(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if let Ok(url) = env::var(SHARED_URL)
        && !url.is_empty()
    {
        report::note(format_args!("using the PostgreSQL server of {SHARED_URL}"));
        return run(&url);
    }
    let cluster = interrupt.check(report::step("Starting a private PostgreSQL", Cluster::start))?;
    run(&cluster.url("postgres"))
}

/// Whether cargo's arguments say which packages to test.
fn selects_packages(arguments: &[OsString]) -> bool {
    arguments.iter().take_while(|argument| *argument != "--").filter_map(|argument| argument.to_str()).any(
        |argument| {
            argument.starts_with("-p")
                || argument.starts_with("--package")
                || ["--workspace", "--all"].contains(&argument)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: bool) {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        assert_eq!(selects_packages(&arguments), expected, "{line}");
    }

    #[test]
    fn a_chosen_package_is_noticed() {
        check("", false);
        check("guard --release", false);
        check("-p towline-core", true);
        check("-ptowline-core", true);
        check("--package=towline-core", true);
        check("--workspace", true);
        check("-- -p", false);
    }
}
