//! What a tool tells about itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::server::Icon;

/// What a client learns of a tool from `tools/list`.
///
/// The order of the fields is the order on the wire. What an older revision lacks is left out for its clients.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ToolDefinition {
    /// Unique within a server; 1 to 128 of `A-Z a-z 0-9 _ - .`.
    pub name: Arc<str>,
    /// A name for people; since revision 2025-06-18.
    pub title: Option<String>,
    /// What the tool does, for the model.
    pub description: String,
    /// JSON Schema (2020-12 unless `$schema` says otherwise) of the arguments; its type is `object`.
    pub input_schema: Value,
    /// JSON Schema of the structured result; since revision 2025-06-18.
    pub output_schema: Option<Value>,
    /// Hints about what a call does; since revision 2025-03-26.
    pub annotations: ToolAnnotations,
    /// Pictures for user interfaces; since revision 2025-11-25.
    pub icons: Vec<Icon>,
    /// Metadata of the server's own; since revision 2025-06-18.
    pub meta: Option<Map<String, Value>>,
    /// Whether the tool answers each caller from what that caller may see, so that no cache may give its answers to others. It
    /// is for layers, and not told to clients. Default: false.
    pub depends_on_caller: bool,
}

impl ToolDefinition {
    /// A tool that takes no arguments.
    pub fn new(name: impl Into<Arc<str>>, description: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            title: None,
            description: description.into(),
            input_schema: serde_json::json!({"type": "object", "additionalProperties": false}),
            output_schema: None,
            annotations: ToolAnnotations::default(),
            icons: Vec::new(),
            meta: None,
            depends_on_caller: false,
        }
    }

    /// Takes the schema of its arguments from a Rust type.
    #[must_use]
    pub fn with_input<T: schemars::JsonSchema>(mut self) -> Self {
        self.input_schema = crate::tool::schema::input_schema::<T>();
        self
    }

    /// Takes the schema of its structured result from a Rust type.
    #[must_use]
    pub fn with_output<T: schemars::JsonSchema>(mut self) -> Self {
        self.output_schema = Some(crate::tool::schema::output_schema::<T>());
        self
    }

    /// Sets the name that people see.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Sets the hints.
    #[must_use]
    pub fn with_annotations(mut self, annotations: ToolAnnotations) -> Self {
        self.annotations = annotations;
        self
    }

    /// Adds a picture.
    #[must_use]
    pub fn with_icon(mut self, icon: Icon) -> Self {
        self.icons.push(icon);
        self
    }
}

/// Hints about what a call does. A client must not trust them unless it trusts the server.
///
/// `None` leaves the hint to the protocol's default, which is the cautious one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ToolAnnotations {
    /// A name for people; [`ToolDefinition::title`] is the newer place for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The tool changes nothing. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only_hint: Option<bool>,
    /// The tool may destroy something; meaningful if it is not read-only. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destructive_hint: Option<bool>,
    /// A second call with the same arguments changes nothing more. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotent_hint: Option<bool>,
    /// The tool reaches beyond a closed world, such as the web. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_world_hint: Option<bool>,
}

impl ToolAnnotations {
    /// Of a tool that only reads, in a closed world such as one database.
    pub fn read_only() -> Self {
        Self {
            title: None,
            read_only_hint: Some(true),
            destructive_hint: Some(false),
            idempotent_hint: Some(true),
            open_world_hint: Some(false),
        }
    }

    /// Whether a second call with the same arguments changes nothing more, as far as the hints say.
    pub fn is_idempotent(&self) -> bool {
        self.is_read_only() || self.idempotent_hint == Some(true)
    }

    /// Whether the tool changes nothing, as far as the hints say.
    pub fn is_read_only(&self) -> bool {
        self.read_only_hint == Some(true)
    }

    /// Whether no hint is set.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
