//! Arguments that keep to a schema.

use serde_json::{Map, Value, json};

/// How deep a schema is followed: one that holds itself has no end.
const DEPTH: usize = 8;

/// Arguments that keep to a tool's input schema, as far as can be told from it: what is required, with its default, its first
/// example or the simplest value. A tool may still want others, such as the name of something that exists.
pub fn sample_input(schema: &Value) -> Value {
    let value = sample(schema, schema, DEPTH);
    if value.is_object() { value } else { json!({}) }
}

/// The schema that a reference stands for.
pub(crate) fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..DEPTH {
        let Some(pointer) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) else {
            break;
        };
        match root.pointer(pointer) {
            Some(found) => schema = found,
            None => break,
        }
    }
    schema
}

/// The one of a schema's alternatives that is not just null.
pub(crate) fn plain<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let schema = resolve(root, schema);
    for word in ["anyOf", "oneOf"] {
        let Some(alternatives) = schema[word].as_array() else { continue };
        let mut alternatives = alternatives.iter().map(|one| resolve(root, one));
        if let Some(found) = alternatives.find(|one| one["type"] != "null") {
            return found;
        }
    }
    schema
}

fn sample(root: &Value, schema: &Value, depth: usize) -> Value {
    let outer = resolve(root, schema);
    for known in [&outer["const"], &outer["default"], &outer["examples"][0], &outer["enum"][0]] {
        if !known.is_null() {
            return known.clone();
        }
    }
    let schema = plain(root, schema);
    if !std::ptr::eq(schema, outer) && depth > 0 {
        return sample(root, schema, depth - 1);
    }
    if depth == 0 {
        return Value::Null;
    }
    match kind(schema) {
        "object" => {
            let mut object = Map::new();
            for part in schema["allOf"].as_array().into_iter().flatten() {
                if let Value::Object(members) = sample(root, part, depth - 1) {
                    object.extend(members);
                }
            }
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                object.insert(name.to_owned(), sample(root, &schema["properties"][name], depth - 1));
            }
            object.into()
        }
        "array" => {
            let count = schema["minItems"].as_u64().unwrap_or(0).min(16);
            (0..count).map(|_| sample(root, &schema["items"], depth - 1)).collect()
        }
        "integer" | "number" => number(schema),
        "boolean" => json!(false),
        "null" => Value::Null,
        _ => text(schema).into(),
    }
}

/// The type of a schema, also if it only follows from its other words.
pub(crate) fn kind(schema: &Value) -> &str {
    let kinds = schema["type"].as_array();
    let named = schema["type"]
        .as_str()
        .or_else(|| kinds?.iter().filter_map(Value::as_str).find(|kind| *kind != "null"));
    match named {
        Some(kind) => kind,
        None if schema.get("properties").is_some() || schema.get("allOf").is_some() => "object",
        None if schema.get("items").is_some() => "array",
        None => "",
    }
}

fn number(schema: &Value) -> Value {
    let above = |word: &str, step: f64| schema[word].as_f64().map(|bound| bound + step);
    let least = above("minimum", 0.0).or_else(|| above("exclusiveMinimum", 1.0));
    let most = above("maximum", 0.0).or_else(|| above("exclusiveMaximum", -1.0));
    let value = least.unwrap_or_else(|| most.map_or(1.0, |most| most.min(1.0)));
    if value.fract() == 0.0 && value.abs() < 9e15 {
        #[expect(clippy::cast_possible_truncation, reason = "it is a small whole number")]
        return json!(value as i64);
    }
    json!(value)
}

fn text(schema: &Value) -> String {
    match schema["format"].as_str() {
        Some("date") => return "2026-01-31".into(),
        Some("date-time") => return "2026-01-31T12:00:00Z".into(),
        Some("uri" | "url") => return "https://example.com/".into(),
        Some("email") => return "someone@example.com".into(),
        Some("uuid") => return "00000000-0000-4000-8000-000000000000".into(),
        _ => {}
    }
    let least = schema["minLength"].as_u64().unwrap_or(0).min(10_000);
    let most = schema["maxLength"].as_u64().unwrap_or(u64::MAX);
    let length = least.max(4.min(most));
    "test".chars().cycle().take(usize::try_from(length).unwrap_or(4)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_keep_to_their_schema() {
        for schema in [
            json!({"type": "object"}),
            json!({
                "type": "object",
                "required": ["a", "b", "c", "d", "e"],
                "properties": {
                    "a": {"type": "string", "minLength": 7, "maxLength": 9},
                    "b": {"$ref": "#/$defs/count"},
                    "c": {"type": "array", "minItems": 2, "items": {"enum": ["x", "y"]}},
                    "d": {"anyOf": [{"type": "null"}, {"type": "integer", "exclusiveMinimum": 4}]},
                    "e": {"type": ["null", "boolean"]},
                },
                "$defs": {"count": {"type": "integer", "minimum": 3, "maximum": 3}},
            }),
        ] {
            let sample = sample_input(&schema);
            assert!(jsonschema::is_valid(&schema, &sample), "{sample}");
        }
    }

    #[test]
    fn a_schema_that_holds_itself_comes_to_an_end() {
        let schema = json!({"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}}});
        assert!(sample_input(&schema)["next"]["next"].is_object());
    }
}
