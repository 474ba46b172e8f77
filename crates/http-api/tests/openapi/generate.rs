//! Arguments made of a schema, the same each time.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

/// Optional members are made down to this depth.
const FULL_DEPTH: usize = 1;

/// Arguments of an input schema. `choice` picks among alternatives.
pub(crate) fn arguments(schema: &Value, choice: usize) -> Value {
    Generator { root: schema, choice }.value(schema, 0)
}

struct Generator<'a> {
    root: &'a Value,
    choice: usize,
}

impl Generator<'_> {
    fn value(&self, schema: &Value, depth: usize) -> Value {
        let schema = self.flat(schema);
        if let Some(only) = schema.get("const") {
            return only.clone();
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return values[self.choice % values.len()].clone();
        }
        match self.kind(&schema) {
            "object" => self.object(&schema, depth),
            "array" => self.array(&schema, depth),
            "integer" => number(&schema, 1.0, true),
            "number" => number(&schema, 0.5, false),
            "boolean" => json!(true),
            "null" => Value::Null,
            _ => text(&schema).into(),
        }
    }

    /// The schema without references and compositions: one of the forms that it allows.
    fn flat(&self, schema: &Value) -> Map<String, Value> {
        let mut out = Map::new();
        let Some(members) = schema.as_object() else { return out };
        for (key, value) in members {
            match key.as_str() {
                "$ref" => {
                    let target = self.root.pointer(&value.as_str().unwrap()[1..]).unwrap();
                    merge(&mut out, self.flat(target));
                }
                "allOf" => value.as_array().unwrap().iter().for_each(|part| merge(&mut out, self.flat(part))),
                "oneOf" | "anyOf" => {
                    let forms = value.as_array().unwrap();
                    merge(&mut out, self.flat(&forms[self.choice % forms.len()]));
                }
                _ => merge(&mut out, Map::from_iter([(key.clone(), value.clone())])),
            }
        }
        out
    }

    fn kind<'a>(&self, schema: &'a Map<String, Value>) -> &'a str {
        match schema.get("type") {
            Some(Value::String(kind)) => kind,
            Some(Value::Array(kinds)) => {
                kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap()
            }
            _ if schema.contains_key("properties") || schema.contains_key("required") => "object",
            _ if schema.contains_key("items") => "array",
            _ => "string",
        }
    }

    fn object(&self, schema: &Map<String, Value>, depth: usize) -> Value {
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut out = Map::new();
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let is_forbidden = property.get("not").is_some_and(|not| *not == json!({}));
            if required.contains(&name.as_str())
                || (depth <= FULL_DEPTH && self.choice.is_multiple_of(2) && !is_forbidden)
            {
                out.insert(name.clone(), self.value(property, depth + 1));
            }
        }
        for name in required {
            out.entry(name.to_owned()).or_insert_with(|| json!("any"));
        }
        let least = schema.get("minProperties").and_then(Value::as_u64).unwrap_or(0) as usize;
        let more = schema.get("additionalProperties").cloned().unwrap_or(json!({}));
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if out.len() < least {
                out.entry(name.clone()).or_insert_with(|| self.value(property, depth + 1));
            }
        }
        for n in out.len()..least {
            out.insert(format!("more{n}"), self.value(&more, depth + 1));
        }
        Value::Object(out)
    }

    fn array(&self, schema: &Map<String, Value>, depth: usize) -> Value {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0) as usize;
        let most = schema.get("maxItems").and_then(Value::as_u64).unwrap_or(u64::MAX) as usize;
        let prefix = schema.get("prefixItems").and_then(Value::as_array).cloned().unwrap_or_default();
        let rest = schema.get("items").cloned().unwrap_or(json!({}));
        let wanted = prefix.len().max(least).max(usize::from(depth <= FULL_DEPTH)).min(most);
        let items = (0..wanted).map(|at| self.value(prefix.get(at).unwrap_or(&rest), depth + 1));
        Value::Array(items.collect())
    }
}

fn merge(own: &mut Map<String, Value>, other: Map<String, Value>) {
    for (key, value) in other {
        match (own.get_mut(&key), value) {
            (Some(Value::Object(own)), Value::Object(other)) if key == "properties" => own.extend(other),
            (Some(Value::Array(own)), Value::Array(other)) if key == "required" => own.extend(other),
            (_, value) => {
                own.insert(key, value);
            }
        }
    }
}

fn number(schema: &Map<String, Value>, fallback: f64, is_whole: bool) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let least = bound("minimum").or(bound("exclusiveMinimum").map(|least| least + 1.0));
    let most = bound("maximum").or(bound("exclusiveMaximum").map(|most| most - 1.0));
    let mut number = least.unwrap_or(most.map_or(fallback, |most| most.min(fallback)));
    if let Some(step) = bound("multipleOf") {
        number = (number / step).ceil() * step;
    }
    if is_whole { json!(number as i64) } else { json!(number) }
}

fn text(schema: &Map<String, Value>) -> String {
    let count = |key: &str| schema.get(key).and_then(Value::as_u64);
    let (least, most) =
        (count("minLength").unwrap_or(0) as usize, count("maxLength").unwrap_or(u64::MAX) as usize);
    if schema.contains_key("contentEncoding") {
        return "aGk=".into();
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        return matching(pattern, least, most);
    }
    let sample = match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => "2024-01-02T03:04:05Z",
        Some("date") => "2024-01-02",
        Some("uuid") => "123e4567-e89b-12d3-a456-426614174000",
        Some("email") => "a@example.com",
        Some("uri") => "https://example.com/x?y=1",
        _ if schema.get("examples") == Some(&json!(["image/png"])) => "image/png",
        // What has to be encoded wherever it stands.
        _ => "a b/c&d=e",
    };
    let mut text: String = sample.chars().take(most).collect();
    text.extend(std::iter::repeat_n('x', least.saturating_sub(text.len())));
    text
}

/// Text that matches a pattern; anything if none is found.
fn matching(pattern: &str, least: usize, most: usize) -> String {
    // Anchors other than those around the whole are of alternatives, each of which begins the text.
    let bare = pattern.replace("[^", "[\u{1}").replace(['^', '$'], "").replace('\u{1}', "^");
    let bare = bare.replace("\\b", "").replace("\\d", "[0-9]").replace("\\w", "[0-9a-z_]");
    let Ok(strategy) = proptest::string::string_regex(&bare) else { return "x".into() };
    let mut runner = TestRunner::deterministic();
    let found = (0..2000).map(|_| strategy.new_tree(&mut runner).unwrap().current());
    // What is `.` or `..` cannot stand in a path.
    let is_fit = |text: &String| {
        (least..=most).contains(&text.chars().count()) && text.chars().any(char::is_alphanumeric)
    };
    found.into_iter().find(is_fit).unwrap_or_else(|| "x".repeat(least.max(1)))
}
