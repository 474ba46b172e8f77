//! What is written, and what is left alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::common::{data, failure, folder, serve, text};

#[tokio::test]
async fn a_file_is_made_and_replaced() {
    let root = folder(&[("script.sh", "old")]);
    let path = root.path().join("script.sh");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
    let mut client = serve(&root);
    let made = text(&mut client, "write_file", json!({"path": "test.txt", "content": "Hello World"})).await;
    assert_eq!(made, "Successfully wrote 11 bytes to test.txt");
    let wrote = data(&mut client, "write_file", json!({"path": "script.sh", "content": "new"})).await;
    assert_eq!(wrote["is_new"], false);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o750);
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    let error = failure(&mut client, "write_file", json!({"path": "no/such/dir.txt", "content": ""})).await;
    assert!(error.starts_with("Error: there is no `no`"), "{error}");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2, "something is left over");
}

#[tokio::test]
async fn a_file_is_replaced_only_if_it_is_what_the_caller_read() {
    let root = folder(&[("a.txt", "one")]);
    let mut client = serve(&root);
    let hash = data(&mut client, "read_text_file", json!({"path": "a.txt"})).await["hash"].clone();
    let write = json!({"path": "a.txt", "content": "two", "if_match": hash});
    text(&mut client, "write_file", write.clone()).await;
    let error = failure(&mut client, "write_file", write).await;
    assert!(error.contains("has changed"), "{error}");
    let edit = json!({"path": "a.txt", "edits": [{"oldText": "two", "newText": "x"}], "if_match": hash});
    failure(&mut client, "edit_file", edit).await;
    failure(&mut client, "write_file", json!({"path": "a.txt", "content": "x", "if_match": "absent"})).await;
    text(&mut client, "write_file", json!({"path": "b.txt", "content": "x", "if_match": "absent"})).await;
    assert_eq!(fs::read_to_string(root.path().join("a.txt")).unwrap(), "two");
}

#[tokio::test]
async fn edits_change_what_they_name() {
    let root = folder(&[
        ("a.rs", "fn a() {\n    one();\n    two();\n}\n"),
        ("win.txt", "a\r\nb\r\nc\r\n"),
        ("twice", "x x ää"),
    ]);
    let mut client = serve(&root);
    let edits =
        json!({"path": "a.rs", "edits": [{"oldText": "one()", "newText": "three()"}], "dryRun": true});
    let told = text(&mut client, "edit_file", edits.clone()).await;
    assert!(told.starts_with("```diff\n--- a.rs\toriginal\n+++ a.rs\tmodified\n@@"), "{told}");
    assert!(told.contains("-    one();\n+    three();\n"), "{told}");
    assert!(fs::read_to_string(root.path().join("a.rs")).unwrap().contains("one()"));

    // White space around lines may differ; the new lines take that of the old ones.
    let edits =
        json!({"path": "a.rs", "edits": [{"oldText": "one();\ntwo();", "newText": "one();\n  four();"}]});
    text(&mut client, "edit_file", edits).await;
    assert_eq!(fs::read_to_string(root.path().join("a.rs")).unwrap(), "fn a() {\n    one();\n  four();\n}\n");

    let edits = json!({"path": "win.txt", "edits": [{"oldText": "a\nb", "newText": "A\nB"}]});
    text(&mut client, "edit_file", edits).await;
    assert_eq!(fs::read_to_string(root.path().join("win.txt")).unwrap(), "A\r\nB\r\nc\r\n");

    for (old, problem) in
        [("x", "more than once"), ("ä", "more than once"), ("none", "could not find"), ("", "empty")]
    {
        let edits = json!({"path": "twice", "edits": [{"oldText": old, "newText": "y"}]});
        let error = failure(&mut client, "edit_file", edits).await;
        assert!(error.contains(problem), "{error}");
    }
    // One edit that fails fails all.
    let edits = json!({"path": "twice", "edits": [{"oldText": "x x", "newText": "y"}, {"oldText": "none", "newText": "y"}]});
    failure(&mut client, "edit_file", edits).await;
    assert_eq!(fs::read_to_string(root.path().join("twice")).unwrap(), "x x ää");
}

#[tokio::test]
async fn directories_are_made_and_things_moved() {
    let root = folder(&[("a.txt", "A"), ("b.txt", "B"), ("dir/x", "")]);
    let mut client = serve(&root);
    for path in ["new/deep/er", "new/deep", "."] {
        text(&mut client, "create_directory", json!({"path": path})).await;
    }
    failure(&mut client, "create_directory", json!({"path": "a.txt/sub"})).await;
    let told = text(&mut client, "move_file", json!({"source": "a.txt", "destination": "new/a.txt"})).await;
    assert_eq!(told, "Successfully moved a.txt to new/a.txt");
    for (source, destination) in [
        ("b.txt", "new/a.txt"),
        ("a.txt", "c.txt"),
        ("dir", "dir/in/itself"),
        ("dir", "dir/itself"),
        (".", "new/root"),
        ("b.txt", "."),
    ] {
        let arguments = json!({"source": source, "destination": destination});
        failure(&mut client, "move_file", arguments).await;
    }
    assert_eq!(fs::read_to_string(root.path().join("new/a.txt")).unwrap(), "A");
    assert_eq!(fs::read_to_string(root.path().join("b.txt")).unwrap(), "B");
}

#[tokio::test]
async fn what_is_too_large_leaves_the_file_as_it_was() {
    let root = folder(&[("locked/a.txt", "old")]);
    let folder = root.path().join("locked");
    let mut config = crate::common::config(&root);
    config.limits.max_write_bytes = 10;
    let mut client = crate::common::serve_with(&config);
    let write = json!({"path": "locked/a.txt", "content": "more than ten bytes"});
    assert!(failure(&mut client, "write_file", write).await.contains("cannot be written at once"));
    assert_eq!(fs::read_to_string(folder.join("a.txt")).unwrap(), "old");
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
}
