//! What a resource tells about itself.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::content::Annotations;
use super::server::Icon;
use crate::uri::{UriTemplate, UriTemplateError};

/// What a client learns of a resource from `resources/list`, or of a template of resources from
/// `resources/templates/list`.
///
/// The order of the fields is the order on the wire. What an older revision lacks is left out for its clients.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ResourceDefinition {
    /// Where it is; unique within a server.
    pub address: ResourceAddress,
    /// Its name, for programs; it need not be unique.
    pub name: String,
    /// A name for people; since revision 2025-06-18.
    pub title: Option<String>,
    /// What it is, for the model.
    pub description: Option<String>,
    /// Its media type; of a template, if all that it stands for are of that type.
    pub mime_type: Option<String>,
    /// Whom it is for, how much it matters, and when it last changed.
    pub annotations: Option<Annotations>,
    /// Its size in bytes, before any encoding. Templates have none.
    pub size: Option<u64>,
    /// Pictures for user interfaces; since revision 2025-11-25.
    pub icons: Vec<Icon>,
    /// Metadata of the server's own; since revision 2025-06-18.
    pub meta: Option<Map<String, Value>>,
    /// JSON Schema of a template's variables, which are held against it before the resource is read. It is not on the
    /// wire: the protocol tells of variables only their names.
    pub input_schema: Option<Value>,
}

/// Where a resource is.
#[derive(Clone, PartialEq, Eq)]
pub enum ResourceAddress {
    /// At one URI.
    Uri(Arc<str>),
    /// At all URIs that a template makes.
    Template(UriTemplate),
}

impl ResourceAddress {
    /// The URI, or the template as it was written.
    pub fn as_str(&self) -> &Arc<str> {
        match self {
            Self::Uri(uri) => uri,
            Self::Template(template) => template.as_str(),
        }
    }

    /// The template, if it is one.
    pub fn template(&self) -> Option<&UriTemplate> {
        match self {
            Self::Uri(_) => None,
            Self::Template(template) => Some(template),
        }
    }
}

impl fmt::Debug for ResourceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl ResourceDefinition {
    /// A resource at one URI.
    pub fn new(uri: impl Into<Arc<str>>, name: impl Into<String>) -> Self {
        Self::at(ResourceAddress::Uri(uri.into()), name.into())
    }

    /// Resources at all URIs that a template makes.
    ///
    /// # Errors
    ///
    /// When it is no template against which URIs can be matched.
    pub fn template(
        template: impl Into<Arc<str>>,
        name: impl Into<String>,
    ) -> Result<Self, UriTemplateError> {
        Ok(Self::at(ResourceAddress::Template(UriTemplate::parse(template)?), name.into()))
    }

    fn at(address: ResourceAddress, name: String) -> Self {
        Self {
            address,
            name,
            title: None,
            description: None,
            mime_type: None,
            annotations: None,
            size: None,
            icons: Vec::new(),
            meta: None,
            input_schema: None,
        }
    }

    /// Takes the schema of a template's variables from a Rust type. Variables are text; where the type has a number or a
    /// truth value, the text is read as one.
    #[must_use]
    pub fn with_input<T: schemars::JsonSchema>(mut self) -> Self {
        self.input_schema = Some(crate::tool::schema::input_schema::<T>());
        self
    }

    /// Sets the name that people see.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Says what it is.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets the media type.
    #[must_use]
    pub fn with_mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.mime_type = Some(mime_type.into());
        self
    }

    /// Says whom it is for, how much it matters, and when it last changed.
    #[must_use]
    pub fn with_annotations(mut self, annotations: Annotations) -> Self {
        self.annotations = Some(annotations);
        self
    }

    /// Sets the size in bytes.
    #[must_use]
    pub fn with_size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    /// Adds a picture.
    #[must_use]
    pub fn with_icon(mut self, icon: Icon) -> Self {
        self.icons.push(icon);
        self
    }
}
