//! What an operation answers when all went well.

use std::collections::HashMap;

use http::HeaderValue;
use serde_json::{Map, Value, json};

use super::body::{essence, is_json};
use super::document::{Dialect, Document};
use super::node::Node;
use super::schema::{Converter, Direction, Finished};

/// Media types named in `Accept` at most.
const MAX_ACCEPTED: usize = 4;

/// How deep compositions are followed.
const MAX_COMPOSITION: usize = 32;

/// What an operation answers.
#[derive(Clone, Debug)]
pub(super) struct Output {
    /// The pointers of the schemas of its answers, if each of them is a JSON object.
    pub(super) schemas: Vec<String>,
    pub(super) accept: HeaderValue,
}

/// Reads what the success answers are. What is wrong with them costs only the output schema.
pub(super) fn read(
    document: &Document,
    operation: &Node<'_>,
    produces: &[&str],
    notes: &mut Vec<String>,
) -> Output {
    let responses = operation.get("responses").map(|responses| responses.members()).unwrap_or_default();
    let mut success: Vec<_> = responses.iter().filter(|(status, _)| status.starts_with('2')).collect();
    if success.is_empty() {
        success = responses.iter().filter(|(status, _)| *status == "default").collect();
    }
    let mut schemas = Vec::new();
    let mut media_types: Vec<String> = Vec::new();
    let mut is_known = !success.is_empty();
    for (_, response) in success {
        let response = match document.follow(response.clone()) {
            Ok(response) => response,
            Err(problem) => {
                notes.push(format!("a response's {problem}"));
                is_known = false;
                continue;
            }
        };
        let schema = if document.dialect() == Dialect::V2 {
            media_types.extend(produces.iter().map(|one| (*one).to_owned()));
            let is_json_made = produces.is_empty() || produces.iter().any(|one| is_json(&essence(one)));
            response.get("schema").filter(|_| is_json_made)
        } else {
            let content = response.get("content").map(|content| content.members()).unwrap_or_default();
            media_types.extend(content.iter().map(|(media_type, _)| (*media_type).to_owned()));
            let json = content.iter().find(|(media_type, _)| is_json(&essence(media_type)));
            json.and_then(|(_, media)| document.follow(media.clone()).ok()?.get("schema"))
        };
        match schema.filter(|schema| is_object(document, schema, &mut HashMap::new(), 0)) {
            Some(schema) => schemas.push(schema.pointer),
            None => is_known = false,
        }
    }
    if !is_known {
        schemas.clear();
    }
    // Several answers may share a schema.
    schemas.sort_unstable_by_key(|pointer| document.at(pointer).get("$ref").map(ToString::to_string));
    schemas.dedup_by(|one, other| {
        let reference = |pointer: &str| document.at(pointer).get("$ref").cloned();
        reference(one).is_some() && reference(one) == reference(other)
    });
    Output { schemas, accept: accept(media_types) }
}

fn accept(mut media_types: Vec<String>) -> HeaderValue {
    media_types.sort_unstable_by_key(|media_type| {
        let essence = essence(media_type);
        (essence != "application/json", !is_json(&essence), essence)
    });
    media_types.dedup();
    media_types.truncate(MAX_ACCEPTED);
    let any = HeaderValue::from_static("application/json, */*;q=0.5");
    if media_types.is_empty() {
        return any;
    }
    HeaderValue::from_str(&media_types.join(", ")).unwrap_or(any)
}

/// `known` holds what was found of the schemas by their places, so that each is looked at once.
fn is_object(
    document: &Document,
    schema: &Node<'_>,
    known: &mut HashMap<String, bool>,
    depth: usize,
) -> bool {
    if depth > MAX_COMPOSITION {
        return false;
    }
    let Ok(node) = document.follow(schema.clone()) else { return false };
    let Some(members) = node.value.as_object() else { return false };
    if let Some(found) = known.get(&node.pointer) {
        return *found;
    }
    // A schema that is a part of itself is an object by its other parts.
    known.insert(node.pointer.clone(), false);
    let parts = |keyword: &str| node.get(keyword).map(|parts| parts.elements()).into_iter().flatten();
    let found = match members.get("type") {
        Some(kind) => kind == "object",
        None => {
            members.contains_key("properties")
                || parts("allOf").any(|part| is_object(document, &part, known, depth + 1))
                || ["anyOf", "oneOf"].iter().any(|keyword| {
                    parts(keyword).count() > 0
                        && parts(keyword).all(|part| is_object(document, &part, known, depth + 1))
                })
        }
    };
    known.insert(node.pointer.clone(), found);
    found
}

/// The output schema; none if it would be larger than `max_bytes`.
pub(super) fn schema(
    document: &Document,
    pointers: &[String],
    max_bytes: usize,
) -> Option<(Value, Vec<String>)> {
    let mut converter = Converter::new(document, Direction::Output, false, max_bytes);
    let mut forms = Vec::new();
    for pointer in pointers {
        let node = document.follow(Node { pointer: pointer.clone(), value: document.at(pointer) }).ok()?;
        forms.push(converter.convert(node.value));
        if converter.is_cut() {
            return None;
        }
    }
    let Finished { defs, notes, is_cut } = converter.finish();
    if is_cut {
        return None;
    }
    let mut schema = match forms.pop()? {
        Value::Object(only) if forms.is_empty() => only,
        last => {
            forms.push(last);
            Map::from_iter([("anyOf".to_owned(), Value::Array(forms))])
        }
    };
    schema.insert("type".into(), json!("object"));
    if !defs.is_empty() {
        schema.insert("$defs".into(), Value::Object(defs));
    }
    Some((Value::Object(schema), notes))
}
