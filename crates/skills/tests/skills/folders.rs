//! Folders that cannot be served, and what of a folder is not.

use towline_skills::{Limits, Skill, SkillFile, Skills};

use crate::common::{folder, load, refused, skill, write};

fn check(files: &[(&str, &[u8])], path: &str, problem: &str) {
    refused(&folder(files), &Limits::default(), path, problem);
}

#[test]
fn a_skill_says_its_name_and_what_it_is_for() {
    check(
        &[("a/SKILL.md", b"# No frontmatter")],
        "a/SKILL.md",
        "must begin with YAML between two lines `---`",
    );
    check(&[("a/SKILL.md", b"")], "a/SKILL.md", "must begin with YAML");
    check(
        &[("x/b/SKILL.md", &skill("a"))],
        "x/b/SKILL.md",
        r#"has the `name` "a", which must be that of its folder, "b""#,
    );
    check(&[("A/SKILL.md", &skill("A"))], "A/SKILL.md", "a name is 1 to 64 lower-case letters");
    check(&[("a/SKILL.md", b"---\nname: a\n---\n")], "a/SKILL.md", "has no `description`");
    check(&[("a/SKILL.md", b"---\nname: a\ndescription: [\n---\n")], "a/SKILL.md", "line");
}

#[test]
fn one_bad_skill_fails_the_folder() {
    let files: &[(&str, &[u8])] = &[("a/SKILL.md", &skill("a")), ("b/SKILL.md", &skill("c"))];
    check(files, "b/SKILL.md", "must be that of its folder");
}

#[test]
fn yaml_that_grows_is_refused() {
    let mut bomb = "---\nname: a\ndescription: d\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..30 {
        bomb += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "));
    }
    check(&[("a/SKILL.md", format!("{bomb}---\n").as_bytes())], "a/SKILL.md", "larger than 1 MiB");
    let deep = format!("---\nname: a\ndescription: d\nx:\n  {}\n---\n", "- ".repeat(30_000));
    check(&[("a/SKILL.md", deep.as_bytes())], "a/SKILL.md", "nest more than 32 deep");
    let long = format!("---\nname: a\ndescription: d\nx: {}\n---\n", "x".repeat(1 << 20));
    check(&[("a/SKILL.md", long.as_bytes())], "a/SKILL.md", "more than 65536 bytes of frontmatter");
}

