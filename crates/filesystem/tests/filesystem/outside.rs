//! What lies outside of the roots, and what is kept from callers within.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;
use tempfile::TempDir;

use crate::common::{call, config, failure, folder, serve, serve_with, text};

const SECRET: &str = "TOP-SECRET-OUTSIDE";

/// A root `in`, and next to it what must not be reached.
fn world() -> TempDir {
    let world = folder(&[
        ("in/ok.txt", "fine"),
        ("in/sub/deep.txt", "deep"),
        ("in/.env", SECRET),
        ("in/.git/config", SECRET),
        ("secret.txt", SECRET),
        ("in-sibling/secret.txt", SECRET),
    ]);
    let root = world.path().join("in");
    symlink(world.path(), root.join("up")).unwrap();
    symlink("..", root.join("dots")).unwrap();
    symlink("../secret.txt", root.join("leak.txt")).unwrap();
    symlink(world.path().join("secret.txt"), root.join("absolute.txt")).unwrap();
    symlink("/etc", root.join("etc")).unwrap();
    symlink("sub/../../secret.txt", root.join("winding.txt")).unwrap();
    symlink(".env", root.join("env.txt")).unwrap();
    symlink(".git", root.join("git")).unwrap();
    symlink("b", root.join("a")).unwrap();
    symlink("a", root.join("b")).unwrap();
    symlink("/proc/self/root/etc", root.join("magic")).unwrap();
    symlink("../new.txt", root.join("dangling.txt")).unwrap();
    world
}

/// Spellings that others have got out with.
fn spellings(world: &str) -> Vec<String> {
    let mut spellings: Vec<String> = [
        "..",
        "../",
        "../secret.txt",
        "./../secret.txt",
        "sub/../../secret.txt",
        "sub/./../../secret.txt",
        "sub//..//..//secret.txt",
        "../in-sibling/secret.txt",
        "../in/../secret.txt",
        "../../../../../../etc/passwd",
        "ok.txt/../../secret.txt",
        "nothing/../../secret.txt",
        "/etc/passwd",
        "//etc/passwd",
        "///etc//passwd",
        "/../etc/passwd",
        "/./etc/passwd",
        "/proc/self/root/etc/passwd",
        "/proc/self/environ",
        "/proc/self/cwd/Cargo.toml",
        "/dev/fd/0",
        "/dev/stdin",
        "/dev/zero",
        "~/secret.txt",
        "~root/.bashrc",
        "$HOME/secret.txt",
        "%2e%2e/secret.txt",
        "%2e%2e%2fsecret.txt",
        "..%2fsecret.txt",
        "..%252fsecret.txt",
        "%252e%252e/secret.txt",
        "..%c0%afsecret.txt",
        "%c0%ae%c0%ae/secret.txt",
        "..%5csecret.txt",
        "..\\secret.txt",
        "sub\\..\\..\\secret.txt",
        "\\etc\\passwd",
        "C:\\Windows\\win.ini",
        "C:/Windows/win.ini",
        "c:secret.txt",
        "C:",
        "\\\\host\\share\\secret.txt",
        "//host/share/secret.txt",
        "\\\\?\\C:\\secret.txt",
        "ok.txt::$DATA",
        "ok.txt:stream",
        "ok.txt\0.png",
        "\0",
        "../secret.txt\0",
        "..\u{0}/secret.txt",
        "\u{ff0e}\u{ff0e}/secret.txt",
        "\u{2024}\u{2024}/secret.txt",
        "..\u{2215}secret.txt",
        "..\u{ff0f}secret.txt",
        ".\u{200b}./secret.txt",
        "..\u{202e}/secret.txt",
        "...//secret.txt",
        "....//secret.txt",
        "..;/secret.txt",
        ".. /secret.txt",
        "../ secret.txt",
        " ../secret.txt",
        "..\n/secret.txt",
        "\t../secret.txt",
        "file:///etc/passwd",
        "file://../secret.txt",
        "http://localhost/secret.txt",
        "",
        "up/secret.txt",
        "up/in-sibling/secret.txt",
        "dots/secret.txt",
        "dots/in/../secret.txt",
        "leak.txt",
        "absolute.txt",
        "etc/passwd",
        "winding.txt",
        "magic/passwd",
        "a",
        "a/b",
        "env.txt",
        "git/config",
        ".env",
        ".git/config",
        "sub/../.env",
        "./.git/../.git/config",
        "dangling.txt",
    ]
    .map(str::to_owned)
    .to_vec();
    spellings.extend([
        format!("{world}/secret.txt"),
        format!("{world}/in/../secret.txt"),
        format!("{world}/in-sibling/secret.txt"),
        format!("{world}/in/up/secret.txt"),
        format!("{world}/in/.env"),
        format!("/{world}/secret.txt"),
        "../".repeat(1000) + "etc/passwd",
        "sub/../".repeat(400) + "../secret.txt",
        "x".repeat(300),
        "x/".repeat(3000),
    ]);
    spellings
}

