//! What a document says of an operation's parameters.

use std::collections::BTreeSet;

use http::HeaderName;
use serde_json::Value;

use super::document::{Dialect, Document};
use super::encode::Keep;
use super::node::Node;
use super::style::Style;

/// Headers that are not for a document to declare: the specification gives them another place, or they are the
/// client's to decide.
const RESERVED_HEADERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Where a parameter's value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Location {
    Path,
    Query,
    /// The whole query (`querystring`, version 3.2).
    QueryString,
    Header,
    Cookie,
}

impl Location {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::QueryString => "querystring",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }
}

/// How a parameter's value is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    Style {
        style: Style,
        explode: bool,
        keep: Keep,
    },
    /// As a document of its own: JSON, or text.
    Json,
    Text,
    /// As a form, for the whole query.
    Form,
}

/// A parameter of an operation.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    /// The name by which the model gives it.
    pub(super) argument: String,
    pub(super) name: String,
    pub(super) location: Location,
    pub(super) writing: Writing,
    pub(super) required: bool,
    pub(super) deprecated: bool,
    pub(super) description: Option<String>,
    /// The pointer of its schema.
    pub(super) schema: Option<String>,
}

/// The parameters of an operation: those that become arguments as they are, and those of version 2.0 that make the
/// body.
#[derive(Debug, Default)]
pub(super) struct Parameters<'a> {
    pub(super) plain: Vec<Parameter>,
    pub(super) body: Option<Node<'a>>,
    pub(super) form: Vec<Node<'a>>,
}

/// Reads the parameters of an operation and of its path, of which the operation's own win.
///
/// # Errors
///
/// Says which parameter makes it impossible to call the operation.
pub(super) fn read<'a>(
    document: &'a Document,
    path: &Node<'a>,
    operation: &Node<'a>,
    keys: &BTreeSet<(String, String)>,
    notes: &mut Vec<String>,
) -> Result<Parameters<'a>, String> {
    let own = operation.get("parameters").map(|list| list.elements()).into_iter().flatten();
    let shared = path.get("parameters").map(|list| list.elements()).into_iter().flatten();
    let mut seen = BTreeSet::new();
    let mut parameters = Parameters::default();
    let mut own_count = 0;
    for (is_own, node) in own.map(|node| (true, node)).chain(shared.map(|node| (false, node))) {
        let node = document.follow(node).map_err(|problem| format!("a parameter's {problem}"))?;
        let (Some(name), Some(location)) = (node.text("name"), node.text("in")) else {
            return Err("a parameter has no `name` or no `in`".into());
        };
        if !seen.insert((location, name)) {
            continue;
        }
        match location {
            "body" if document.dialect() == Dialect::V2 => parameters.body = Some(node),
            "formData" if document.dialect() == Dialect::V2 => parameters.form.push(node),
            _ if keys.contains(&(location.to_owned(), name.to_owned())) => {
                notes.push(format!("the {location} parameter `{name}` is left out: it is a credential"));
            }
            _ => match one(document, &node, name, location) {
                Ok(Some(parameter)) if is_own => {
                    parameters.plain.insert(own_count, parameter);
                    own_count += 1;
                }
                Ok(Some(parameter)) => parameters.plain.push(parameter),
                Ok(None) => {}
                Err(problem) if node.is_true("required") || location == "path" => {
                    return Err(format!("the {location} parameter `{name}` {problem}"));
                }
                Err(problem) => {
                    notes.push(format!("the {location} parameter `{name}` is left out: it {problem}"));
                }
            },
        }
    }
    Ok(parameters)
}

/// One parameter; none if the specification says that it is to be ignored.
fn one(
    document: &Document,
    node: &Node<'_>,
    name: &str,
    location: &str,
) -> Result<Option<Parameter>, &'static str> {
    let location = match location {
        "path" => Location::Path,
        "query" => Location::Query,
        "querystring" => Location::QueryString,
        "header" => Location::Header,
        "cookie" => Location::Cookie,
        _ => return Err("stands where no parameter can"),
    };
    if location == Location::Header {
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err("has a name that no header can have");
        }
        if RESERVED_HEADERS.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
            return Ok(None);
        }
    }
    if location == Location::Cookie
        && !name.bytes().all(|byte| byte.is_ascii_graphic() && !b";,=\"\\".contains(&byte))
    {
        return Err("has a name that no cookie can have");
    }
    let (writing, schema) = match document.dialect() {
        Dialect::V2 => (collection_format(node, location), Some(node.pointer.clone())),
        _ => match node.get("content").and_then(|content| content.members().into_iter().next()) {
            Some((media_type, media)) => {
                (content(media_type, location)?, media.get("schema").map(|schema| schema.pointer))
            }
            None if location == Location::QueryString => {
                (Writing::Form, node.get("schema").map(|schema| schema.pointer))
            }
            None => (style(node, location)?, node.get("schema").map(|schema| schema.pointer)),
        },
    };
    Ok(Some(Parameter {
        argument: String::new(),
        name: name.to_owned(),
        location,
        writing,
        required: location == Location::Path || node.is_true("required"),
        deprecated: node.is_true("deprecated"),
        description: node.text("description").map(Into::into),
        schema,
    }))
}

fn style(node: &Node<'_>, location: Location) -> Result<Writing, &'static str> {
    let default = match location {
        Location::Path | Location::Header => Style::Simple,
        _ => Style::Form,
    };
    let style = match node.text("style") {
        Some(text) => Style::parse(text).ok_or("has a `style` that is not known")?,
        None => default,
    };
    let fits = match style {
        Style::Simple => matches!(location, Location::Path | Location::Header),
        Style::Label | Style::Matrix => location == Location::Path,
        Style::Form => matches!(location, Location::Query | Location::Cookie),
        Style::Delimited(_) | Style::DeepObject => location == Location::Query,
        Style::Cookie => location == Location::Cookie,
    };
    // What does not fit means nothing: the default is the best guess at what the author wanted.
    let style = if fits { style } else { default };
    let explode = node.value.get("explode").and_then(Value::as_bool);
    let explode = explode.unwrap_or(matches!(style, Style::Form | Style::Cookie | Style::DeepObject));
    // A path's value is encoded whole, whatever the document says.
    let is_reserved_kept = node.is_true("allowReserved") && location == Location::Query;
    let keep = if is_reserved_kept { Keep::Reserved } else { Keep::Unreserved };
    Ok(Writing::Style { style, explode, keep })
}

fn collection_format(node: &Node<'_>, location: Location) -> Writing {
    let keep = Keep::Unreserved;
    let is_query = location == Location::Query;
    let plain = if is_query { Style::Form } else { Style::Simple };
    let (style, explode) = match node.text("collectionFormat") {
        Some("multi") if is_query => (Style::Form, true),
        Some("ssv") => (Style::Delimited("%20"), false),
        Some("tsv") => (Style::Delimited("%09"), false),
        Some("pipes") => (Style::Delimited("%7C"), false),
        _ => (plain, false),
    };
    Writing::Style { style, explode, keep }
}

fn content(media_type: &str, location: Location) -> Result<Writing, &'static str> {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") || essence == "*/*" {
        Ok(Writing::Json)
    } else if essence == "application/x-www-form-urlencoded" && location == Location::QueryString {
        Ok(Writing::Form)
    } else if essence.starts_with("text/") {
        Ok(Writing::Text)
    } else {
        Err("has a media type that cannot be written")
    }
}
