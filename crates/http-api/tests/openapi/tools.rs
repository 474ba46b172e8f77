//! Documents as tools that clients list and call.

use std::sync::Arc;

use serde_json::{Value, json};
use towline_core::{Router, Server};
use towline_http_api::openapi::{self, Document, Mode, OpenApiConfig};
use towline_transport::memory::{self, Client};

use crate::support::{Recorder, body, headers};

const PETS: &str = r#"
openapi: 3.1.0
info: {title: Pets, version: "1"}
paths:
  /pets:
    get:
      operationId: listPets
      tags: [pets]
      summary: List pets
      parameters: [{name: limit, in: query, schema: {type: integer, maximum: 100}}]
      responses:
        200: {content: {application/json: {schema: {type: object, required: [pets], properties: {pets: {type: array}}}}}}
    post:
      operationId: createPet
      tags: [pets, write]
      summary: Create a pet
      description: Stores a <b>pet</b> for good.
      requestBody: {required: true, content: {application/json: {schema: {type: object, required: [name], properties: {name: {type: string}}}}}}
      responses: {201: {content: {application/json: {schema: {type: object, properties: {id: {type: integer}}}}}}}
  /pets/{id}:
    delete:
      operationId: deletePet
      deprecated: true
      tags: [pets, write]
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {204: {}}
"#;

fn pets() -> Document {
    Document::parse(PETS.as_bytes()).unwrap()
}

fn config(text: Value) -> OpenApiConfig {
    let config: OpenApiConfig = serde_json::from_value(text).unwrap();
    config.validate().unwrap();
    config
}

fn client(config: &OpenApiConfig, api: Arc<Recorder>) -> Client {
    let (tools, _) = openapi::tools(&pets(), config, api);
    memory::connect(Server::new(Router::new("pets", "1.0.0").tools(tools)))
}

async fn call(client: &mut Client, tool: &str, arguments: Value) -> Value {
    client.call_tool(tool, arguments).await.unwrap().result.unwrap()
}

