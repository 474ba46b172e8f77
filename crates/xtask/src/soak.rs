use std::ffi::OsString;

use crate::process::{Interrupt, cargo};
use crate::report::{self, Failure};

/// Builds the load and its server as they ship, and runs them.
pub(crate) fn run(arguments: &[OsString], interrupt: &Interrupt) -> Result<(), Failure> {
    report::title("Loading a server");
    let mut command = cargo();
    command.args(["run", "--quiet", "--release", "--package", "towline-soak", "--"]);
    interrupt.run_cargo(command.args(arguments))
}
