//! What is read, and what is found in it.

use std::fs;

use serde_json::json;

use crate::common::{call, data, failure, folder, serve, text};

#[tokio::test]
async fn parts_of_a_file_are_lines() {
    let root =
        folder(&[("five.txt", "one\ntwo\nthree\nfour\nfive\n"), ("open.txt", "a\nb"), ("empty.txt", "")]);
    let mut client = serve(&root);
    for (arguments, expected) in [
        (json!({"path": "five.txt"}), "one\ntwo\nthree\nfour\nfive\n"),
        (json!({"path": "five.txt", "head": 2}), "one\ntwo"),
        (json!({"path": "five.txt", "tail": 2}), "four\nfive"),
        (json!({"path": "five.txt", "tail": 9}), "one\ntwo\nthree\nfour\nfive"),
        (json!({"path": "five.txt", "start_line": 2, "end_line": 3}), "two\nthree"),
        (json!({"path": "five.txt", "start_line": 5}), "five"),
        (json!({"path": "five.txt", "start_line": 6}), ""),
        (json!({"path": "open.txt", "tail": 1}), "b"),
        (json!({"path": "open.txt", "head": 9}), "a\nb"),
        (json!({"path": "empty.txt", "tail": 1}), ""),
    ] {
        assert_eq!(text(&mut client, "read_text_file", arguments.clone()).await, expected, "{arguments}");
    }
    let part = data(&mut client, "read_text_file", json!({"path": "five.txt", "head": 2})).await;
    assert_eq!((&part["next_line"], &part["is_whole"]), (&json!(3), &json!(false)));
    let whole = data(&mut client, "read_text_file", json!({"path": "five.txt", "head": 5})).await;
    assert_eq!((whole.get("next_line"), &whole["is_whole"]), (None, &json!(true)));
    for arguments in [
        json!({"path": "five.txt", "head": 1, "tail": 1}),
        json!({"path": "five.txt", "head": 0}),
        json!({"path": "five.txt", "start_line": 3, "end_line": 2}),
    ] {
        failure(&mut client, "read_text_file", arguments).await;
    }
}

#[tokio::test]
async fn the_end_of_a_long_file_is_read_across_blocks() {
    let lines: Vec<String> = (0..40_000).map(|n| format!("line {n} ü")).collect();
    let root = folder(&[("long.txt", &lines.join("\n"))]);
    let mut client = serve(&root);
    for count in [1, 1000, 9_999] {
        let told = text(&mut client, "read_text_file", json!({"path": "long.txt", "tail": count})).await;
        assert_eq!(told, lines[lines.len() - count..].join("\n"));
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_said_to_be_lost() {
    let root = folder(&[]);
    fs::write(root.path().join("latin.txt"), b"caf\xe9").unwrap();
    let mut client = serve(&root);
    let read = data(&mut client, "read_text_file", json!({"path": "latin.txt"})).await;
    assert_eq!((&read["content"], &read["is_lossy"]), (&json!("caf\u{fffd}"), &json!(true)));
    let edits = json!({"path": "latin.txt", "edits": [{"oldText": "caf", "newText": "x"}]});
    assert!(failure(&mut client, "edit_file", edits).await.contains("no UTF-8"));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_leaves_the_others() {
    let root = folder(&[("a.txt", "A"), ("b.txt", "B")]);
    let mut client = serve(&root);
    let paths = json!({"paths": ["a.txt", "none.txt", "../x", "b.txt"]});
    let (text, data) = call(&mut client, "read_multiple_files", paths).await.unwrap();
    let expected = "a.txt:\nA\n\n---\nnone.txt: Error - there is no `none.txt`\n---\n\
                    ../x: Error - `../x` is outside of the allowed directories\n---\nb.txt:\nB\n";
    assert_eq!(text, expected);
    assert_eq!(data["files"][3]["content"], "B");
    assert!(data["files"][1]["error"].is_string());
}

#[tokio::test]
async fn media_come_as_what_they_are() {
    let root = folder(&[("a.png", "png"), ("a.mp3", "mp3"), ("a b.bin", "bin")]);
    let mut client = serve(&root);
    let mut content = async |path: &str| {
        let answer = client.call_tool("read_media_file", json!({"path": path})).await.unwrap();
        answer.result.unwrap()["content"][0].clone()
    };
    assert_eq!(content("a.png").await, json!({"type": "image", "data": "cG5n", "mimeType": "image/png"}));
    assert_eq!(content("a.mp3").await, json!({"type": "audio", "data": "bXAz", "mimeType": "audio/mpeg"}));
    let other = content("a b.bin").await;
    assert_eq!(other["resource"]["uri"], "file:///a%20b.bin");
    assert_eq!(other["resource"]["blob"], "Ymlu");
}

#[tokio::test]
async fn lines_are_found_where_they_may_be() {
    let root = folder(&[
        ("a.rs", "fn main() {}\n// TODO: x\n"),
        ("sub/b.rs", "// todo later\n"),
        ("sub/c.txt", "TODO\n"),
        ("target/d.rs", "TODO"),
        ("sub/skip/e.rs", "TODO"),
        (".gitignore", "target/\n"),
        ("sub/.gitignore", "skip\n"),
        (".hidden", "TODO"),
        ("binary", "TODO\nx\0y"),
    ]);
    let mut client = serve(&root);
    for (arguments, expected) in [
        (json!({"path": ".", "pattern": "TODO"}), "a.rs:2:// TODO: x\nsub/c.txt:1:TODO"),
        (
            json!({"path": ".", "pattern": "todo", "ignore_case": true, "include": ["**/*.rs"]}),
            "a.rs:2:// TODO: x\nsub/b.rs:1:// todo later",
        ),
        (
            json!({"path": "sub", "pattern": "T.DO", "include_ignored": true}),
            "sub/c.txt:1:TODO\nsub/skip/e.rs:1:TODO",
        ),
        (json!({"path": ".", "pattern": "main()", "literal": true}), "a.rs:1:fn main() {}"),
        (json!({"path": ".", "pattern": "nowhere"}), "No matches found"),
        (json!({"path": ".", "pattern": "TODO", "excludePatterns": ["sub"]}), "a.rs:2:// TODO: x"),
    ] {
        assert_eq!(text(&mut client, "grep_files", arguments.clone()).await, expected, "{arguments}");
    }
    for pattern in ["(", "(a{1000}){1000}"] {
        let error = failure(&mut client, "grep_files", json!({"path": ".", "pattern": pattern})).await;
        assert!(error.contains("pattern cannot be read"), "{error}");
    }
}

#[tokio::test]
async fn info_says_what_the_disk_says() {
    let root = folder(&[("a.txt", "hello")]);
    let mut client = serve(&root);
    let info = data(&mut client, "get_file_info", json!({"path": "a.txt"})).await;
    assert_eq!((&info["size"], &info["type"]), (&json!(5), &json!("file")));
    assert_eq!(info["hash"], "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    let directory = text(&mut client, "get_file_info", json!({"path": "."})).await;
    assert!(directory.contains("isDirectory: true\nisFile: false"), "{directory}");
    let error = failure(&mut client, "get_file_info", json!({"path": "none"})).await;
    assert_eq!(error, "there is no `none`");
}
