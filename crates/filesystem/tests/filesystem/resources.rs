//! Files as resources, and what clients are told of their changes.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use towline_core::{Router, Server};
use towline_filesystem::Filesystem;
use towline_transport::memory;

use crate::common::{config, folder, serve};

#[tokio::test]
async fn files_are_read_by_uri() {
    let root = folder(&[("sub/ä b.md", "# Hi"), (".env", "SECRET"), ("raw", "x")]);
    fs::write(root.path().join("raw"), b"\xff").unwrap();
    let mut client = serve(&root);
    let mut read = async |uri: &str| client.call("resources/read", json!({"uri": uri})).await.unwrap().result;
    let contents = read("file:///sub/%C3%A4%20b.md").await.unwrap()["contents"][0].clone();
    assert_eq!((&contents["text"], &contents["mimeType"]), (&json!("# Hi"), &json!("text/markdown")));
    assert_eq!(read("file:///raw").await.unwrap()["contents"][0]["blob"], "/w==");
    for uri in [
        "file:///.env",
        "file:///sub",
        "file:///none",
        "file:///../x",
        "file:///%2e%2e/x",
        "file:///sub/..%2F.env",
        "file:////etc/passwd",
        "file:///%2Fetc/passwd",
        "file://host/sub",
    ] {
        let error = read(uri).await.unwrap_err();
        assert!(!error.to_string().contains("SECRET"), "{uri}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_are_told_of_changes() {
    let root = folder(&[("sub/a b.txt", "one"), (".env", "x")]);
    let files = Filesystem::open(&config(&root)).unwrap();
    let mut router = Router::new("test", "1").resources(towline_filesystem::resources(&files));
    let _watch = towline_filesystem::watch(&files, router.registry()).unwrap();
    let mut client = memory::connect(Server::new(router));
    let request = json!({
        "jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen",
        "params": {
            "notifications": {"resourceSubscriptions": ["file:///sub/a%20b.txt", "file:///.env"]},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    });
    client.send(&request.to_string()).await.unwrap();
    let acknowledged = client.receive().await.unwrap().unwrap();
    assert!(acknowledged.contains("acknowledged"), "{acknowledged}");
    fs::write(root.path().join(".env"), "y").unwrap();
    fs::write(root.path().join("sub/a b.txt"), "two").unwrap();
    let told =
        tokio::time::timeout(Duration::from_secs(10), client.receive()).await.expect("a change is told");
    let told: Value = serde_json::from_str(&told.unwrap().unwrap()).unwrap();
    assert_eq!(told["method"], "notifications/resources/updated");
    assert_eq!(told["params"]["uri"], "file:///sub/a%20b.txt");
}
