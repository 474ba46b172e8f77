//! What the documents name is there.

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

/// Labels of links and where they lead, outside of code.
fn links(text: &str) -> (Vec<String>, Vec<(String, String)>) {
    let (mut used, mut defined) = (Vec::new(), Vec::new());
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
            continue;
        }
        if is_code {
            continue;
        }
        let definition = line.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
        match definition.filter(|(label, _)| !label.contains(']')) {
            Some((label, target)) => defined.push((label.to_owned(), target.to_owned())),
            None => {
                for rest in line.split("][").skip(1) {
                    used.extend(rest.split_once(']').map(|(label, _)| label.to_owned()));
                }
                for rest in line.split("](").skip(1) {
                    // Nothing refers to a link without a label.
                    let target = rest.split_once(')').map_or(rest, |(target, _)| target);
                    defined.push(("]".to_owned(), target.to_owned()));
                }
            }
        }
    }
    (used, defined)
}

/// The anchor that a forge makes of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[test]
fn every_link_leads_to_a_file() {
    let mut documents = files(&root().join("docs"), ".md");
    documents.extend(["README.md", "CHANGELOG.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    let items = fs::read_to_string(root().join("crates/towline/src/links.md")).unwrap();
    let (_, items) = links(&items);
    let mut links_seen = 0;
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        let (used, defined) = links(&text);
        for label in used {
            let is_in = |links: &[(String, String)]| links.iter().any(|(known, _)| *known == label);
            let is_guide = document.parent().is_some_and(|folder| folder.ends_with("guides"));
            assert!(
                is_in(&defined) && (!is_guide || is_in(&items)),
                "{}: no link {label}",
                document.display()
            );
        }
        for (_, target) in defined.iter().filter(|(_, target)| !target.starts_with("https://")) {
            let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { document.clone() } else { document.parent().unwrap().join(path) };
            assert!(file.exists(), "{}: {target} leads nowhere", document.display());
            if !fragment.is_empty() {
                let text = fs::read_to_string(&file).unwrap();
                let mut headings = text.lines().filter_map(|line| line.strip_prefix('#'));
                let is_there =
                    headings.any(|heading| anchor(heading.trim_start_matches('#').trim()) == fragment);
                assert!(is_there, "{}: {target} has no heading", document.display());
            }
            links_seen += 1;
        }
    }
    assert!(links_seen > 100, "{links_seen}");
}
