use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use towline_core::{Router, Server};
use towline_filesystem::{Filesystem, FilesystemConfig, RootConfig};
use towline_transport::memory::{self, Client};

/// A folder with these files in it. A path that ends in `/` is an empty folder.
pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        write(root.path(), path, content);
    }
    root
}

pub(crate) fn write(root: &Path, path: &str, content: &str) {
    let full = root.join(path);
    if path.ends_with('/') {
        return fs::create_dir_all(full).unwrap();
    }
    fs::create_dir_all(full.parent().unwrap()).unwrap();
    fs::write(full, content).unwrap();
}

pub(crate) fn config(root: &TempDir) -> FilesystemConfig {
    FilesystemConfig::new([RootConfig::new(root.path())])
}

pub(crate) fn serve(root: &TempDir) -> Client {
    serve_with(&config(root))
}

pub(crate) fn serve_with(config: &FilesystemConfig) -> Client {
    let files = Filesystem::open(config).unwrap();
    let router = Router::new("test", "1")
        .tools(towline_filesystem::tools(&files))
        .resources(towline_filesystem::resources(&files));
    memory::connect(Server::new(router))
}

/// Calls a tool: its text and its data, or the text of its failure.
pub(crate) async fn call(
    client: &mut Client,
    tool: &str,
    arguments: Value,
) -> Result<(String, Value), String> {
    let answer = client.call_tool(tool, arguments).await.unwrap();
    let mut result = answer
        .result
        .unwrap_or_else(|error| json!({"isError": true, "content": [{"text": error["message"]}]}));
    let text = result["content"][0]["text"].as_str().unwrap_or_default().to_owned();
    match result["isError"].as_bool() {
        Some(true) => Err(text),
        _ => Ok((text, result["structuredContent"].take())),
    }
}

pub(crate) async fn text(client: &mut Client, tool: &str, arguments: Value) -> String {
    call(client, tool, arguments).await.unwrap().0
}

pub(crate) async fn data(client: &mut Client, tool: &str, arguments: Value) -> Value {
    call(client, tool, arguments).await.unwrap().1
}

pub(crate) async fn failure(client: &mut Client, tool: &str, arguments: Value) -> String {
    call(client, tool, arguments).await.unwrap_err()
}
