//! A document: its version, what its references name, and what it says of credentials.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::encode;
use super::node::Node;
use super::operation::{self, Operation, Skipped};
use super::parse;

/// References to references that are followed at most.
const MAX_HOPS: usize = 32;

/// An OpenAPI document, version 2.0 to 3.2. A clone is a refcount.
#[derive(Clone)]
pub struct Document(Arc<Inner>);

struct Inner {
    root: Value,
    version: String,
    dialect: Dialect,
    /// Which patterns can be served in linear time, by their text.
    patterns: Mutex<HashMap<String, bool>>,
}

/// What of a document differs by its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// OpenAPI 2.0 ("Swagger").
    V2,
    /// OpenAPI 3.0, whose schemas are its own dialect.
    V3_0,
    /// OpenAPI 3.1 and later, whose schemas are JSON Schema 2020-12.
    V3_1,
}

/// Why a document cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The text is neither JSON nor YAML, or takes too much memory.
    #[error("the OpenAPI document cannot be read: {0}")]
    Syntax(String),
    /// It is no OpenAPI document, or one of a version that is not known.
    #[error("the OpenAPI document is of no known version: {0}")]
    Version(String),
}

/// A way in which the API wants its callers to prove who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecurityScheme {
    /// The name by which operations refer to it.
    pub name: String,
    /// What it is.
    pub kind: SecurityKind,
    /// Whether any operation names it.
    pub is_used: bool,
}

/// What a [`SecurityScheme`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecurityKind {
    /// A key in a header, the query or a cookie.
    ApiKey {
        /// `header`, `query` or `cookie`.
        location: String,
        /// The header's, parameter's or cookie's name.
        name: String,
    },
    /// A scheme of the `Authorization` header in lower case, such as `basic` or `bearer`.
    Http(String),
    /// OAuth 2. A token URL is called only if the configuration names it.
    OAuth2 {
        /// What the document says of where tokens are given out.
        token_urls: Vec<String>,
    },
    /// OpenID Connect.
    OpenIdConnect,
    /// A client certificate.
    MutualTls,
    /// Something else, by its name.
    Other(String),
}

impl Document {
    /// Reads a document, JSON or YAML.
    ///
    /// # Errors
    ///
    /// When the text cannot be parsed, takes more than half a gigabyte of memory, or is no OpenAPI document of
    /// version 2.0 or 3.x.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let root = parse::parse(bytes).map_err(DocumentError::Syntax)?;
        let (version, dialect) = version(&root)?;
        Ok(Self(Arc::new(Inner { root, version, dialect, patterns: Mutex::default() })))
    }

    /// The version of OpenAPI that the document says it is written in, such as `3.1.0`.
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// The API's title.
    pub fn title(&self) -> Option<&str> {
        self.0.root.pointer("/info/title")?.as_str()
    }

    /// The operations by path and method, and those that cannot be served.
    pub fn operations(&self) -> (Vec<Operation>, Vec<Skipped>) {
        operation::read_all(self)
    }

    /// The ways in which the API wants its callers to prove who they are, by name.
    pub fn security_schemes(&self) -> Vec<SecurityScheme> {
        let used: Vec<String> = operation::used_schemes(self);
        let schemes = match self.dialect() {
            Dialect::V2 => self.root().get("securityDefinitions"),
            _ => self.root().get("components").and_then(|components| components.get("securitySchemes")),
        };
        let each = schemes.map(|schemes| schemes.members()).unwrap_or_default();
        each.into_iter()
            .filter_map(|(name, scheme)| {
                let kind = security_kind(&self.follow(scheme).ok()?);
                Some(SecurityScheme {
                    name: name.to_owned(),
                    kind,
                    is_used: used.iter().any(|used| used == name),
                })
            })
            .collect()
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.0.dialect
    }

    pub(super) fn root(&self) -> Node<'_> {
        Node { pointer: String::new(), value: &self.0.root }
    }

    /// The value at a pointer that was made by [`Node`].
    pub(super) fn at(&self, pointer: &str) -> &Value {
        self.0.root.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// What a node's `$ref` leads to; the node itself if it has none.
    ///
    /// # Errors
    ///
    /// When the reference leaves the document, names nothing, or goes round in a circle.
    pub(super) fn follow<'a>(&'a self, node: Node<'a>) -> Result<Node<'a>, String> {
        let mut node = node;
        for _ in 0..MAX_HOPS {
            let Some(reference) = node.text("$ref") else { return Ok(node) };
            node = self.target(reference)?;
        }
        Err("a `$ref` goes round in a circle".into())
    }

    /// What a reference names.
    ///
    /// # Errors
    ///
    /// When it leaves the document or names nothing.
    pub(super) fn target(&self, reference: &str) -> Result<Node<'_>, String> {
        let own = self.0.root.get("$self").and_then(Value::as_str).unwrap_or_default();
        let local = reference.strip_prefix(own).unwrap_or(reference);
        let Some(fragment) = local.strip_prefix('#') else {
            return Err(format!("`$ref` to `{}` leaves the document", shown(reference)));
        };
        let pointer = String::from_utf8(encode::decode(fragment)).unwrap_or_default();
        let value = self.0.root.pointer(&pointer);
        let value = value.ok_or_else(|| format!("`$ref` to `{}` names nothing", shown(reference)))?;
        Ok(Node { pointer, value })
    }

    /// Whether a pattern can be held against arguments in linear time.
    pub(super) fn takes_pattern(&self, pattern: &str) -> bool {
        let mut patterns = self.0.patterns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = patterns.get(pattern) {
            return *known;
        }
        let is_taken = towline_core::Schema::compile(serde_json::json!({"pattern": pattern})).is_ok();
        patterns.insert(pattern.to_owned(), is_taken);
        is_taken
    }
}