#[test]
fn what_is_not_utf_8_is_a_blob_but_not_as_a_skill_or_a_name() {
    check(
        &[("a/SKILL.md", b"---\nname: a\ndescription: d\n---\n\xff")],
        "a/SKILL.md",
        "is not UTF-8 at line 5",
    );
    let skills =
        load(&folder(&[("a/SKILL.md", &skill("a")), ("a/x", b"\xff"), ("a/y", b"y"), ("a/z.md", b"\xff")]));
    let types: Vec<_> = skills.iter().next().unwrap().files().map(SkillFile::mime_type).collect();
    assert_eq!(types, ["text/markdown", "application/octet-stream", "text/plain", "text/markdown"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_not_utf_8_is_refused() {
    use std::os::unix::ffi::OsStrExt;

    let root = folder(&[("a/SKILL.md", &skill("a"))]);
    std::fs::write(root.path().join("a").join(std::ffi::OsStr::from_bytes(b"b\xff")), "").unwrap();
    refused(&root, &Limits::default(), "a/b\u{fffd}", "has a name that is not UTF-8");
}

#[test]
fn there_must_be_a_skill() {
    check(&[("a/README.md", b"")], ".", "holds no skill");
    check(&[("a/skill.md", &skill("a"))], ".", "holds no skill");
    check(&[("SKILL.md", &skill("a"))], "SKILL.md", "must lie in a folder of its own");
    check(&[("a/SKILL.md/x", b"")], "a/SKILL.md", "must be a file");
    let root = folder(&[("file", b"")]);
    for path in ["nothing", "file"] {
        let error = Skills::from_folder(root.path().join(path)).unwrap_err();
        assert_eq!((error.path(), error.problem()), (".", "cannot be read"));
        assert!(std::error::Error::source(&error).is_some());
    }
}

#[test]
fn what_is_hidden_is_skipped() {
    let skills = load(&folder(&[
        (".git/hooks/SKILL.md", b"bad"),
        (".env", b"SECRET=1"),
        ("a/SKILL.md", &skill("a")),
        ("a/.env", b"SECRET=1"),
        ("a/.cache/b.md", b""),
        ("a/b..md", b""),
    ]));
    let files: Vec<_> = skills.iter().flat_map(Skill::files).map(SkillFile::uri).collect();
    assert_eq!(files, ["skill://a/SKILL.md", "skill://a/b..md"]);
}

/// Two skills of 2 files with 100 bytes in all, one within the other, and a third.
fn sized() -> tempfile::TempDir {
    let of_50 =
        |name: &str| format!("---\nname: {name}\ndescription: {}\n---\n", "d".repeat(20)).into_bytes();
    assert_eq!(of_50("a").len(), 50);
    folder(&[
        ("a/SKILL.md", &of_50("a")),
        ("a/b/SKILL.md", &of_50("b")),
        ("c/SKILL.md", &of_50("c")),
        ("c/d", &[b'd'; 50]),
    ])
}

#[test]
fn limits_are_told_with_the_file_that_is_over_them() {
    let limits = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        limits
    };
    let root = sized();
    refused(
        &root,
        &limits(|limits| limits.max_file_bytes = 49),
        "a/SKILL.md",
        "more than 49 bytes (`max_file_bytes`)",
    );
    refused(
        &root,
        &limits(|limits| limits.max_skill_bytes = 99),
        "a/b/SKILL.md",
        "the skill skill://a/SKILL.md has more than 99 bytes (`max_skill_bytes`)",
    );
    refused(
        &root,
        &limits(|limits| limits.max_skill_files = 1),
        "a/b/SKILL.md",
        "the skill skill://a/SKILL.md has more than 1 files (`max_skill_files`)",
    );
    refused(&root, &limits(|limits| limits.max_bytes = 199), "c/d", "more than 199 bytes (`max_bytes`)");
    refused(
        &root,
        &limits(|limits| limits.max_entries = 6),
        "c",
        "more than 6 files and folders are found (`max_entries`)",
    );

    let exact = limits(|limits| {
        limits.max_file_bytes = 50;
        limits.max_skill_bytes = 100;
        limits.max_skill_files = 2;
        limits.max_bytes = 200;
        limits.max_entries = 7;
    });
    assert_eq!(Skills::from_folder_within(root.path(), &exact).unwrap().iter().len(), 3);
}

#[test]
fn the_default_limits_are_those_of_the_extension() {
    let root = folder(&[("a/SKILL.md", &skill("a"))]);
    for n in 0..511 {
        write(root.path(), &format!("a/x{n:03}"), b"");
    }
    assert_eq!(load(&root).iter().next().unwrap().files().len(), 512);
    write(root.path(), "a/x511", b"");
    refused(&root, &Limits::default(), "a/x511", "more than 512 files");

    let root = folder(&[("a/SKILL.md", &skill("a"))]);
    for n in 0..4 {
        write(root.path(), &format!("a/x{n}"), &vec![b'x'; 4 << 20]);
    }
    refused(&root, &Limits::default(), "a/x3", "more than 16777216 bytes (`max_skill_bytes`)");
    write(root.path(), "a/x0", &vec![b'x'; (4 << 20) + 1]);
    refused(&root, &Limits::default(), "a/x0", "more than 4194304 bytes (`max_file_bytes`)");
}

#[test]
fn folders_nest_to_a_depth() {
    let at = |depth: usize| format!("{}a/SKILL.md", "d/".repeat(depth - 1));
    assert_eq!(load(&folder(&[(&at(16), &skill("a"))])).iter().len(), 1);
    let too_deep = at(17);
    check(&[(&too_deep, &skill("a"))], too_deep.trim_end_matches("/SKILL.md"), "more than 16 folders deep");
}
