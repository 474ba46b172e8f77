use super::*;
use serde_json::json;

fn document(version: &str, schemas: &Value) -> Document {
    let text = match version {
        "2.0" => json!({"swagger": "2.0", "paths": {}, "definitions": schemas}),
        version => json!({"openapi": version, "paths": {}, "components": {"schemas": schemas}}),
    };
    Document::parse(text.to_string().as_bytes()).unwrap()
}

/// Converts the schema `S` and gives it with what it refers to, compiled.
fn convert_for(direction: Direction, version: &str, schemas: &Value) -> (Value, Vec<String>) {
    let document = document(version, schemas);
    let mut converter = Converter::new(&document, direction, false, 1 << 20);
    let place = if version == "2.0" { "/definitions/S" } else { "/components/schemas/S" };
    let mut converted = converter.convert(document.at(place));
    let finished = converter.finish();
    if !finished.defs.is_empty() {
        converted["$defs"] = Value::Object(finished.defs);
    }
    towline_core::Schema::compile(converted.clone()).unwrap();
    (converted, finished.notes)
}

fn check(version: &str, schema: &Value, expected: &Value) {
    let (converted, _) = convert_for(Direction::Input, version, &json!({"S": schema}));
    assert_eq!(converted, *expected, "{version}: {schema}");
}

#[test]
fn null_is_allowed_in_every_dialect() {
    check("3.0.3", &json!({"type": "string", "nullable": true}), &json!({"type": ["string", "null"]}));
    check("2.0", &json!({"type": "string", "x-nullable": true}), &json!({"type": ["string", "null"]}));
    check("3.1.0", &json!({"type": ["string", "null"]}), &json!({"type": ["null", "string"]}));
    check(
        "3.0.3",
        &json!({"type": "string", "enum": ["a"], "nullable": true}),
        &json!({"type": ["string", "null"], "enum": ["a", null]}),
    );
    check(
        "3.0.3",
        &json!({"allOf": [{"type": "integer"}], "nullable": true, "description": "d"}),
        &json!({"anyOf": [{"allOf": [{"type": "integer"}]}, {"type": "null"}], "description": "d"}),
    );
}

#[test]
fn keywords_of_openapi_become_those_of_json_schema_or_go() {
    check(
        "3.0.3",
        &json!({"type": "integer", "minimum": 1, "exclusiveMinimum": true, "maximum": 5, "exclusiveMaximum": false, "example": 3,
                "xml": {"name": "x"}, "externalDocs": {}, "x-anything": 1, "discriminator": {"propertyName": "t"}, "title": "T"}),
        &json!({"type": "integer", "exclusiveMinimum": 1, "maximum": 5, "examples": [3]}),
    );
    check(
        "3.1.0",
        &json!({"exclusiveMinimum": 1, "const": {"a": 1}}),
        &json!({"exclusiveMinimum": 1, "const": {"a": 1}}),
    );
    check(
        "3.1.0",
        &json!({"type": "array", "items": [{"type": "string"}, true]}),
        &json!({"type": "array", "prefixItems": [{"type": "string"}, true]}),
    );
    check(
        "3.0.3",
        &json!({"type": "string", "enum": [1.5, true]}),
        &json!({"type": "string", "enum": ["1.5", "true"]}),
    );
}

#[test]
fn what_is_malformed_is_left_out_and_the_rest_compiles() {
    check(
        "3.0.3",
        &json!({"type": "any", "minimum": "1", "maxLength": -1, "minLength": 2.0, "required": true, "enum": "x", "oneOf": [],
                "properties": [], "items": 5, "pattern": 3, "format": 1, "multipleOf": 0, "uniqueItems": "yes", "description": 1}),
        &json!({"minLength": 2, "items": true}),
    );
}

#[test]
fn a_pattern_that_backtracks_is_left_out_and_reported() {
    let schemas = json!({"S": {
        "type": "object", "additionalProperties": false,
        "patternProperties": {"^(?=x)": {}, "^a": {"type": "string"}},
        "properties": {"p": {"type": "string", "pattern": "(a)\\1"}},
    }});
    let (converted, notes) = convert_for(Direction::Input, "3.1.0", &schemas);
    assert_eq!(
        converted,
        json!({"type": "object", "patternProperties": {"^a": {"type": "string"}}, "properties": {"p": {"type": "string"}}})
    );
    assert_eq!(notes.len(), 2, "{notes:?}");
}

#[test]
fn what_is_only_read_is_no_input_and_what_is_only_written_no_output() {
    let schemas = json!({"S": {
        "type": "object",
        "required": ["id", "name", "secret"],
        "properties": {
            "id": {"$ref": "#/components/schemas/Id"},
            "name": {"type": "string", "minLength": 1},
            "secret": {"type": "string", "writeOnly": true},
        },
        "additionalProperties": false,
    }, "Id": {"type": "string", "readOnly": true}});
    let (input, _) = convert_for(Direction::Input, "3.0.3", &schemas);
    assert_eq!(
        input,
        json!({"type": "object", "required": ["name", "secret"], "additionalProperties": false,
               "properties": {"name": {"type": "string", "minLength": 1}, "secret": {"type": "string"}}})
    );
    let (output, _) = convert_for(Direction::Output, "3.0.3", &schemas);
    assert_eq!(
        output,
        json!({"type": "object", "required": ["id", "name"],
               "properties": {"id": {"$ref": "#/$defs/Id"}, "name": {"type": "string"}},
               "$defs": {"Id": {"type": "string"}}})
    );
}