fn shown(reference: &str) -> String {
    reference.chars().take(120).collect()
}

fn version(root: &Value) -> Result<(String, Dialect), DocumentError> {
    let text = |key: &str| match root.get(key) {
        Some(Value::String(text)) => Some(text.trim().to_owned()),
        // In YAML without quotes.
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let is = |version: &str, series: &str| {
        version.strip_prefix(series).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    if let Some(version) = text("swagger") {
        return match is(&version, "2") {
            true => Ok((version, Dialect::V2)),
            false => Err(DocumentError::Version(format!("`swagger` is {}", shown(&version)))),
        };
    }
    let Some(version) = text("openapi") else {
        return Err(DocumentError::Version("it has neither `openapi` nor `swagger`".into()));
    };
    if is(&version, "3.0") || version == "3" {
        Ok((version, Dialect::V3_0))
    } else if is(&version, "3") {
        Ok((version, Dialect::V3_1))
    } else {
        Err(DocumentError::Version(format!("`openapi` is {}", shown(&version))))
    }
}

fn security_kind(scheme: &Node<'_>) -> SecurityKind {
    match scheme.text("type").unwrap_or_default() {
        "apiKey" => SecurityKind::ApiKey {
            location: scheme.text("in").unwrap_or_default().to_owned(),
            name: scheme.text("name").unwrap_or_default().to_owned(),
        },
        "basic" => SecurityKind::Http("basic".into()),
        "http" => SecurityKind::Http(scheme.text("scheme").unwrap_or_default().to_ascii_lowercase()),
        "oauth2" => {
            let flows = scheme.get("flows").map(|flows| flows.members()).unwrap_or_default();
            let mut token_urls: Vec<String> =
                flows.iter().filter_map(|(_, flow)| flow.text("tokenUrl")).map(Into::into).collect();
            token_urls.extend(scheme.text("tokenUrl").map(Into::into));
            token_urls.dedup();
            SecurityKind::OAuth2 { token_urls }
        }
        "openIdConnect" => SecurityKind::OpenIdConnect,
        "mutualTLS" => SecurityKind::MutualTls,
        other => SecurityKind::Other(other.to_owned()),
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("title", &self.title()).field("version", &self.0.version).finish()
    }
}
