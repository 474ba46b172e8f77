//! The values of keywords.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

pub(super) fn count(value: &Value) -> Option<Value> {
    let count = value
        .as_u64()
        .or_else(|| value.as_f64().filter(|n| n.fract() == 0.0 && *n >= 0.0).map(|n| n as u64))?;
    Some(count.into())
}

/// `exclusiveMinimum` as a number, or, as older dialects have it, as a flag beside `minimum`.
pub(super) fn exclusive(members: &Map<String, Value>, value: &Value, bound: &str) -> Option<Value> {
    match value {
        Value::Number(_) => Some(value.clone()),
        Value::Bool(true) => members.get(bound).filter(|limit| limit.is_number()).cloned(),
        _ => None,
    }
}

/// Whether a flag beside `minimum` or `maximum` makes another keyword of it.
pub(super) fn is_exclusive(members: &Map<String, Value>, bound: &str) -> bool {
    let flag = if bound == "minimum" { "exclusiveMinimum" } else { "exclusiveMaximum" };
    members.get(flag) == Some(&Value::Bool(true))
}

pub(super) fn names(value: &Value) -> Value {
    let mut names: Vec<&str> =
        value.as_array().map(|names| names.iter().filter_map(Value::as_str).collect()).unwrap_or_default();
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    Value::from(names)
}

/// The values of an `enum`, as text where the type says that they are text: YAML without quotes makes numbers of them.
pub(super) fn enumeration(values: &[Value], members: &Map<String, Value>) -> Value {
    let is_text = members.get("type").and_then(Value::as_str) == Some("string");
    let mut out: Vec<Value> = Vec::with_capacity(values.len());
    let mut seen = BTreeSet::new();
    for value in values {
        let value = match value {
            Value::Number(_) | Value::Bool(_) if is_text => Value::String(value.to_string()),
            other => other.clone(),
        };
        if seen.insert(value.to_string()) {
            out.push(value);
        }
    }
    Value::Array(out)
}
