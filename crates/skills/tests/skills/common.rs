use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use towline_core::{Router, Server};
use towline_skills::{Limits, Skills};
use towline_transport::memory::{self, Client};

/// A folder with these files in it. A path that ends in `/` is an empty folder.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        write(root.path(), path, content);
    }
    root
}

pub(crate) fn write(root: &Path, path: &str, content: &[u8]) {
    let full = root.join(path);
    if path.ends_with('/') {
        return fs::create_dir_all(full).unwrap();
    }
    fs::create_dir_all(full.parent().unwrap()).unwrap();
    fs::write(full, content).unwrap();
}

/// A `SKILL.md` of that name.
pub(crate) fn skill(name: &str) -> Vec<u8> {
    format!("---\nname: {name}\ndescription: About {name}.\n---\n\n# {name}\n").into_bytes()
}

pub(crate) fn load(root: &TempDir) -> Skills {
    Skills::from_folder(root.path()).unwrap()
}

pub(crate) fn router() -> Router {
    Router::new("test", "1")
}

pub(crate) fn connect(skills: Skills) -> Client {
    memory::connect(Server::new(skills.install(router())))
}

/// A result without what all results of the latest revision have.
pub(crate) async fn result(client: &mut Client, method: &str, params: Value) -> Value {
    let mut result = client.call(method, params).await.unwrap().result.expect(method);
    let members = result.as_object_mut().unwrap();
    assert_eq!(members.remove("resultType"), Some(json!("complete")), "{method}");
    members.remove("_meta");
    result
}

pub(crate) async fn error(client: &mut Client, method: &str, params: Value) -> Value {
    client.call(method, params).await.unwrap().result.expect_err(method)
}

/// The entries of a list, page by page.
pub(crate) async fn pages(
    client: &mut Client,
    method: &str,
    member: &str,
    mut params: Value,
) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    loop {
        let mut page = result(client, method, params.clone()).await;
        pages.push(serde_json::from_value(page[member].take()).unwrap());
        match page.get("nextCursor") {
            Some(cursor) => params["cursor"] = cursor.clone(),
            None => return pages,
        }
    }
}

/// What a list of a skill's files says of one with that content.
pub(crate) fn listed(uri: &str, content: &[u8]) -> Value {
    json!({"uri": uri, "digest": digest(content), "size": content.len()})
}

pub(crate) fn digest(content: &[u8]) -> String {
    let hex: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Holds that a folder is refused with an error that names that file and says that.
pub(crate) fn refused(root: &TempDir, limits: &Limits, path: &str, problem: &str) {
    let error = Skills::from_folder_within(root.path(), limits).unwrap_err();
    assert_eq!(error.path(), path, "{error}");
    assert!(error.problem().contains(problem), "{error}");
    assert_eq!(error.to_string(), format!("`{path}` {}", error.problem()));
    assert!(!error.to_string().contains(root.path().to_str().unwrap()), "{error}");
}
