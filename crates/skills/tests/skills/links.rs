//! Links, and what is neither a file nor a folder.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use tempfile::TempDir;
use towline_skills::{Limits, Skill, Skills};

use crate::common::{folder, load, refused, skill};

/// A skill with a link in it, beside a folder of secrets.
fn linked(target: &str, link: &str) -> TempDir {
    let root = folder(&[
        ("skills/a/SKILL.md", &skill("a")),
        ("skills/a/files/x.md", b"X"),
        ("skills/a/.env", b"SECRET=1"),
        ("skills/.git/config", b"SECRET=1"),
        ("secrets/key.md", b"SECRET=1"),
    ]);
    let target = target.replace("{root}", root.path().to_str().unwrap());
    symlink(target, root.path().join("skills").join(link)).unwrap();
    root
}

fn check(target: &str, link: &str, problem: &str) {
    let root = linked(target, link);
    let error = Skills::from_folder(root.path().join("skills")).unwrap_err();
    assert_eq!(error.path(), link, "{error}");
    assert!(error.problem().contains(problem), "{error}");
}

#[test]
fn a_link_out_of_the_folder_is_refused() {
    for target in [
        "/etc/passwd",
        "/etc",
        "/",
        "../../secrets/key.md",
        "../../secrets",
        "files/../../../secrets/key.md",
        "..//.././secrets/key.md",
        "{root}/secrets/key.md",
        // Inside, but by a path from outside.
        "{root}/skills/a/files/x.md",
        "../../skills/a/files/x.md",
        "../..",
    ] {
        check(target, "a/link.md", "is a link that leaves the folder of skills");
    }
    check("../secrets/key.md", "link.md", "is a link that leaves");
    check("../secrets", "link", "is a link that leaves");
}

#[test]
fn a_link_to_a_hidden_file_is_refused() {
    check(".env", "a/link.md", "is a link to a hidden file");
    check("../.git/config", "a/link.md", "is a link to a hidden file");
    check("files/../.env", "a/link.md", "is a link to a hidden file");
}

#[test]
fn a_link_to_a_folder_is_refused() {
    for target in ["files", ".", "..", "../a"] {
        check(target, "a/link", "is a link to a folder");
    }
}

#[test]
fn a_link_to_nothing_is_refused() {
    check("nothing.md", "a/link.md", "cannot be read");
    check("link.md", "a/link.md", "cannot be read");
}

#[test]
fn a_link_to_a_file_within_is_that_file_at_two_places() {
    let root = linked("../a/./files/x.md", "a/link.md");
    let skills = Skills::from_folder(root.path().join("skills")).unwrap();
    let files: Vec<_> = skills.iter().flat_map(Skill::files).collect();
    assert_eq!(files.len(), 3);
    assert_eq!((files[1].uri(), files[2].uri()), ("skill://a/files/x.md", "skill://a/link.md"));
    assert_eq!(files[1].digest(), files[2].digest());
}

#[test]
fn the_folder_itself_may_be_a_link() {
    let root = folder(&[("skills/a/SKILL.md", &skill("a"))]);
    symlink("skills", root.path().join("link")).unwrap();
    assert_eq!(Skills::from_folder(root.path().join("link")).unwrap().iter().len(), 1);
}

#[test]
fn what_is_neither_file_nor_folder_is_refused() {
    let root = folder(&[("a/SKILL.md", &skill("a"))]);
    let _socket = UnixListener::bind(root.path().join("a/socket")).unwrap();
    refused(&root, &Limits::default(), "a/socket", "is neither a file nor a folder");
    symlink("socket", root.path().join("a/link")).unwrap();
    refused(&root, &Limits::default(), "a/link", "is a link to what is neither");
}

#[test]
fn a_skill_may_be_a_link_to_a_file_within() {
    let root = folder(&[("shared/a.md", &skill("a")), ("a/", b"")]);
    symlink("../shared/a.md", root.path().join("a/SKILL.md")).unwrap();
    assert_eq!(load(&root).iter().next().unwrap().uri(), "skill://a/SKILL.md");
}