#[tokio::test]
async fn a_client_sees_typed_tools_and_calls_them() {
    let api = Recorder::answering(200, "application/json", r#"{"pets": []}"#);
    let mut client = client(&OpenApiConfig::default(), Arc::clone(&api));
    let listed = client.call("tools/list", json!({})).await.unwrap().result.unwrap();
    let tools = listed["tools"].as_array().unwrap();
    let tool = |name: &str| tools.iter().find(|tool| tool["name"] == name).unwrap();
    assert_eq!(
        tool("listPets")["annotations"],
        json!({"readOnlyHint": true, "idempotentHint": true, "destructiveHint": false, "openWorldHint": true})
    );
    assert_eq!(
        tool("deletePet")["annotations"],
        json!({"readOnlyHint": false, "idempotentHint": true, "destructiveHint": true, "openWorldHint": true})
    );
    assert_eq!(
        tool("createPet")["annotations"],
        json!({"readOnlyHint": false, "idempotentHint": false, "openWorldHint": true})
    );
    assert_eq!(tool("createPet")["description"], "Create a pet. Stores a pet for good.");
    assert_eq!(tool("deletePet")["description"], "Deprecated. DELETE /pets/{id}");
    assert_eq!(tool("listPets")["title"], "List pets");
    assert_eq!(tool("listPets")["outputSchema"]["required"], json!(["pets"]));
    assert!(tool("deletePet").get("outputSchema").is_none());

    let result = call(&mut client, "listPets", json!({"limit": 3})).await;
    assert_eq!(result["structuredContent"], json!({"pets": []}));
    let sent = api.last();
    assert_eq!(
        (sent.method.as_str(), sent.path.as_str(), sent.query.as_deref()),
        ("GET", "/pets", Some("limit=3"))
    );
    assert_eq!(headers(&sent.headers, "accept"), "application/json");

    let wrong = call(&mut client, "listPets", json!({"limit": 300})).await;
    assert_eq!(wrong["content"][0]["text"], "Invalid arguments: `limit` must be at most 100, got 300.");
    assert_eq!(api.count(), 1);
}

#[tokio::test]
async fn an_error_status_is_a_result_that_says_so() {
    let mut client = client(
        &OpenApiConfig::default(),
        Recorder::answering(404, "application/json", r#"{"message":"no such pet"}"#),
    );
    let result = call(&mut client, "deletePet", json!({"id": 7})).await;
    assert_eq!(result["isError"], true);
    assert_eq!(
        result["content"][0]["text"],
        r#"The API answered 404 Not Found. It says: {"message":"no such pet"}"#
    );
}

#[tokio::test]
async fn an_answer_that_breaks_its_schema_is_told_as_done() {
    let mut client =
        client(&OpenApiConfig::default(), Recorder::answering(201, "application/json", r#"{"id":"seven"}"#));
    let result = call(&mut client, "createPet", json!({"name": "Rex"})).await;
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(
        result["isError"] == true && text.contains("do not repeat it") && text.ends_with(r#"{"id":"seven"}"#),
        "{text}"
    );
    let mut open = self::client(
        &config(json!({"output_schemas": false})),
        Recorder::answering(201, "application/json", r#"{"id":"seven"}"#),
    );
    assert_eq!(
        call(&mut open, "createPet", json!({"name": "Rex"})).await["structuredContent"],
        json!({"id": "seven"})
    );
}

#[test]
fn operations_are_chosen_by_tag_path_method_and_id() {
    for (text, expected) in [
        (json!({}), vec!["listPets", "createPet", "deletePet"]),
        (json!({"include": {"tags": ["write"]}}), vec!["createPet", "deletePet"]),
        (json!({"include": {"paths": ["/pets/*"]}}), vec!["deletePet"]),
        (json!({"include": {"methods": ["get", "DELETE"], "tags": ["pets"]}}), vec!["listPets", "deletePet"]),
        (json!({"include": {"operations": ["*Pet"]}, "exclude": {"methods": ["DELETE"]}}), vec!["createPet"]),
        (json!({"exclude": {"tags": ["write"]}}), vec!["listPets"]),
        (json!({"exclude": {"operations": ["listPets"], "paths": ["/pets/{id}"]}}), vec!["createPet"]),
        (json!({"deprecated": false}), vec!["listPets", "createPet"]),
    ] {
        let (tools, report) =
            openapi::tools(&pets(), &config(text.clone()), Recorder::answering(200, "", ""));
        let names: Vec<_> = tools.definitions().map(|tool| tool.name.to_string()).collect();
        assert_eq!(names, expected, "{text}");
        assert_eq!((report.operations, report.excluded), (expected.len(), 3 - expected.len()));
    }
}

#[test]
fn names_and_descriptions_can_be_overridden() {
    let config = config(json!({"prefix": "shop_", "overrides": {
        "listPets": {"name": "pets", "description": "All of them."},
        "DELETE /pets/{id}": {"name": "shop_createPet"},
        "nothing": {"name": "x"},
    }}));
    let (tools, report) = openapi::tools(&pets(), &config, Recorder::answering(200, "", ""));
    let names: Vec<_> = tools.definitions().map(|tool| tool.name.to_string()).collect();
    assert_eq!(names, ["pets", "shop_createPet", "shop_deletePet"]);
    assert_eq!(tools.get("pets").unwrap().definition().description, "All of them.");
    assert_eq!(report.warnings.len(), 2, "{report}");
}

#[test]
fn a_configuration_that_cannot_be_meant_is_refused() {
    for (text, key) in [
        (json!({"prefix": "a b"}), "prefix"),
        (json!({"overrides": {"a": {"name": "x".repeat(65)}}}), "overrides"),
        (json!({"overrides": {"a": {"name": "x"}, "b": {"name": "X"}}}), "overrides"),
        (json!({"file": "a.json", "endpoint": "/a.json"}), "endpoint"),
        (json!({"include": {"paths": ["pets"]}}), "include.paths"),
        (json!({"exclude": {"methods": ["GET POST"]}}), "exclude.methods"),
    ] {
        let config: OpenApiConfig = serde_json::from_value(text).unwrap();
        let error = config.validate().unwrap_err();
        assert!(error.key().starts_with(key), "{error}");
    }
    assert!(serde_json::from_value::<OpenApiConfig>(json!({"includes": {}})).is_err());
}

#[test]
fn a_long_list_is_warned_of_with_count_and_bytes() {
    let (tools, report) =
        openapi::tools(&pets(), &config(json!({"max_tools": 2})), Recorder::answering(200, "", ""));
    let text = report.warnings.last().unwrap().text.clone();
    assert!(text.starts_with(&format!("3 tools of {} bytes", report.bytes)), "{text}");
    let written = tools.definitions().map(|tool| tool.input_schema.to_string().len()).sum::<usize>();
    assert!(report.bytes > written && report.bytes < written + 1500, "{} {written}", report.bytes);
}

#[tokio::test]
async fn three_tools_serve_all_operations() {
    let api = Recorder::answering(201, "application/json", r#"{"id": 7}"#);
    let config = config(json!({"mode": "search"}));
    assert_eq!(config.mode, Mode::Search);
    let mut client = client(&config, Arc::clone(&api));

    let found = call(&mut client, "search_operations", json!({"query": "create pets"})).await;
    assert_eq!(
        found["structuredContent"]["operations"][0],
        json!({"name": "createPet", "method": "POST", "path": "/pets", "summary": "Create a pet"})
    );
    let all = call(&mut client, "search_operations", json!({"limit": 1, "offset": 2})).await;
    assert_eq!(
        (&all["structuredContent"]["total"], &all["structuredContent"]["operations"][0]["name"]),
        (&json!(3), &json!("deletePet"))
    );

    let described = call(&mut client, "describe_operation", json!({"name": "createPet"})).await;
    assert_eq!(described["structuredContent"]["input_schema"]["required"], json!(["name"]));

    let wrong =
        call(&mut client, "call_operation", json!({"name": "createPet", "arguments": {"nam": "Rex"}})).await;
    assert!(wrong["content"][0]["text"].as_str().unwrap().contains("unknown argument `nam`"));
    let unknown = call(&mut client, "call_operation", json!({"name": "createPets"})).await;
    assert!(
        unknown["content"][0]["text"].as_str().unwrap().contains("the nearest are `createPet`"),
        "{unknown}"
    );
    assert_eq!(api.count(), 0);
    let done =
        call(&mut client, "call_operation", json!({"name": "createPet", "arguments": {"name": "Rex"}})).await;
    assert_eq!(done["structuredContent"], json!({"id": 7}));
    assert_eq!(body(&api.last()), r#"{"name":"Rex"}"#);
}