#[test]
fn a_required_name_that_another_part_hides_is_not_required() {
    let schemas = json!({"S": {"allOf": [{"$ref": "#/components/schemas/Base"}], "required": ["id", "name"]},
        "Base": {"properties": {"id": {"readOnly": true}, "name": {}}}});
    let (input, _) = convert_for(Direction::Input, "3.0.3", &schemas);
    assert_eq!(input["required"], json!(["name"]));
}

#[test]
fn cycles_stay_as_definitions_and_only_what_is_reached_is_there() {
    let schemas = json!({
        "S": {"$ref": "#/components/schemas/Node"},
        "Node": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}, "x": {"$ref": "#/components/schemas/a~1b%20c"}}},
        "a/b c": {"type": "string"},
        "Unused": {"type": "string"},
    });
    let (converted, notes) = convert_for(Direction::Input, "3.0.3", &schemas);
    assert_eq!(
        converted,
        json!({"$ref": "#/$defs/Node", "$defs": {
            "Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "x": {"$ref": "#/$defs/a_1b_c"}}},
            "a_1b_c": {"type": "string"},
        }})
    );
    assert!(notes.is_empty());
    let schema = towline_core::Schema::compile(converted).unwrap();
    schema.check(&json!({"next": {"next": {"x": "y"}}})).unwrap();
    assert!(schema.check(&json!({"next": {"next": {"x": 1}}})).is_err());
}

#[test]
fn a_schema_that_is_its_own_part_is_opened() {
    for cyclic in [
        json!({"S": {"$ref": "#/components/schemas/A"}, "A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}}),
        json!({"S": {"$ref": "#/components/schemas/A"}, "A": {"allOf": [{"$ref": "#/components/schemas/A"}, {"type": "string"}]}}),
        json!({"S": {"$ref": "#/components/schemas/A"}, "A": {"anyOf": [{"not": {"oneOf": [{"$ref": "#/components/schemas/A"}]}}]}}),
    ] {
        let (converted, notes) = convert_for(Direction::Input, "3.1.0", &cyclic);
        assert_eq!(notes.len(), 1, "{cyclic}");
        let _ = towline_core::Schema::compile(converted).unwrap().check(&json!("x"));
    }
}

#[test]
fn a_reference_out_of_the_document_is_left_open_and_reported() {
    let (converted, notes) = convert_for(
        Direction::Input,
        "3.1.0",
        &json!({"S": {"properties": {"a": {"$ref": "https://example.com/x.json#/A"}, "b": {"$ref": "#/nothing"}}}}),
    );
    assert_eq!(converted, json!({"properties": {"a": {}, "b": {}}}));
    assert!(notes[0].contains("leaves the document") && notes[1].contains("names nothing"), "{notes:?}");
}

#[test]
fn what_would_be_too_large_is_left_open_from_the_far_end() {
    let mut schemas = Map::new();
    for n in 0..100 {
        let next = format!("#/components/schemas/N{}", n + 1);
        schemas.insert(
            format!("N{n}"),
            json!({"type": "object", "properties": {"next": {"$ref": next}, "x": {"type": "string"}}}),
        );
    }
    schemas.insert("N100".into(), json!({"type": "string"}));
    let document = document("3.0.3", &Value::Object(schemas));
    let mut converter = Converter::new(&document, Direction::Input, false, 1000);
    converter.convert(document.at("/components/schemas/N0"));
    let finished = converter.finish();
    assert!(
        finished.is_cut && finished.defs.len() > 3 && finished.defs.len() < 30,
        "{}",
        finished.defs.len()
    );
    assert!(finished.defs.contains_key("N1"));
    let size = Value::Object(finished.defs.clone()).to_string().len();
    assert!(size < 2000, "{size}");
    let mut schema = Value::Object(finished.defs);
    schema = json!({"$defs": schema, "$ref": "#/$defs/N1"});
    towline_core::Schema::compile(schema).unwrap();
}

#[test]
fn a_reference_that_is_not_followed_is_told() {
    let schemas = json!({"S": {"type": "array", "items": {"$dynamicRef": "#node"}}});
    let (converted, notes) = convert_for(Direction::Input, "3.1.0", &schemas);
    assert_eq!(converted, json!({"type": "array", "items": {}}));
    assert_eq!(notes, ["what a `$dynamicRef` refers to is left open"]);
}

#[test]
fn a_chain_that_doubles_with_every_link_is_cut_and_told() {
    let link = |n: usize| {
        let next = json!({"$ref": format!("#/components/schemas/L{}", n + 1)});
        json!({"anyOf": [{"allOf": [next]}, next]})
    };
    let mut schemas: Map<String, Value> = (0..60).map(|n| (format!("L{n}"), link(n))).collect();
    schemas.insert("L60".into(), json!({"type": "string"}));
    schemas.insert("S".into(), json!({"$ref": "#/components/schemas/L0"}));

    let (converted, notes) = convert_for(Direction::Input, "3.1.0", &Value::Object(schemas));

    assert_eq!(notes, ["schemas that would take too long to check are left open"]);
    let schema = towline_core::Schema::compile(converted).unwrap();
    let begun = std::time::Instant::now();
    let _ = schema.check(&json!(1));
    assert!(begun.elapsed() < std::time::Duration::from_secs(1), "{:?}", begun.elapsed());
}