#[tokio::test]
async fn no_spelling_reaches_what_is_outside_or_kept() {
    let world = world();
    let root = world.path().join("in");
    let mut client =
        serve_with(&towline_filesystem::FilesystemConfig::new([towline_filesystem::RootConfig::new(&root)]));
    let before = snapshot(&world);
    let spellings = spellings(world.path().to_str().unwrap());
    assert!(spellings.len() >= 90, "{}", spellings.len());
    for path in &spellings {
        let reads = [
            ("read_text_file", json!({"path": path})),
            ("read_text_file", json!({"path": path, "tail": 5})),
            ("read_media_file", json!({"path": path})),
            ("get_file_info", json!({"path": path})),
            ("list_files", json!({"path": path})),
            ("list_directory_with_sizes", json!({"path": path})),
            ("directory_tree", json!({"path": path})),
            ("search_files", json!({"path": path, "pattern": "**"})),
            ("grep_files", json!({"path": path, "pattern": "SECRET"})),
            ("edit_file", json!({"path": path, "edits": [{"oldText": "TOP", "newText": "x"}]})),
        ];
        for (tool, arguments) in reads {
            let error = failure(&mut client, tool, arguments).await;
            assert!(!error.contains(SECRET), "{tool} {path:?}: {error}");
            // Callers learn no path that they do not know.
            assert!(path.contains("/tmp") || !error.contains("/tmp"), "{tool} {path:?}: {error}");
        }
        let many = text(&mut client, "read_multiple_files", json!({"paths": [path]})).await;
        assert!(many.contains(": Error - ") && !many.contains(SECRET), "{path:?}: {many}");
    }
    for path in &spellings {
        let moved =
            call(&mut client, "move_file", json!({"source": path, "destination": "sub/stolen"})).await;
        if let Ok((told, _)) = moved {
            // A link is moved as a link, and leads nowhere new for a caller.
            assert!(
                ["up", "leak", "absolute", "etc", "winding", "dots", "a", "env", "dangling"]
                    .iter()
                    .any(|name| path.starts_with(name)),
                "{told}"
            );
            let error = failure(&mut client, "read_text_file", json!({"path": "sub/stolen"})).await;
            assert!(!error.contains(SECRET));
            fs::rename(root.join("sub/stolen"), root.join(path)).unwrap();
        }
        let _ = call(&mut client, "move_file", json!({"source": "ok.txt", "destination": path})).await;
        let _ = call(&mut client, "write_file", json!({"path": path, "content": "OVERWRITTEN"})).await;
        let _ = call(&mut client, "create_directory", json!({"path": path})).await;
    }
    let after = snapshot(&world);
    assert_eq!(before, after);
}

/// All that a caller must not change: what is next to the root, and what is hidden in it.
fn snapshot(world: &TempDir) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in [".", "in-sibling", "in/.git"] {
        for entry in fs::read_dir(world.path().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let content = fs::read_to_string(&path).unwrap_or_default();
            found.push((path.display().to_string(), content));
        }
    }
    found.push((".env".into(), fs::read_to_string(world.path().join("in/.env")).unwrap()));
    found.sort();
    found
}

#[tokio::test]
async fn links_within_the_root_are_followed() {
    let root = folder(&[("a/b/file.txt", "here")]);
    symlink("a/b", root.path().join("short")).unwrap();
    symlink("../b/file.txt", root.path().join("a/b/up.txt")).unwrap();
    symlink(root.path().join("a/b/file.txt"), root.path().join("whole.txt")).unwrap();
    let mut client = serve(&root);
    for path in ["short/file.txt", "a/b/up.txt", "short/up.txt", "whole.txt"] {
        assert_eq!(text(&mut client, "read_text_file", json!({"path": path})).await, "here");
    }
    text(&mut client, "write_file", json!({"path": "whole.txt", "content": "new"})).await;
    assert!(root.path().join("whole.txt").is_symlink());
    assert_eq!(fs::read_to_string(root.path().join("a/b/file.txt")).unwrap(), "new");
}

#[tokio::test]
async fn paths_from_the_machines_root_are_taken_and_not_told() {
    let world = folder(&[("real/file.txt", "here")]);
    symlink("real", world.path().join("link")).unwrap();
    let given = world.path().join("link");
    let config = towline_filesystem::FilesystemConfig::new([towline_filesystem::RootConfig::new(&given)]);
    let mut client = serve_with(&config);
    for path in
        [given.join("file.txt"), world.path().join("real/file.txt"), world.path().join("real/x/../file.txt")]
    {
        let (_, data) = call(&mut client, "read_text_file", json!({"path": path})).await.unwrap();
        assert_eq!(data["path"], "file.txt");
    }
    let listed = text(&mut client, "list_files", json!({"path": given})).await;
    assert_eq!(listed, "Contents of .:\n[FILE] file.txt");
}

