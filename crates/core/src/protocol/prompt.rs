//! What a prompt tells about itself, and what it is made of.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::content::{Content, Role};
use super::server::Icon;

/// What a client learns of a prompt from `prompts/list`.
///
/// The order of the fields is the order on the wire. What an older revision lacks is left out for its clients.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PromptDefinition {
    /// Unique within a server; not empty.
    pub name: Arc<str>,
    /// A name for people; since revision 2025-06-18.
    pub title: Option<String>,
    /// What the prompt is for.
    pub description: String,
    /// What it can be given, in the order in which a person is asked for it.
    pub arguments: Vec<PromptArgument>,
    /// Pictures for user interfaces; since revision 2025-11-25.
    pub icons: Vec<Icon>,
    /// Metadata of the server's own; since revision 2025-06-18.
    pub meta: Option<Map<String, Value>>,
    /// JSON Schema of the arguments, which are held against it before the prompt is made. It is not on the wire: the
    /// protocol tells of arguments only what [`PromptArgument`] has.
    pub input_schema: Option<Value>,
}

/// What a prompt can be given. Its value is text on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PromptArgument {
    /// Unique within the prompt.
    pub name: String,
    /// A name for people; since revision 2025-06-18.
    pub title: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// Whether the prompt cannot be made without it.
    pub required: bool,
}

impl PromptArgument {
    /// An argument that may be left out.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), title: None, description: None, required: false }
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

    /// Says that the prompt cannot be made without it.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

impl PromptDefinition {
    /// A prompt that takes no arguments.
    pub fn new(name: impl Into<Arc<str>>, description: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            title: None,
            description: description.into(),
            arguments: Vec::new(),
            icons: Vec::new(),
            meta: None,
            input_schema: None,
        }
    }

    /// Takes the arguments from a Rust type: their names, what its doc comments say of them, and which must be there.
    /// They are text; where the type has a number or a truth value, the text is read as one.
    ///
    /// Those that must be there come first, in the order of the type's fields, then the others by name.
    ///
    /// # Panics
    ///
    /// Panics if the type is no struct, or one of its fields is a list or an object, which text cannot be.
    #[must_use]
    pub fn with_input<T: schemars::JsonSchema>(mut self) -> Self {
        let schema = crate::tool::schema::input_schema::<T>();
        self.arguments = crate::arguments::describe(&schema);
        self.input_schema = Some(schema);
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn with_argument(mut self, argument: PromptArgument) -> Self {
        self.arguments.push(argument);
        self
    }

    /// Sets the name that people see.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Adds a picture.
    #[must_use]
    pub fn with_icon(mut self, icon: Icon) -> Self {
        self.icons.push(icon);
        self
    }
}

/// One message of a prompt.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PromptMessage {
    /// Who says it.
    pub role: Role,
    /// What is said: any kind of content.
    pub content: Content,
}

impl PromptMessage {
    /// A message of that side.
    pub fn new(role: Role, content: Content) -> Self {
        Self { role, content }
    }

    /// Something that the person says: text, or any other content.
    pub fn user(content: impl Into<Content>) -> Self {
        Self::new(Role::User, content.into())
    }

    /// Something that the model says, as an example or as the beginning of its answer.
    pub fn assistant(content: impl Into<Content>) -> Self {
        Self::new(Role::Assistant, content.into())
    }
}
