use serde_json::{Map, Value, json};
use towline::{Tool, tool_fn};

/// A tool whose schema has what JSON Schema 2020-12 has and its predecessors have not.
pub(crate) fn tool() -> impl Tool {
    tool_fn("json_schema_2020_12_tool", "Has an elaborate schema.", count).define(|mut definition| {
        definition.input_schema = elaborate_schema();
        definition
    })
}

async fn count(arguments: Map<String, Value>) -> String {
    format!("{} arguments", arguments.len())
}

fn elaborate_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            },
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}
