//! Whatever a document says, importing it ends, panics nowhere, and what comes of it keeps its promises.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use towline_core::Schema;
use towline_http_api::openapi::{self, Document, Mode, OpenApiConfig};

use crate::generate;
use crate::support::{self, Recorder};

/// Any JSON, of the words that documents are made of.
fn anything() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "type",
        "object",
        "string",
        "array",
        "integer",
        "name",
        "in",
        "query",
        "path",
        "header",
        "cookie",
        "body",
        "formData",
        "schema",
        "$ref",
        "#/components/schemas/A",
        "#/components/schemas/B",
        "#",
        "#/paths",
        "required",
        "properties",
        "items",
        "allOf",
        "oneOf",
        "anyOf",
        "not",
        "nullable",
        "readOnly",
        "enum",
        "pattern",
        "(a)\\1",
        "^a+$",
        "content",
        "application/json",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
        "requestBody",
        "responses",
        "200",
        "parameters",
        "style",
        "deepObject",
        "matrix",
        "explode",
        "additionalProperties",
        "exclusiveMinimum",
        "minimum",
        "default",
        "example",
        "format",
        "binary",
        "id",
        "encoding",
        "description",
        "é\u{0}",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(word.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A document of which the parts are anything.
fn documents() -> impl Strategy<Value = Value> {
    let version = prop::sample::select(vec![
        json!({"openapi": "3.0.3"}),
        json!({"openapi": "3.1.0"}),
        json!({"openapi": "3.2.0"}),
        json!({"swagger": "2.0"}),
    ]);
    let path =
        prop::sample::select(vec!["/a", "/a/{id}", "/{id}{name}", "a/{type}/b?x=y", "/{", "/../{id}", "/{}"]);
    (version, path, anything(), anything(), anything(), anything(), anything()).prop_map(
        |(mut document, path, item, parameters, body, schema_a, schema_b)| {
            let mut item = if item.is_object() { item } else { json!({}) };
            item["post"] = json!({
                "parameters": [parameters, {"name": "id", "in": "path", "required": true, "schema": schema_a.clone()}],
                "requestBody": {"required": true, "content": {"application/json": {"schema": body}}},
                "responses": {"200": {"content": {"application/json": {"schema": schema_b.clone()}}}},
            });
            document["paths"] = json!({path: item});
            document["components"] = json!({"schemas": {"A": schema_a, "B": schema_b}});
            document["definitions"] = document["components"]["schemas"].clone();
            document
        },
    )
}

/// Imports a document in both modes, and calls each operation as well as its schema allows.
fn import(text: &str) {
    let start = Instant::now();
    if let Ok(document) = Document::parse(text.as_bytes()) {
        document.security_schemes();
        for mode in [Mode::Tools, Mode::Search] {
            let mut config = OpenApiConfig::default();
            config.mode = mode;
            let (_, report) = openapi::tools(&document, &config, Recorder::answering(200, "", ""));
            assert_eq!(report.skipped.iter().find(|one| one.reason.contains("schema:")), None, "{text}");
        }
        for operation in document.operations().0 {
            let schema = operation.input_schema();
            let compiled = Schema::compile(schema.clone())
                .unwrap_or_else(|problem| panic!("{problem}: {schema}\n{text}"));
            let arguments = generate::arguments(&schema, 0);
            let _ = compiled.check_arguments(&arguments);
            if let Ok(request) = operation.request(arguments.as_object().unwrap()) {
                assert!(request.path.starts_with('/') && request.path.is_ascii(), "{request:?}");
                assert!(request.path.parse::<http::Uri>().is_ok(), "{request:?}");
            }
        }
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_document_is_imported_or_refused(document in documents()) {
        import(&document.to_string());
    }

    #[test]
    fn any_json_is_imported_or_refused(value in anything()) {
        import(&value.to_string());
        import(&json!({"openapi": "3.1.0", "paths": value, "components": value}).to_string());
    }

    #[test]
    fn any_text_is_imported_or_refused(text in "[a-z:{}\\[\\],&*!|>'\"#?\\- \\n\t0-9]{0,200}") {
        import(&text);
        import(&format!("openapi: 3.0.0\npaths:\n {text}"));
    }

    #[test]
    fn no_value_makes_another_path(value in "\\PC{0,12}|[./%\\\\;2eE]{0,9}") {
        let parameter = json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string"}});
        let document = support::v3("/a/{id}/b", true, &parameter);
        let operation = support::operation(&document);
        if let Ok(request) = operation.request(json!({"id": value}).as_object().unwrap()) {
            let segments: Vec<_> = request.path.split('/').collect();
            prop_assert_eq!(segments.len(), 4);
            prop_assert_eq!((segments[1], segments[3]), ("a", "b"));
            prop_assert_eq!(support::percent_decode(segments[2]), value.clone());
            let normal = url_like(&request.path);
            prop_assert_eq!(normal.len(), 3, "{}", request.path);
        }
    }
}

/// The segments after what servers make of dots, having decoded once.
fn url_like(path: &str) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for segment in path.split('/').skip(1) {
        match support::percent_decode(segment).as_str() {
            "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other.to_owned()),
        }
    }
    kept
}

#[test]
fn a_circle_of_any_kind_ends() {
    for schema in [
        json!({"$ref": "#/components/schemas/A"}),
        json!({"allOf": [{"$ref": "#/components/schemas/A"}]}),
        json!({"anyOf": [{"$ref": "#/components/schemas/B"}, {"not": {"$ref": "#/components/schemas/A"}}]}),
        json!({"type": "object", "properties": {"a": {"$ref": "#/components/schemas/A"}}, "allOf": [{"$ref": "#/components/schemas/B"}]}),
        json!({"properties": {"a": {"$ref": "#"}}, "items": {"$ref": "#/paths"}}),
    ] {
        import(&json!({
            "openapi": "3.1.0", "components": {"schemas": {"A": schema, "B": {"oneOf": [{"$ref": "#/components/schemas/A"}]}}},
            "paths": {"/x": {"post": {
                "requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": {"$ref": "#/components/schemas/A"}}}},
                "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}},
            }}},
        }).to_string());
    }
}
