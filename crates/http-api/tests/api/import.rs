//! Tools of the documents that configurations name, carried out over real sockets.

use serde_json::{Value, json};
use towline_core::{Router, Server};
use towline_http_api::openapi::OpenApiConfig;
use towline_http_api::{Api, ApiConfig, Apis};
use towline_transport::memory::{self, Client};

use crate::common::{Seen, Upstream, answer, json as body};

fn document() -> String {
    json!({"openapi": "3.1.0", "info": {"title": "Notes"}, "servers": [{"url": "https://elsewhere.example"}], "paths": {
        "/notes/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
            "get": {"operationId": "getNote", "parameters": [
                {"name": "session", "in": "cookie", "schema": {"type": "string"}},
            ], "responses": {}},
            "patch": {"operationId": "changeNote", "responses": {}},
        },
    }})
    .to_string()
}

fn notes(seen: &Seen) -> http::Response<http_body_util::Full<bytes::Bytes>> {
    match seen.uri.path() {
        "/v1/openapi.json" => body(&document()),
        "/v1/notes/long" => answer(200, &[("content-type", "text/plain")], "\u{e9}".repeat(4000)),
        _ => body(r#"{"id": 7}"#),
    }
}

fn with_document(mut config: ApiConfig, openapi: Value) -> ApiConfig {
    config.openapi = Some(serde_json::from_value::<OpenApiConfig>(openapi).unwrap());
    config
}

async fn client(apis: &Apis) -> Client {
    let tools = apis.import().await.unwrap().tools.merge(towline_http_api::tools(apis));
    memory::connect(Server::new(Router::new("test", "1.0.0").tools(tools)))
}

async fn call(client: &mut Client, tool: &str, arguments: Value) -> Value {
    client.call_tool(tool, arguments).await.unwrap().result.unwrap()
}

#[tokio::test]
async fn a_document_of_the_api_itself_becomes_tools_of_the_methods_that_are_allowed() {
    let upstream = Upstream::start(notes).await;
    let config = with_document(upstream.config(), json!({"endpoint": "/openapi.json", "prefix": "n_"}));
    let apis: Apis = [Api::new("notes", config).unwrap()].into_iter().collect();

    let imported = apis.import().await.unwrap();
    let names: Vec<_> = imported.tools.definitions().map(|tool| tool.name.to_string()).collect();
    assert_eq!(names, ["n_getNote"], "PATCH is not among the configured methods");
    assert_eq!(imported.reports["notes"].excluded, 1);

    let mut client = client(&apis).await;
    let result = call(&mut client, "n_getNote", json!({"id": "a/b c", "session": "s1"})).await;
    assert_eq!(result["structuredContent"], json!({"id": 7}), "{result}");
    let seen = upstream.last();
    assert_eq!(seen.uri.path(), "/v1/notes/a%2Fb%20c", "a value stays within its segment");
    assert_eq!(seen.header("cookie"), Some("session=s1"));
}

#[tokio::test]
async fn a_long_answer_is_cut_between_characters_and_says_so() {
    let upstream = Upstream::start(notes).await;
    let mut config = with_document(upstream.config(), json!({"endpoint": "/openapi.json"}));
    config.max_result_bytes = 1025;
    let mut client = client(&[Api::new("notes", config).unwrap()].into_iter().collect()).await;

    let result = call(&mut client, "getNote", json!({"id": "long"})).await;

    assert_eq!(result["content"][0]["text"], "\u{e9}".repeat(512));
    let note = result["content"][1]["text"].as_str().unwrap();
    assert!(note.contains("its first 1024 bytes"), "{note}");
}

#[tokio::test]
async fn what_cannot_be_imported_names_the_api_and_the_key() {
    let upstream = Upstream::start(notes).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.json");
    std::fs::write(&file, "{\"swagger\": ").unwrap();
    for (openapi, problem) in [
        (json!({"file": folder.path().join("none.json")}), "`openapi.file` cannot be read"),
        (json!({"file": file}), "`openapi.file` names a document that is of no use"),
        (json!({"endpoint": "/../openapi.json"}), "`openapi.endpoint` cannot be read"),
        (json!({"endpoint": "/notes/1"}), "`openapi.endpoint` names a document that is of no use"),
    ] {
        let config = with_document(upstream.config(), openapi);
        let apis: Apis = [Api::new("notes", config).unwrap()].into_iter().collect();
        let error = apis.import().await.unwrap_err().to_string();
        assert!(error.starts_with("API `notes`: ") && error.contains(problem), "{error}");
    }
}

#[tokio::test]
async fn two_tools_of_one_name_are_refused_before_anything_is_served() {
    let upstream = Upstream::start(notes).await;
    let config = || with_document(upstream.config(), json!({"endpoint": "/openapi.json"}));
    let apis: Apis =
        [Api::new("a", config()).unwrap(), Api::new("b", config()).unwrap()].into_iter().collect();

    let error = apis.import().await.unwrap_err().to_string();

    assert_eq!(error, "API `b`: `openapi.prefix` must tell tools apart: there are two called `getNote`");
}

#[tokio::test]
async fn no_operation_takes_the_name_of_a_tool_that_servers_have() {
    let upstream = Upstream::start(notes).await;
    for name in ["health_check", "server_info", "get_metrics", "call_rest_api"] {
        let openapi = json!({"endpoint": "/openapi.json", "overrides": {"getNote": {"name": name}}});
        let apis: Apis =
            [Api::new("a", with_document(upstream.config(), openapi)).unwrap()].into_iter().collect();
        let error = apis.import().await.unwrap_err().to_string();
        assert!(error.ends_with(&format!("there are two called `{name}`")), "{error}");
    }
}
