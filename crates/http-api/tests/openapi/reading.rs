//! What is made of what a document says.

use serde_json::{Map, Value, json};
use towline_http_api::openapi::{Document, DocumentError, Operation, SecurityKind, SecurityScheme};

use crate::support::{body, document, operation, request};

#[test]
fn arguments_of_one_name_are_told_apart() {
    let text = json!({"openapi": "3.0.0", "paths": {"/x/{id}": {
        "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}, {"name": "shared", "in": "query", "schema": {"type": "boolean"}}],
        "post": {
            "parameters": [
                {"name": "id", "in": "query", "schema": {"type": "string"}},
                {"name": "filter[a]", "in": "query", "schema": {"type": "string"}},
                {"name": "filter[a", "in": "query", "schema": {"type": "string"}},
                {"name": "shared", "in": "query", "schema": {"type": "integer"}},
            ],
            "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object", "properties": {"id": {"type": "integer"}}}}}},
            "responses": {},
        },
    }}});
    let document = document(&text);
    let made = request(&document, &json!({"id": "p", "query_id": "q", "body_id": 1, "filter_a": "1", "query_filter_a": "2", "shared": 3})).unwrap();
    assert_eq!((made.path.as_str(), body(&made).as_str()), ("/x/p", r#"{"id":1}"#));
    assert_eq!(made.query.as_deref(), Some("id=q&filter%5Ba%5D=1&filter%5Ba=2&shared=3"));
}

#[test]
fn one_bad_operation_never_costs_the_others() {
    let text = json!({"openapi": "3.0.0", "paths": {
        "/good": {"get": {"responses": {}}},
        "/ref": {"$ref": "other.yaml#/x"},
        "/nothing": 5,
        "/number": {"get": 1},
        "/a/../b": {"get": {"responses": {}}},
        "/open{": {"get": {"responses": {}}},
        "/parameter": {"get": {"parameters": [{"$ref": "#/components/parameters/Nope"}]}, "put": {"responses": {}}},
        "/body": {"post": {"requestBody": {"$ref": "https://example.com/body"}}},
        "/mixed": {"post": {"requestBody": {"content": {"multipart/mixed": {}}}}},
        "/trace": {"trace": {}},
        "/style": {"get": {"parameters": [{"name": "a", "in": "path", "style": "curly", "schema": {}}]}},
        "x-other": {"get": {}},
    }});
    let (operations, skipped) = document(&text).operations();
    assert_eq!(operations.iter().map(Operation::name).collect::<Vec<_>>(), ["get_good", "put_parameter"]);
    let reasons: Vec<_> =
        skipped.iter().map(|one| format!("{} {}: {}", one.method, one.path, one.reason)).collect();
    assert_eq!(
        reasons,
        [
            "GET /a/../b: its path has `.` or `..` as a part",
            "POST /body: the body's `$ref` to `https://example.com/body` leaves the document",
            "POST /mixed: a body of multipart/mixed cannot be written",
            "* /nothing: the path's item is no object",
            "GET /number: it is no object",
            "GET /open{: its path has a `{` without `}`",
            "GET /parameter: a parameter's `$ref` to `#/components/parameters/Nope` names nothing",
            "* /ref: the path's `$ref` to `other.yaml#/x` leaves the document",
            "GET /style: the path parameter `a` has a `style` that is not known",
            "TRACE /trace: TRACE is never sent",
        ]
    );
}

#[test]
fn what_tells_paths_apart_in_the_document_alone_is_not_sent() {
    let text = json!({"openapi": "3.0.0", "paths": {
        "/x#one": {"get": {"responses": {}}},
        "/x?action=go&a b#two": {"get": {"responses": {}}},
    }});
    let (operations, _) = document(&text).operations();
    let made: Vec<_> = operations
        .iter()
        .map(|one| one.request(&Map::new()).unwrap())
        .map(|one| (one.path, one.query))
        .collect();
    assert_eq!(made, [("/x".into(), None), ("/x".into(), Some("action=go&a%20b".into()))]);
    assert_eq!(
        operations.iter().map(Operation::name).collect::<Vec<_>>(),
        ["get_x_one", "get_x_action_go_a_b_two"]
    );
}

#[test]
fn what_is_no_openapi_document_is_refused() {
    for (text, expected) in [
        ("", "cannot be read"),
        ("[", "cannot be read"),
        ("{}", "neither"),
        ("swagger: '1.2'", "1.2"),
        ("openapi: 4.0.0", "4.0.0"),
        ("5", "neither"),
    ] {
        let error: DocumentError = Document::parse(text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
    assert_eq!(Document::parse(b"openapi: 3.1\npaths: {}").unwrap().version(), "3.1");
}

#[test]
fn security_schemes_are_reported_and_credentials_are_no_arguments() {
    let text = json!({
        "openapi": "3.0.0", "security": [{"key": []}],
        "components": {"securitySchemes": {
            "key": {"type": "apiKey", "in": "query", "name": "api_key"},
            "oauth": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "https://x/token"}}},
            "bearer": {"type": "http", "scheme": "Bearer"},
        }},
        "paths": {"/x": {"get": {"parameters": [{"name": "api_key", "in": "query", "required": true, "schema": {"type": "string"}}]},
                         "put": {"security": [{"oauth": ["a"]}, {}]}, "post": {"security": []}}},
    });
    let document = document(&text);
    let schemes = document.security_schemes();
    let found: Vec<_> = schemes
        .iter()
        .map(|SecurityScheme { name, kind, is_used, .. }| (name.as_str(), kind.clone(), *is_used))
        .collect();
    assert_eq!(
        found,
        [
            ("bearer", SecurityKind::Http("bearer".into()), false),
            ("key", SecurityKind::ApiKey { location: "query".into(), name: "api_key".into() }, true),
            ("oauth", SecurityKind::OAuth2 { token_urls: vec!["https://x/token".into()] }, true),
        ]
    );
    let (operations, _) = document.operations();
    assert_eq!(operations[0].input_schema()["properties"], json!({}));
    assert_eq!(operations[0].security(), [vec![("key".to_owned(), vec![])]]);
    assert_eq!(operations[1].security(), [vec![("oauth".to_owned(), vec!["a".to_owned()])], vec![]]);
    assert!(operations[2].security().is_empty());
}

