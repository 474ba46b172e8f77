//! Lists, trees and searches, and their pages.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};
use towline_transport::memory::Client;

use crate::common::{config, data, failure, folder, serve, serve_with, text};

#[tokio::test]
async fn listings_say_what_is_what() {
    let root = folder(&[("b.txt", "12345"), ("a/x", ""), (".hidden", "")]);
    symlink("b.txt", root.path().join("link")).unwrap();
    fs::write(root.path().join(OsStr::from_bytes(b"\xff")), "").unwrap();
    let mut client = serve(&root);
    let listed = "[DIR] a\n[FILE] b.txt\n[LINK] link";
    assert_eq!(text(&mut client, "list_directory", json!({"path": "."})).await, listed);
    assert_eq!(
        text(&mut client, "list_files", json!({"path": "."})).await,
        format!("Contents of .:\n{listed}")
    );
    let sizes = text(&mut client, "list_directory_with_sizes", json!({"path": "."})).await;
    assert!(sizes.contains("[FILE] b.txt                                 5 B\n"), "{sizes}");
    assert!(sizes.ends_with("Total: 2 files, 1 directories\nCombined size: 5 B"), "{sizes}");
    for path in ["nonexistent", "../../../etc/passwd", "", "b.txt"] {
        let error = failure(&mut client, "list_files", json!({"path": path})).await;
        assert!(error.starts_with("Error"), "{error}");
    }
    let mut all = config(&root);
    all.show_hidden = true;
    let listed = text(&mut serve_with(&all), "list_directory", json!({"path": "."})).await;
    assert!(listed.starts_with("[FILE] .hidden\n"), "{listed}");
}

#[tokio::test]
async fn trees_show_what_is_asked_for() {
    let root = folder(&[("a/b/c.txt", ""), ("a/d.txt", ""), ("node_modules/x/y.js", ""), ("z/", "")]);
    let mut client = serve(&root);
    let tree =
        data(&mut client, "directory_tree", json!({"path": ".", "excludePatterns": ["node_modules"]})).await;
    let file = |name: &str| json!({"name": name, "type": "file"});
    let folder =
        |name: &str, children: Value| json!({"name": name, "type": "directory", "children": children});
    let inner = folder("b", json!([file("c.txt")]));
    let expected = json!([folder("a", json!([inner, file("d.txt")])), folder("z", json!([]))]);
    assert_eq!(tree["tree"], expected);
    let flat = data(&mut client, "directory_tree", json!({"path": ".", "max_depth": 1})).await;
    assert_eq!(flat["tree"][0], folder("a", json!([])));
}

/// All pages of a list, of two entries each.
async fn pages(client: &mut Client, tool: &str, mut arguments: Value, member: &str) -> Vec<Value> {
    let mut all = Vec::new();
    arguments["limit"] = json!(2);
    loop {
        let mut page = data(client, tool, arguments.clone()).await;
        let entries = page[member].as_array_mut().unwrap();
        assert!(entries.len() <= 2);
        all.append(entries);
        match page.get("next_cursor") {
            Some(cursor) => arguments["cursor"] = cursor.clone(),
            None => return all,
        }
    }
}

#[tokio::test]
async fn pages_together_are_the_whole() {
    let names = ["a", "a-b", "a.txt", "b/x", "b/y/z", "b-c", "b.txt", "c"];
    let files: Vec<(&str, &str)> = names.iter().map(|name| (*name, "x\nx\nx\n")).collect();
    let root = folder(&files);
    for (n, name) in names.iter().enumerate() {
        fs::write(root.path().join(name), "x\n".repeat(n % 3 + 1)).unwrap();
    }
    let mut client = serve(&root);
    for (tool, arguments, member) in [
        ("list_directory", json!({"path": "."}), "entries"),
        ("list_directory_with_sizes", json!({"path": ".", "sortBy": "size"}), "entries"),
        ("search_files", json!({"path": ".", "pattern": "**"}), "matches"),
        ("grep_files", json!({"path": ".", "pattern": "x"}), "matches"),
    ] {
        let whole = data(&mut client, tool, arguments.clone()).await;
        let whole = whole[member].as_array().unwrap();
        assert!(whole.len() >= 7);
        assert_eq!(&pages(&mut client, tool, arguments, member).await, whole, "{tool}");
    }
    let arguments = json!({"path": ".", "pattern": "x", "cursor": "no"});
    assert!(failure(&mut client, "grep_files", arguments).await.contains("unknown cursor"));
}

#[tokio::test]
async fn every_tool_says_what_it_gives_and_does() {
    let root = folder(&[]);
    let mut client = serve(&root);
    let tools = client.call("tools/list", json!({})).await.unwrap().result.unwrap();
    let tools = tools["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 15);
    let writes: Vec<&str> = tools
        .iter()
        .filter(|tool| tool["annotations"]["readOnlyHint"] == false)
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(writes, ["write_file", "create_directory", "move_file", "edit_file"]);
    for tool in tools {
        assert_eq!(tool["outputSchema"]["type"], "object", "{tool}");
        assert_eq!(tool["annotations"]["openWorldHint"], false, "{tool}");
    }
    let mut config = config(&root);
    config.roots[0].read_only = true;
    let mut client = serve_with(&config);
    let tools = client.call("tools/list", json!({})).await.unwrap().result.unwrap();
    assert_eq!(tools["tools"].as_array().unwrap().len(), 11);
}
