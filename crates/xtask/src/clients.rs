//! The MCP clients of other languages that the end-to-end tests use, installed in `tests/clients`.
//!
//! Python's packages, pinned in `requirements.txt`, go to `tests/clients/.venv`; npm's, pinned in
//! `package-lock.json`, go to `tests/clients/node_modules`. Both are left alone until a pin changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::{self, Need};
use crate::process::Interrupt;
use crate::report::{self, Failure};

pub(crate) fn ensure(interrupt: &Interrupt) -> Result<(), Failure> {
    let folder = crate::root().join("tests/clients");
    let python = Stamped::new(&folder, "requirements.txt", ".venv");
    if python.is_stale() {
        install::ensure(&[Need::Python], interrupt)?;
        report::title("Installing the Python MCP client");
        let venv = folder.join(".venv");
        interrupt.run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        interrupt.run(
            Command::new(venv.join("bin/pip"))
                .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
                .arg(&python.pins),
        )?;
        python.stamp()?;
    }
    let node = Stamped::new(&folder, "package-lock.json", "node_modules");
    if node.is_stale() {
        install::ensure(&[Need::Node], interrupt)?;
        report::title("Installing the TypeScript MCP client");
        interrupt.run(
            Command::new("npm")
                .args(["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"])
                .current_dir(&folder),
        )?;
        node.stamp()?;
    }
    Ok(())
}

/// A folder installed from a file of pins, of which it keeps a copy.
struct Stamped {
    pins: PathBuf,
    copy: PathBuf,
}

impl Stamped {
    fn new(folder: &Path, pins: &str, installed: &str) -> Self {
        Self { pins: folder.join(pins), copy: folder.join(installed).join(".installed-from") }
    }

    fn is_stale(&self) -> bool {
        match fs::read(&self.pins) {
            Ok(pins) => fs::read(&self.copy).ok() != Some(pins),
            Err(_) => false, // nothing is asked for
        }
    }

    fn stamp(&self) -> Result<(), Failure> {
        fs::copy(&self.pins, &self.copy).map(drop).map_err(Failure::io("note what was installed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_stale_until_stamped_and_again_when_a_pin_changes() {
        let folder = tempfile::tempdir().unwrap();
        let stamped = Stamped::new(folder.path(), "pins", "installed");
        assert!(!stamped.is_stale(), "no pins, nothing to install");

        fs::write(&stamped.pins, "mcp==1").unwrap();
        assert!(stamped.is_stale());

        fs::create_dir(folder.path().join("installed")).unwrap();
        stamped.stamp().unwrap();
        assert!(!stamped.is_stale());

        fs::write(&stamped.pins, "mcp==2").unwrap();
        assert!(stamped.is_stale());
    }
}
