//! What a document says of an operation's body.

use std::collections::HashSet;

use http::HeaderValue;
use serde_json::Value;

use super::{Body, Field, Kind, Member, OCTETS, Shape};
use crate::openapi::document::Document;
use crate::openapi::encode::Keep;
use crate::openapi::node::Node;
use crate::openapi::style::Style;

/// How deep compositions are searched for the fields of a form.
const MAX_COMPOSITION: usize = 32;

/// Reads the body of an operation of version 3: the media type that suits best, JSON before anything else.
///
/// # Errors
///
/// Says why there is no body that can be written.
pub(in crate::openapi) fn read(document: &Document, request_body: Node<'_>) -> Result<Option<Body>, String> {
    let node = document.follow(request_body).map_err(|problem| format!("the body's {problem}"))?;
    let Some(content) = node.get("content") else { return Ok(None) };
    let media_types: Vec<&str> = content.members().into_iter().map(|(media_type, _)| media_type).collect();
    if media_types.is_empty() {
        return Ok(None);
    }
    let (kind, media_type) = choose(&media_types)
        .ok_or_else(|| format!("a body of {} cannot be written", media_types.join(" or ")))?;
    let media = content.get(media_type).unwrap_or_else(|| content.clone());
    let media = document.follow(media).map_err(|problem| format!("the body's {problem}"))?;
    let schema = media.get("schema");
    let required = node.is_true("required");
    let is_form = matches!(kind, Kind::Form | Kind::Multipart);
    let fields =
        if is_form { form_fields(document, schema.as_ref(), media.get("encoding")) } else { Vec::new() };
    let members = match kind {
        Kind::Text | Kind::Binary => None,
        _ => schema.as_ref().and_then(|schema| members(document, schema, required)),
    };
    Ok(Some(Body {
        kind,
        media_type: concrete(kind, media_type),
        required,
        description: node.text("description").map(Into::into),
        schema: schema.map(|schema| schema.pointer),
        shape: members.map_or_else(|| Shape::Whole { argument: String::new() }, Shape::Members),
        fields,
    }))
}

/// Reads the body of an operation of version 2.0, which stands among its parameters.
///
/// # Errors
///
/// Says why there is no body that can be written.
pub(in crate::openapi) fn read_v2(
    document: &Document,
    body: Option<Node<'_>>,
    form: &[Node<'_>],
    consumes: &[&str],
) -> Result<Option<Body>, String> {
    if let Some(node) = body {
        let (kind, media_type) = if consumes.is_empty() {
            (Kind::Json, "application/json")
        } else {
            let choice = choose(consumes);
            choice.ok_or_else(|| format!("a body of {} cannot be written", consumes.join(" or ")))?
        };
        let schema = node.get("schema");
        let required = node.is_true("required");
        let members = match kind {
            Kind::Json => schema.as_ref().and_then(|schema| members(document, schema, required)),
            _ => None,
        };
        let is_form = matches!(kind, Kind::Form | Kind::Multipart);
        return Ok(Some(Body {
            kind,
            media_type: concrete(kind, media_type),
            required,
            description: node.text("description").map(Into::into),
            fields: if is_form { form_fields(document, schema.as_ref(), None) } else { Vec::new() },
            schema: schema.map(|schema| schema.pointer),
            shape: members.map_or_else(|| Shape::Whole { argument: String::new() }, Shape::Members),
        }));
    }
    if form.is_empty() {
        return Ok(None);
    }
    let has_file = form.iter().any(|node| node.text("type") == Some("file"));
    let wants_multipart = consumes.iter().any(|one| essence(one) == "multipart/form-data");
    let wants_form = consumes.iter().any(|one| essence(one) == "application/x-www-form-urlencoded");
    let is_multipart = has_file || (wants_multipart && !wants_form);
    let field = |node: &Node<'_>| Field {
        name: node.text("name").unwrap_or_default().to_owned(),
        style: Some(match node.text("collectionFormat") {
            Some("multi") => (Style::Form, true),
            Some("ssv") => (Style::Delimited("%20"), false),
            Some("tsv") => (Style::Delimited("%09"), false),
            Some("pipes") => (Style::Delimited("%7C"), false),
            _ => (Style::Form, false),
        }),
        keep: Keep::Unreserved,
        content_type: None,
    };
    let member = |node: &Node<'_>| Member {
        argument: String::new(),
        name: node.text("name").unwrap_or_default().to_owned(),
        required: node.is_true("required"),
        schema: node.pointer.clone(),
    };
    Ok(Some(Body {
        kind: if is_multipart { Kind::Multipart } else { Kind::Form },
        media_type: String::new(),
        required: form.iter().any(|node| node.is_true("required")),
        description: None,
        schema: None,
        shape: Shape::Members(form.iter().map(member).collect()),
        fields: form.iter().map(field).collect(),
    }))
}

pub(in crate::openapi) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

