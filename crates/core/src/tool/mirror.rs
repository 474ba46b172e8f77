//! Arguments that are mirrored into HTTP headers (`x-mcp-header`).
//!
//! Source: basic/transports/streamable-http, "Custom Headers from Tool Parameters".

use serde_json::Value;

use crate::codec::{HeaderParams, decode_header_value};
use crate::error::{Error, ErrorKind};

/// The largest integer that a JavaScript number holds exactly: 2^53 - 1.
const MAX_SAFE_INTEGER: i64 = 9_007_199_254_740_991;

/// An argument that a client mirrors into `Mcp-Param-{name}`.
#[derive(Debug)]
pub(super) struct Mirrored {
    /// Lower-case.
    header: String,
    path: Vec<String>,
}

/// Finds the arguments that a schema marks.
///
/// # Errors
///
/// Says what the specification forbids about the first mark that it forbids.
pub(super) fn find(schema: &Value) -> Result<Vec<Mirrored>, String> {
    let mut found = Vec::new();
    collect(schema, &mut Vec::new(), &mut found)?;
    if count_marks(schema) > found.len() {
        return Err("`x-mcp-header` stands where it is not reached through `properties` alone".into());
    }
    for (n, mirrored) in found.iter().enumerate() {
        if found[..n].iter().any(|earlier| earlier.header == mirrored.header) {
            return Err(format!("`x-mcp-header` names the header {:?} twice", mirrored.header));
        }
    }
    Ok(found)
}

fn collect(schema: &Value, path: &mut Vec<String>, found: &mut Vec<Mirrored>) -> Result<(), String> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Ok(()) };
    for (name, property) in properties {
        path.push(name.clone());
        if let Some(mark) = property.get("x-mcp-header") {
            let header = check_name(mark)?;
            check_type(property)?;
            found.push(Mirrored { header, path: path.clone() });
        }
        collect(property, path, found)?;
        path.pop();
    }
    Ok(())
}

fn check_name(mark: &Value) -> Result<String, String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    match mark.as_str() {
        Some(name) if !name.is_empty() && name.bytes().all(is_token) => Ok(name.to_ascii_lowercase()),
        _ => Err(format!("`x-mcp-header` must be the name of an HTTP header field, not {mark}")),
    }
}

fn check_type(property: &Value) -> Result<(), String> {
    let types = match property.get("type") {
        Some(Value::Array(types)) => {
            types.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
        }
        Some(Value::String(name)) => vec![name.as_str()],
        _ => vec![],
    };
    match types[..] {
        ["string" | "integer" | "boolean"] => Ok(()),
        _ => Err("`x-mcp-header` is for arguments of type string, integer or boolean".into()),
    }
}

/// Every mark in the schema, wherever it stands. A property that is itself called `x-mcp-header` is none.
fn count_marks(schema: &Value) -> usize {
    match schema {
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| match key.as_str() {
                "x-mcp-header" => 1,
                "properties" | "$defs" | "definitions" | "patternProperties" | "dependentSchemas" => {
                    value.as_object().map_or(0, |named| named.values().map(count_marks).sum())
                }
                "const" | "enum" | "default" | "examples" => 0,
                _ => count_marks(value),
            })
            .sum(),
        Value::Array(elements) => elements.iter().map(count_marks).sum(),
        _ => 0,
    }
}

/// Holds the headers of a request against its arguments.
///
/// # Errors
///
/// `HeaderMismatch` when a header is missing, has no argument, says something else, or cannot be read.
pub(super) fn check(mirrored: &[Mirrored], headers: &HeaderParams, arguments: &Value) -> Result<(), Error> {
    for Mirrored { header, path } in mirrored {
        let argument =
            path.iter().try_fold(arguments, |value, name| value.get(name)).filter(|value| !value.is_null());
        let sent = headers.get(header)?.map(decode_header_value).transpose()?;
        let matches = match (argument, sent.as_deref()) {
            (None, None) => true,
            (Some(Value::String(text)), Some(sent)) => text == sent,
            (Some(Value::Bool(flag)), Some(sent)) => sent == if *flag { "true" } else { "false" },
            (Some(Value::Number(number)), Some(sent)) => same_integer(number, sent),
            _ => false,
        };
        if !matches {
            let argument = path.join(".");
            return Err(Error::new(
                ErrorKind::HeaderMismatch,
                match sent {
                    None => format!("the header `Mcp-Param-{header}` must mirror the argument `{argument}`"),
                    Some(_) => {
                        format!("the header `Mcp-Param-{header}` differs from the argument `{argument}`")
                    }
                },
            ));
        }
    }
    Ok(())
}

/// Integers are compared as numbers: `42.0` is `42`.
fn same_integer(number: &serde_json::Number, sent: &str) -> bool {
    let integer = |text: &str| {
        let whole = text.split_once('.').map_or(text, |(whole, fraction)| {
            if fraction.bytes().all(|digit| digit == b'0') { whole } else { text }
        });
        whole.parse::<i64>().ok().filter(|integer| (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).contains(integer))
    };
    matches!((integer(&number.to_string()), integer(sent)), (Some(left), Some(right)) if left == right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn marks_are_found_through_properties_alone() {
        let marked = json!({"type": "string", "x-mcp-header": "Region"});
        let nested = json!({"properties": {"a": {"type": "object", "properties": {"b": marked.clone()}}}});
        assert_eq!(find(&nested).unwrap()[0].path, ["a", "b"]);
        // An argument may have that name.
        assert!(find(&json!({"properties": {"x-mcp-header": {"type": "number"}}})).unwrap().is_empty());
        for schema in [
            json!({"properties": {"a": {"type": "array", "items": marked}}}),
            json!({"anyOf": [{"properties": {"a": marked}}]}),
            json!({"$defs": {"a": marked}}),
            json!({"properties": {"a": {"type": "number", "x-mcp-header": "A"}}}),
            json!({"properties": {"a": {"type": "string", "x-mcp-header": ""}}}),
            json!({"properties": {"a": {"type": "string", "x-mcp-header": "a b"}}}),
            json!({"properties": {"a": {"type": "string", "x-mcp-header": "a\r\nb"}}}),
            json!({"properties": {"a": {"type": "string", "x-mcp-header": "A"}, "b": {"type": "string", "x-mcp-header": "a"}}}),
        ] {
            assert!(find(&schema).is_err(), "{schema}");
        }
    }

    #[test]
    fn a_header_says_what_its_argument_says() {
        let schema = json!({"properties": {"v": {"type": ["integer", "string"], "x-mcp-header": "V"}}});
        assert!(find(&schema).is_err());
        let schema = json!({"properties": {"v": {"type": ["integer", "null"], "x-mcp-header": "V"}}});
        let mirrored = find(&schema).unwrap();
        let verdict = |argument: Value, header: Option<&str>| {
            let mut headers = HeaderParams::default();
            if let Some(value) = header {
                headers.push("V", value.as_bytes());
            }
            check(&mirrored, &headers, &argument).is_ok()
        };
        assert!(verdict(json!({"v": 42}), Some("42")));
        assert!(verdict(json!({"v": 42}), Some("42.0")));
        assert!(verdict(json!({"v": null}), None));
        assert!(verdict(json!({}), None));
        assert!(!verdict(json!({"v": 42}), Some("43")));
        assert!(!verdict(json!({"v": 42}), Some("42.5")));
        assert!(!verdict(json!({"v": i64::MIN}), Some("-9223372036854775808")));
        assert!(!verdict(json!({"v": 42}), None));
        assert!(!verdict(json!({}), Some("42")));
    }
}