#[tokio::test]
async fn several_roots_go_by_their_names() {
    let (left, right) = (folder(&[("same.txt", "left")]), folder(&[("same.txt", "right")]));
    let config = towline_filesystem::FilesystemConfig::new([
        towline_filesystem::RootConfig::new(left.path()).named("left"),
        towline_filesystem::RootConfig::read_only(right.path()).named("right"),
    ]);
    let mut client = serve_with(&config);
    assert_eq!(text(&mut client, "list_directory", json!({"path": "."})).await, "[DIR] left\n[DIR] right");
    assert_eq!(text(&mut client, "read_text_file", json!({"path": "right/same.txt"})).await, "right");
    let found = text(&mut client, "search_files", json!({"path": ".", "pattern": "*.txt"})).await;
    assert_eq!(found, "left/same.txt\nright/same.txt");
    for path in ["right/../left/../../x", "left/../..", "same.txt", "other/same.txt"] {
        failure(&mut client, "read_text_file", json!({"path": path})).await;
    }
    let allowed = text(&mut client, "list_allowed_directories", json!({})).await;
    assert_eq!(allowed, "Allowed directories:\nleft\nright (read-only)");
    for (tool, arguments) in [
        ("write_file", json!({"path": "right/new.txt", "content": ""})),
        ("create_directory", json!({"path": "right/new"})),
        ("move_file", json!({"source": "right/same.txt", "destination": "left/moved.txt"})),
        ("move_file", json!({"source": "left/same.txt", "destination": "right/moved.txt"})),
        ("edit_file", json!({"path": "right/same.txt", "edits": [{"oldText": "right", "newText": "x"}]})),
    ] {
        let error = failure(&mut client, tool, arguments).await;
        assert!(error.contains("may only be read"), "{tool}: {error}");
    }
    text(&mut client, "write_file", json!({"path": "left/new.txt", "content": "x"})).await;
}

#[tokio::test]
async fn globs_keep_what_they_name_on_every_way() {
    let root =
        folder(&[("keys/a.PEM", "k"), ("vault/x/y.txt", "v"), ("deep/vault/y.txt", "d"), ("ok.txt", "ok")]);
    symlink("vault/x", root.path().join("way")).unwrap();
    let mut config = config(&root);
    config.deny = vec!["*.pem".into(), "vault/**".into()];
    let mut client = serve_with(&config);
    for path in ["keys/a.PEM", "vault", "vault/x/y.txt", "VAULT/x", "way/y.txt"] {
        let error = failure(&mut client, "get_file_info", json!({"path": path})).await;
        assert!(error.contains("kept from callers"), "{path}: {error}");
    }
    // A name without `/` counts at every depth: `vault/**` is the folder itself.
    failure(&mut client, "get_file_info", json!({"path": "deep/vault/y.txt"})).await;
    let tree = text(&mut client, "search_files", json!({"path": ".", "pattern": "**"})).await;
    assert_eq!(tree, "deep\nkeys\nok.txt\nway");
    // What is kept does not come to light below another name.
    for source in ["keys", "vault"] {
        let error = failure(&mut client, "move_file", json!({"source": source, "destination": "open"})).await;
        assert!(error.contains("kept"), "{error}");
    }
    failure(&mut client, "move_file", json!({"source": "ok.txt", "destination": "ok.pem"})).await;
    failure(&mut client, "write_file", json!({"path": "new.pem", "content": ""})).await;
}

#[tokio::test]
async fn what_is_no_plain_file_is_not_opened() {
    let root = folder(&[("a.txt", "a")]);
    let path = root.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(root.path().join("socket")).unwrap();
    let mut client = serve(&root);
    for path in ["fifo", "socket", "."] {
        for tool in ["read_text_file", "read_media_file"] {
            failure(&mut client, tool, json!({"path": path})).await;
        }
        failure(&mut client, "write_file", json!({"path": path, "content": ""})).await;
    }
    assert_eq!(text(&mut client, "grep_files", json!({"path": ".", "pattern": "a"})).await, "a.txt:1:a");
}

#[tokio::test]
async fn files_with_two_names_are_read_and_not_written() {
    let world = folder(&[("in/x", ""), ("outside.txt", "out")]);
    fs::hard_link(world.path().join("outside.txt"), world.path().join("in/hard.txt")).unwrap();
    let config = towline_filesystem::FilesystemConfig::new([towline_filesystem::RootConfig::new(
        world.path().join("in"),
    )]);
    let mut client = serve_with(&config);
    assert_eq!(text(&mut client, "read_text_file", json!({"path": "hard.txt"})).await, "out");
    let error = failure(&mut client, "write_file", json!({"path": "hard.txt", "content": "x"})).await;
    assert!(error.contains("other names"), "{error}");
    let edits = json!({"path": "hard.txt", "edits": [{"oldText": "out", "newText": "x"}]});
    failure(&mut client, "edit_file", edits).await;
    assert_eq!(fs::read_to_string(world.path().join("outside.txt")).unwrap(), "out");
}
