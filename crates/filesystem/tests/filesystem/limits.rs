//! What one call may cost.

use std::fs;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use serde_json::json;
use towline_filesystem::{Filesystem, FilesystemConfig, RootConfig};

use crate::common::{call, config, data, failure, folder, serve_with, text};

#[tokio::test]
async fn large_files_are_read_in_parts() {
    let root = folder(&[("big.txt", &"0123456789abcde\n".repeat(100)), ("line.txt", &"x".repeat(2000))]);
    // Ten gibibytes, of which none are on the disk.
    fs::File::create(root.path().join("sparse")).unwrap().set_len(10 << 30).unwrap();
    let mut config = config(&root);
    config.limits.max_read_bytes = 100;
    config.limits.max_media_bytes = 100;
    let mut client = serve_with(&config);
    for path in ["big.txt", "sparse"] {
        for tool in ["read_text_file", "read_media_file"] {
            let error = failure(&mut client, tool, json!({"path": path})).await;
            assert!(error.contains("more than 100 bytes"), "{error}");
        }
    }
    let part = data(&mut client, "read_text_file", json!({"path": "big.txt", "start_line": 1})).await;
    assert_eq!((&part["next_line"], part["content"].as_str().unwrap().len()), (&json!(7), 95));
    let end = text(&mut client, "read_text_file", json!({"path": "big.txt", "tail": 50})).await;
    assert_eq!(end.lines().count(), 6);
    for arguments in [
        json!({"path": "line.txt", "head": 1}),
        json!({"path": "line.txt", "tail": 1}),
        json!({"path": "sparse", "tail": 1}),
    ] {
        failure(&mut client, "read_text_file", arguments).await;
    }
    // It is passed over, not read.
    let found = text(&mut client, "grep_files", json!({"path": ".", "pattern": "^x+$"})).await;
    assert!(found.ends_with("(1 files are too large to look in.)"), "{found}");
}

#[tokio::test]
async fn entries_depth_and_files_are_bounded() {
    let deep = format!("{}x", "d/".repeat(40));
    let root = folder(&[(&deep, ""), ("a", ""), ("b", ""), ("c", "")]);
    let mut config = config(&root);
    config.limits.max_scanned = 30;
    config.limits.max_files = 2;
    let mut client = serve_with(&config);
    let error = failure(&mut client, "search_files", json!({"path": ".", "pattern": "**"})).await;
    assert!(error.contains("more than 30"), "{error}");
    failure(&mut client, "read_multiple_files", json!({"paths": ["a", "b", "c"]})).await;
    config.limits.max_scanned = 1000;
    config.limits.max_depth = 10;
    config.limits.page_size = NonZeroUsize::new(5).unwrap();
    let mut client = serve_with(&config);
    let found = text(&mut client, "search_files", json!({"path": "d", "pattern": "**/x"})).await;
    assert_eq!(found, "No matches found");
    let tree = data(&mut client, "directory_tree", json!({"path": "."})).await;
    assert_eq!(tree["is_cut"], true);
    let too_deep = format!("{}end", "new/".repeat(20));
    failure(&mut client, "create_directory", json!({"path": too_deep})).await;
}

#[tokio::test]
async fn time_is_bounded() {
    let root = folder(&[("a", "")]);
    let mut config = config(&root);
    config.limits.timeout = Duration::ZERO;
    let mut client = serve_with(&config);
    let answer = client.call_tool("list_files", json!({"path": "."})).await.unwrap();
    assert!(answer.result.unwrap()["isError"].as_bool().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_stops_the_work_and_gives_its_place_back() {
    let root = folder(&[]);
    // To hash it would take an hour.
    fs::File::create(root.path().join("sparse")).unwrap().set_len(1 << 40).unwrap();
    let mut config = config(&root);
    config.limits.max_read_bytes = 1 << 41;
    config.limits.max_concurrent = NonZeroUsize::MIN;
    config.limits.timeout = Duration::from_secs(600);
    let mut client = serve_with(&config);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({"name": "get_file_info", "arguments": {"path": "sparse"}, "_meta": meta});
    let request = json!({"jsonrpc": "2.0", "id": 77, "method": "tools/call", "params": params});
    client.send(&request.to_string()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 77, "_meta": meta}});
    client.send(&cancel.to_string()).await.unwrap();
    let begun = Instant::now();
    // The only place is free again.
    text(&mut client, "list_files", json!({"path": "."})).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn mistakes_of_the_operator_are_told() {
    let root = folder(&[("file", ""), ("inner/x", "")]);
    let at = |path: &str| RootConfig::new(root.path().join(path));
    let open = |config: &FilesystemConfig| Filesystem::open(config).unwrap_err().to_string();
    let mut globs = FilesystemConfig::new([at("")]);
    globs.deny = vec!["ok".into(), "[".into()];
    for (config, expected) in [
        (FilesystemConfig::default(), "roots: must name at least one directory"),
        (FilesystemConfig::new([at("none")]), "roots[0].path: there is no such directory"),
        (FilesystemConfig::new([at("file")]), "roots[0].path: is no directory"),
        (FilesystemConfig::new([at("").named("a"), at("inner").named("a")]), "roots[1].name: `a` is taken"),
        (FilesystemConfig::new([at("").named("a/b")]), "roots[0].name: must be a name"),
        (
            FilesystemConfig::new([at(""), RootConfig::read_only(root.path().join("inner"))]),
            "roots[1].path: may only be read, but lies in a root that may be written",
        ),
        (globs, "deny[1]:"),
    ] {
        let told = open(&config);
        assert!(told.starts_with(expected), "{told}");
    }
}

#[tokio::test]
async fn calls_at_the_same_time_lose_no_edit() {
    let root = folder(&[("count.txt", "")]);
    let files = Filesystem::open(&config(&root)).unwrap();
    let mut tasks = Vec::new();
    for n in 0..20 {
        let files = files.clone();
        tasks.push(tokio::spawn(async move {
            let router = towline_core::Router::new("test", "1").tools(towline_filesystem::tools(&files));
            let mut client = towline_transport::memory::connect(towline_core::Server::new(router));
            loop {
                let read = data(&mut client, "read_text_file", json!({"path": "count.txt"})).await;
                let content = format!("{}{n}\n", read["content"].as_str().unwrap());
                let write = json!({"path": "count.txt", "content": content, "if_match": read["hash"]});
                if call(&mut client, "write_file", write).await.is_ok() {
                    return;
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(fs::read_to_string(root.path().join("count.txt")).unwrap().lines().count(), 20);
}