pub(in crate::openapi) fn is_json(essence: &str) -> bool {
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

fn choose<'a>(media_types: &[&'a str]) -> Option<(Kind, &'a str)> {
    let rank = |media_type: &str| {
        let essence = essence(media_type);
        Some(match essence.as_str() {
            "application/json" => (0, Kind::Json),
            // A patch by example is easier to write than one by instructions.
            "application/merge-patch+json" => (1, Kind::Json),
            json if is_json(json) && json != "application/json-seq" => (2, Kind::Json),
            "*/*" | "application/*" => (3, Kind::Json),
            "application/x-www-form-urlencoded" => (4, Kind::Form),
            "multipart/form-data" => (5, Kind::Multipart),
            multipart if multipart.starts_with("multipart/") => return None,
            "application/xml"
            | "application/yaml"
            | "application/x-yaml"
            | "application/graphql"
            | "application/jsonl"
            | "application/x-ndjson"
            | "application/javascript"
            | "application/sql" => (7, Kind::Text),
            "text/plain" => (6, Kind::Text),
            text if text.starts_with("text/") || text.ends_with("+xml") || text.ends_with("+yaml") => {
                (7, Kind::Text)
            }
            other if other.contains('/') => (8, Kind::Binary),
            _ => return None,
        })
    };
    let ranked = media_types.iter().filter_map(|media_type| Some((rank(media_type)?, *media_type)));
    ranked
        .min_by_key(|((rank, _), media_type)| (*rank, *media_type))
        .map(|((_, kind), media_type)| (kind, media_type))
}

/// The media type to send, where the document gives a range.
fn concrete(kind: Kind, media_type: &str) -> String {
    let is_sendable = !media_type.contains('*') && HeaderValue::from_str(media_type).is_ok();
    match kind {
        Kind::Form => "application/x-www-form-urlencoded".into(),
        _ if is_sendable => media_type.to_owned(),
        Kind::Json => "application/json".into(),
        Kind::Text => "text/plain; charset=utf-8".into(),
        _ => OCTETS.into(),
    }
}

/// The members of a body that can be arguments of their own: those of a plain object.
///
/// Anything that says more than which members there are stays whole, as the arguments could not say it.
fn members(document: &Document, schema: &Node<'_>, is_required: bool) -> Option<Vec<Member>> {
    const SAYS_MORE: &[&str] = &[
        "allOf",
        "oneOf",
        "anyOf",
        "not",
        "if",
        "patternProperties",
        "minProperties",
        "maxProperties",
        "propertyNames",
        "dependentRequired",
        "dependentSchemas",
        "unevaluatedProperties",
        "enum",
        "const",
    ];
    let node = document.follow(schema.clone()).ok()?;
    let object = node.value.as_object()?;
    let is_object = matches!(object.get("type"), None | Some(Value::String(_)))
        && object.get("type").is_none_or(|kind| kind == "object");
    let is_open = object.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false));
    let is_nullable = node.is_true("nullable") || node.is_true("x-nullable");
    if !is_object || is_open || is_nullable || SAYS_MORE.iter().any(|keyword| object.contains_key(*keyword)) {
        return None;
    }
    let required: Vec<&str> = object
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let mut found = Vec::new();
    for (name, property) in node.get("properties")?.members() {
        let target = document.follow(property.clone()).ok();
        if property.is_true("readOnly") || target.is_some_and(|target| target.is_true("readOnly")) {
            continue;
        }
        let required = required.contains(&name);
        found.push(Member {
            argument: String::new(),
            name: name.to_owned(),
            required,
            schema: property.pointer,
        });
    }
    let known = |name: &&str| node.get("properties").is_some_and(|known| known.get(name).is_some());
    let is_expressible = required.iter().all(known) && (is_required || required.is_empty());
    (!found.is_empty() && is_expressible).then_some(found)
}

fn form_fields(document: &Document, schema: Option<&Node<'_>>, encoding: Option<Node<'_>>) -> Vec<Field> {
    let mut names = Vec::new();
    if let Some(schema) = schema {
        field_names(document, schema, &mut names, &mut HashSet::new(), 0);
    }
    let encodings = encoding.map(|encoding| encoding.members()).unwrap_or_default();
    names.extend(encodings.iter().map(|(name, _)| (*name).to_owned()));
    names.sort_unstable();
    names.dedup();
    let field = |name: String| {
        let own = encodings.iter().find(|(of, _)| *of == name).map(|(_, own)| own);
        let own_style = own.and_then(|own| own.text("style")).and_then(Style::parse);
        let explode = own.and_then(|own| own.value.get("explode")).and_then(Value::as_bool);
        let is_reserved_kept = own.is_some_and(|own| own.is_true("allowReserved"));
        let has_style = own_style.is_some() || explode.is_some() || is_reserved_kept;
        let style = own_style.unwrap_or(Style::Form);
        let explode = explode.unwrap_or(matches!(style, Style::Form | Style::DeepObject));
        // The first of several will do.
        let content_type =
            own.and_then(|own| own.text("contentType")).and_then(|types| types.split(',').next());
        let content_type = content_type.map(str::trim).filter(|one| !one.contains('*'));
        Field {
            style: has_style.then_some((style, explode)),
            keep: if is_reserved_kept { Keep::Reserved } else { Keep::Unreserved },
            content_type: content_type.filter(|one| HeaderValue::from_str(one).is_ok()).map(Into::into),
            name,
        }
    };
    names.into_iter().map(field).collect()
}

/// `seen` holds the places that were looked at, so that each is once, however often it is referred to.
fn field_names(
    document: &Document,
    schema: &Node<'_>,
    names: &mut Vec<String>,
    seen: &mut HashSet<String>,
    depth: usize,
) {
    let Ok(node) = document.follow(schema.clone()) else { return };
    if depth > MAX_COMPOSITION || !seen.insert(node.pointer.clone()) {
        return;
    }
    let properties = node.get("properties").map(|properties| properties.members()).unwrap_or_default();
    names.extend(properties.into_iter().map(|(name, _)| name.to_owned()));
    for keyword in ["allOf", "oneOf", "anyOf"] {
        for part in node.get(keyword).map(|parts| parts.elements()).into_iter().flatten() {
            field_names(document, &part, names, seen, depth + 1);
        }
    }
}
