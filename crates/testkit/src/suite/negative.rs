//! Input made from a tool's schema that is wrong, or odd.

use serde_json::{Value, json};

use crate::input::{kind, plain, resolve};

/// Text that people write, and programs fall over.
const ODD: [(&str, &str); 8] = [
    ("empty text", ""),
    ("emoji and combining marks", "\u{1f469}\u{200d}\u{1f4bb} Z\u{364}\u{351} \u{5e9}\u{5dc}\u{5d5}\u{5dd}"),
    ("right-to-left override", "\u{202e}txt.exe"),
    ("NUL and control characters", "a\0b\u{1b}[2J\u{7f}"),
    ("markup", "<script>alert(1)</script>\"'&]]>"),
    ("template", "{{7*7}}${7*7}<%= 7*7 %>#{7*7}"),
    ("shell", "$(id); `id` | id && id\n"),
    ("format string", "%s%s%n%x {0} {} \\u0000"),
];

/// A name, and the arguments.
pub(super) type Input = (String, Value);

/// Changes one thing of arguments that are right. Whether the schema still allows the result is for the schema to say.
pub(super) fn inputs(schema: &Value, base: &Value) -> Vec<Input> {
    let mut inputs = Vec::new();
    let mut with = |name: String, member: &str, value: Option<Value>| {
        let mut changed = base.clone();
        let Some(members) = changed.as_object_mut() else { return };
        match value {
            Some(value) => members.insert(member.to_owned(), value),
            None => members.remove(member),
        };
        inputs.push((name, changed));
    };
    with("unknown member".into(), "towline_unknown_member", Some(json!(1)));
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for member in required {
        with(format!("{member}: missing"), member, None);
    }
    for (member, property) in schema["properties"].as_object().into_iter().flatten() {
        let own = plain(schema, resolve(schema, property));
        for (what, value) in wrong_types(kind(own)).into_iter().chain(bounds(own)) {
            with(format!("{member}: {what}"), member, Some(value));
        }
        if kind(own) == "string" {
            for (what, text) in ODD {
                with(format!("{member}: {what}"), member, Some(json!(text)));
            }
        }
    }
    inputs
}

fn wrong_types(kind: &str) -> Vec<(&'static str, Value)> {
    let all = [
        ("null", "null instead of a value", json!(null)),
        ("string", "text instead of a value", json!("not of this type")),
        ("number", "a fraction instead of a value", json!(1.5)),
        ("boolean", "a truth value instead of a value", json!(true)),
        ("array", "a list instead of a value", json!([["nested"]])),
        ("object", "an object instead of a value", json!({"unexpected": {"nested": []}})),
    ];
    all.into_iter().filter(|(own, ..)| *own != kind).map(|(_, what, value)| (what, value)).collect()
}

/// Values just outside of what is allowed.
fn bounds(schema: &Value) -> Vec<(&'static str, Value)> {
    let mut values = Vec::new();
    let size = |word: &str| {
        schema[word].as_u64().filter(|size| *size < 100_000).and_then(|size| usize::try_from(size).ok())
    };
    let beyond = |bound: &Value, step: i64| match bound.as_i64() {
        Some(whole) => whole.checked_add(step).map(Value::from),
        None => bound.as_f64().map(|bound| json!(bound + step as f64)),
    };
    for (word, what, step) in [
        ("minimum", "below the minimum", -1),
        ("exclusiveMinimum", "at the exclusive minimum", 0),
        ("maximum", "above the maximum", 1),
        ("exclusiveMaximum", "at the exclusive maximum", 0),
    ] {
        values.extend(beyond(&schema[word], step).map(|value| (what, value)));
    }
    if matches!(kind(schema), "integer" | "number") {
        values.push(("a huge number", json!(1e308)));
        values.push(("a number beyond 64 bits, negative", json!(-1e30)));
    }
    if let Some(most) = size("maxLength") {
        values.push(("text that is too long", json!("x".repeat(most + 1))));
    }
    if let Some(least) = size("minLength").filter(|least| *least > 0) {
        values.push(("text that is too short", json!("x".repeat(least - 1))));
    }
    if schema.get("enum").is_some() {
        values.push(("none of the choices", json!("towline_no_such_choice")));
    }
    let item = || crate::input::sample_input(&json!({"type": "object"}));
    if let Some(most) = size("maxItems") {
        values.push(("too many items", Value::Array((0..=most).map(|_| item()).collect())));
    }
    if let Some(least) = size("minItems").filter(|least| *least > 0) {
        values.push(("too few items", Value::Array((1..least).map(|_| item()).collect())));
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_changes_one_thing() {
        let schema = json!({
            "type": "object",
            "required": ["days"],
            "properties": {
                "days": {"type": "integer", "minimum": 1, "maximum": 7},
                "city": {"type": "string", "maxLength": 3},
            },
            "additionalProperties": false,
        });
        let base = json!({"days": 2, "city": "Rom"});
        let inputs = inputs(&schema, &base);
        let named = |name: &str| &inputs.iter().find(|(own, _)| own == name).expect(name).1;
        assert_eq!(named("days: missing"), &json!({"city": "Rom"}));
        assert_eq!(named("days: above the maximum")["days"], 8);
        assert_eq!(named("days: below the minimum")["days"], 0);
        assert_eq!(named("city: text that is too long")["city"], "xxxx");
        assert_eq!(named("unknown member")["towline_unknown_member"], 1);
        let valid: Vec<_> = inputs
            .iter()
            .filter(|(_, input)| jsonschema::is_valid(&schema, input))
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(valid, ["city: empty text"], "all others are refused by the schema");
    }
}
