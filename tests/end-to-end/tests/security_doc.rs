//! What docs/security.md and docs/reliability.md say is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All files with that ending in a folder of the workspace.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let (mut found, mut left) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["target", "node_modules"].contains(&&*name) && !name.starts_with('.') {
                    left.push(path);
                }
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found
}

/// The names of functions in a file of Rust.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.split("fn ").skip(1).filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
}

/// What stands between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// `a.rs: b` names a function of a file, a name of at least three words is a function somewhere, and what ends in `.rs`
/// is a file.
#[test]
fn every_test_that_is_named_is_there() {
    let sources: Vec<(String, String)> = ["crates", "examples", "tests"]
        .iter()
        .flat_map(|folder| files(&root().join(folder), ".rs"))
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()))
        .collect();
    let known: BTreeSet<&str> = sources.iter().flat_map(|(_, text)| functions(text)).collect();
    let mut named = 0;
    for document in ["docs/security.md", "docs/reliability.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for row in text.lines().filter(|line| line.starts_with('|')) {
            for name in quoted(row) {
                if name.ends_with(".rs") {
                    let ending = format!("/{}", name.replace("auth/it/", "auth/tests/it/"));
                    assert!(
                        sources.iter().any(|(path, _)| path.ends_with(&ending)),
                        "{document}: no file {name}"
                    );
                } else if name.matches('_').count() >= 2
                    && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                {
                    // Keys of settings and names of metrics look alike, and have no test.
                    let is_setting = ["_ms", "_total", "_bytes", "_rows", "_seconds"]
                        .iter()
                        .any(|end| name.ends_with(end));
                    assert!(is_setting || known.contains(name), "{document}: no test {name}");
                    named += usize::from(!is_setting);
                }
            }
        }
    }
    assert!(named > 100, "{named}");
}

/// Programs of others are run by no crate that ships, so that no argument can become a command.
#[test]
fn nothing_that_ships_runs_commands() {
    let ships = [
        "core",
        "middleware",
        "transport",
        "auth",
        "postgres",
        "http-api",
        "filesystem",
        "skills",
        "ops",
        "towline",
    ]
    .map(|name| format!("crates/{name}/src"));
    let servers =
        ["api-server", "database-server", "filesystem-server"].map(|name| format!("examples/{name}/src"));
    for folder in ships.iter().chain(&servers) {
        let sources = files(&root().join(folder), ".rs");
        assert!(!sources.is_empty(), "{folder}");
        for path in sources {
            let text = fs::read_to_string(&path).unwrap();
            for way in ["process::Command", "Command::new(", "libc::system", "execvp"] {
                assert!(!text.contains(way), "{}: {way}", path.display());
            }
        }
    }
}

#[test]
fn every_crate_forbids_unsafe_code_and_numbers_that_overflow_are_noticed() {
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(workspace.contains("\nunsafe_code = \"forbid\"\n"));
    let release = workspace.split("[profile.release]").nth(1).unwrap().split("\n[").next().unwrap();
    assert!(release.contains("\noverflow-checks = true\n"), "{release}");
    for folder in ["crates", "examples"] {
        for manifest in files(&root().join(folder), "Cargo.toml") {
            let text = fs::read_to_string(&manifest).unwrap();
            assert!(text.contains("[lints]\nworkspace = true"), "{}", manifest.display());
        }
    }
}
