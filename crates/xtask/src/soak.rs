use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use towline_scratch_postgres::SHARED_URL;

use crate::install::{self, Need};
use crate::process::{Interrupt, cargo};
use crate::report::{self, Failure};
use crate::test::with_database;

/// Builds the load and its server as they ship, and runs them.
pub(crate) fn run(arguments: &[OsString], interrupt: &Interrupt) -> Result<(), Failure> {
    if arguments.first().is_some_and(|subject| subject == "database") {
        return database(arguments, interrupt);
    }
    install::ensure(&[Need::Make], interrupt)?;
    report::title("Loading a server");
    let mut command = cargo();
    command.args(["run", "--quiet", "--release", "--package", "towline-soak", "--"]);
    interrupt.run_cargo(command.args(arguments))
}

/// The same with `database-server` on a private PostgreSQL.
fn database(arguments: &[OsString], interrupt: &Interrupt) -> Result<(), Failure> {
    install::ensure(&[Need::Postgres, Need::Libclang, Need::Make], interrupt)?;
    report::title("Building database-server (the first time takes minutes)");
    let packages = ["--package", "database-server", "--package", "towline-soak"];
    interrupt.run_cargo(cargo().args(["build", "--quiet", "--release"]).args(packages))?;
    with_database(interrupt, |url| {
        report::title("Loading database-server");
        let mut command = cargo();
        command.args(["run", "--quiet", "--release", "--package", "towline-soak", "--"]);
        command.args(arguments).arg("--server").arg(released()?.join("database-server"));
        interrupt.run_cargo(command.env(SHARED_URL, url))
    })
}

/// Where cargo puts what it builds as it ships: beside the folder that we stand in.
fn released() -> Result<PathBuf, Failure> {
    let ours = env::current_exe().map_err(Failure::io("find our own program"))?;
    Ok(ours.parent().expect("a program stands in a folder").with_file_name("release"))
}