#[test]
fn references_are_found_by_escaped_and_encoded_pointers() {
    let text = json!({"openapi": "3.0.0", "paths": {
        "/a~b/{c d}": {"get": {"parameters": [{"$ref": "#/components/parameters/c%20d~1e"}]}},
        "/again": {"$ref": "#/paths/~1a~0b~1%7Bc%20d%7D"},
    }, "components": {"parameters": {"c d/e": {"name": "c d", "in": "path", "required": true, "schema": {"type": "string"}}}}});
    let (operations, skipped) = document(&text).operations();
    assert!(skipped.is_empty());
    assert_eq!(operations.iter().map(Operation::path).collect::<Vec<_>>(), ["/again", "/a~b/{c d}"]);
    assert_eq!(operations[0].warnings(), ["the path parameter `c d` is not in the path, so it is left out"]);
    assert_eq!(operations[1].request(json!({"c_d": "x"}).as_object().unwrap()).unwrap().path, "/a~b/x");
}

#[test]
fn an_output_schema_is_promised_only_if_every_success_is_an_object() {
    let object = json!({"content": {"application/json": {"schema": {"type": "object"}}}});
    let list = json!({"content": {"application/json": {"schema": {"type": "array"}}}});
    let named = json!({"content": {"application/hal+json": {"schema": {"$ref": "#/components/schemas/A"}}}});
    let a = json!({"type": "object", "properties": {"a": {"$ref": "#/components/schemas/A"}}});
    let converted = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}}});
    for (responses, expected) in [
        (json!({"200": object, "404": list}), Some(json!({"type": "object"}))),
        (json!({"200": object, "204": {}}), None),
        (json!({"200": list}), None),
        (json!({"201": named, "200": named}), Some(converted.clone())),
        (json!({"default": named}), Some(converted)),
        (json!({"200": {"$ref": "https://x/y"}}), None),
        (json!({}), None),
    ] {
        let text = json!({"openapi": "3.0.0", "paths": {"/x": {"get": {"responses": responses}}}, "components": {"schemas": {"A": a}}});
        assert_eq!(operation(&document(&text)).output_schema(), expected, "{responses}");
    }
}

/// Schemas each of which refers to the next one twice.
fn doubling(links: usize) -> Value {
    let place = |n: usize| json!({"$ref": format!("#/components/schemas/L{n}")});
    let link = |n: usize| (format!("L{n}"), json!({"anyOf": [place(n + 1), place(n + 1)]}));
    let mut schemas: Map<String, Value> = (0..links).map(link).collect();
    schemas.insert(format!("L{links}"), json!({"properties": {"a": {"type": "string"}}}));
    Value::Object(schemas)
}

#[test]
fn schemas_that_refer_to_one_another_twice_are_read_once() {
    let schema = json!({"schema": {"$ref": "#/components/schemas/L0"}});
    let document = document(&json!({
        "openapi": "3.1.0",
        "components": {"schemas": doubling(30)},
        "paths": {"/x": {"post": {
            "requestBody": {"content": {"application/x-www-form-urlencoded": schema}},
            "responses": {"200": {"content": {"application/json": schema}}},
        }}},
    }));

    let begun = std::time::Instant::now();
    let (operations, skipped) = document.operations();
    let _ = operations[0].input_schema();

    assert!(skipped.is_empty(), "{skipped:?}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
}
