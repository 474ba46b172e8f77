//! What a server may ask the user: a form to fill in, or a page to visit.
//!
//! Source: client/elicitation.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A form that the client shows the user, with fields of text, numbers, yes or no, and choices.
///
/// A form must not ask for secrets such as passwords or keys: that is what a [`UrlPrompt`] is for.
///
/// ```
/// use towline_core::protocol::{Field, Form};
///
/// let form = Form::new("Where to?")
///     .field("city", Field::text().min_length(1).required())
///     .field("class", Field::one_of(["first", "second"]).default("second"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Form {
    message: String,
    requested_schema: FormSchema,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct FormSchema {
    #[serde(rename = "type")]
    kind: &'static str,
    properties: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    required: Vec<String>,
}

impl Form {
    /// A form without fields: the user may agree, or not.
    pub fn new(message: impl Into<String>) -> Self {
        let requested_schema = FormSchema { kind: "object", properties: Map::new(), required: Vec::new() };
        Self { message: message.into(), requested_schema }
    }

    /// Adds a field. One of the same name is replaced.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, field: Field) -> Self {
        let name = name.into();
        let Field { schema, is_required } = field;
        let FormSchema { properties, required, .. } = &mut self.requested_schema;
        required.retain(|other| *other != name);
        if is_required {
            required.push(name.clone());
        }
        properties.insert(name, schema.into());
        self
    }

    /// What the user reads.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The JSON Schema of what the user fills in.
    pub fn schema(&self) -> Value {
        json!({
            "type": "object",
            "properties": self.requested_schema.properties,
            "required": self.requested_schema.required,
        })
    }

    /// The fields and which of them are required, of a form whose schema was made elsewhere.
    pub(crate) fn of(message: String, properties: Map<String, Value>, required: Vec<String>) -> Self {
        Self { message, requested_schema: FormSchema { kind: "object", properties, required } }
    }
}

/// A field of a [`Form`]. It may be left empty unless it is [required](Self::required).
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    schema: Map<String, Value>,
    is_required: bool,
}

impl Field {
    fn of(schema: Value) -> Self {
        let Value::Object(schema) = schema else { unreachable!("schemas are objects here") };
        Self { schema, is_required: false }
    }

    /// Text.
    pub fn text() -> Self {
        Self::of(json!({"type": "string"}))
    }

    /// An e-mail address.
    pub fn email() -> Self {
        Self::of(json!({"type": "string", "format": "email"}))
    }

    /// A URI.
    pub fn uri() -> Self {
        Self::of(json!({"type": "string", "format": "uri"}))
    }

    /// A day, such as `2026-07-28`.
    pub fn date() -> Self {
        Self::of(json!({"type": "string", "format": "date"}))
    }

    /// A time of a day, such as `2026-07-28T12:00:00Z`.
    pub fn date_time() -> Self {
        Self::of(json!({"type": "string", "format": "date-time"}))
    }

    /// A number.
    pub fn number() -> Self {
        Self::of(json!({"type": "number"}))
    }

    /// A whole number.
    pub fn integer() -> Self {
        Self::of(json!({"type": "integer"}))
    }

    /// Yes or no.
    pub fn boolean() -> Self {
        Self::of(json!({"type": "boolean"}))
    }

    /// One of these values.
    pub fn one_of<T: Into<String>>(values: impl IntoIterator<Item = T>) -> Self {
        Self::of(json!({"type": "string", "enum": strings(values)}))
    }

    /// One of these values, each with a title that the user sees in its place; since revision 2025-11-25.
    pub fn one_of_titled<V: Into<String>, T: Into<String>>(
        choices: impl IntoIterator<Item = (V, T)>,
    ) -> Self {
        Self::of(json!({"type": "string", "oneOf": titled(choices)}))
    }

    /// One of these values with titles, as revisions before 2025-11-25 say it (`enumNames`), which is deprecated.
    pub fn one_of_named<V: Into<String>, T: Into<String>>(choices: impl IntoIterator<Item = (V, T)>) -> Self {
        let (values, names): (Vec<String>, Vec<String>) =
            choices.into_iter().map(|(value, name)| (value.into(), name.into())).unzip();
        Self::of(json!({"type": "string", "enum": values, "enumNames": names}))
    }

    /// Any of these values; since revision 2025-11-25.
    pub fn several_of<T: Into<String>>(values: impl IntoIterator<Item = T>) -> Self {
        Self::of(json!({"type": "array", "items": {"type": "string", "enum": strings(values)}}))
    }

    /// Any of these values, each with a title that the user sees in its place; since revision 2025-11-25.
    pub fn several_of_titled<V: Into<String>, T: Into<String>>(
        choices: impl IntoIterator<Item = (V, T)>,
    ) -> Self {
        Self::of(json!({"type": "array", "items": {"anyOf": titled(choices)}}))
    }

    /// The user must fill it in.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// Its name, for people.
    #[must_use]
    pub fn title(self, title: impl Into<String>) -> Self {
        self.with("title", title.into())
    }

    /// What it is for.
    #[must_use]
    pub fn description(self, text: impl Into<String>) -> Self {
        self.with("description", text.into())
    }

    /// What it says before the user changes it; of texts, numbers and choices since revision 2025-11-25.
    #[must_use]
    pub fn default(self, value: impl Into<Value>) -> Self {
        self.with("default", value)
    }

    /// The least number.
    #[must_use]
    pub fn minimum(self, value: impl Into<Value>) -> Self {
        self.with("minimum", value)
    }

    /// The greatest number.
    #[must_use]
    pub fn maximum(self, value: impl Into<Value>) -> Self {
        self.with("maximum", value)
    }

    /// The least number of characters.
    #[must_use]
    pub fn min_length(self, characters: u32) -> Self {
        self.with("minLength", characters)
    }

    /// The greatest number of characters.
    #[must_use]
    pub fn max_length(self, characters: u32) -> Self {
        self.with("maxLength", characters)
    }

    /// The least number of choices, of several.
    #[must_use]
    pub fn min_items(self, choices: u32) -> Self {
        self.with("minItems", choices)
    }

    /// The greatest number of choices, of several.
    #[must_use]
    pub fn max_items(self, choices: u32) -> Self {
        self.with("maxItems", choices)
    }

    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.schema.insert(key.to_owned(), value.into());
        self
    }
}

fn strings<T: Into<String>>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(Into::into).collect()
}

fn titled<V: Into<String>, T: Into<String>>(choices: impl IntoIterator<Item = (V, T)>) -> Vec<Value> {
    let choice = |(value, title): (V, T)| {
        let (value, title): (String, String) = (value.into(), title.into());
        json!({"const": value, "title": title})
    };
    choices.into_iter().map(choice).collect()
}

/// A page that the user is asked to visit, for what must not pass through the client: keys, payments, consent elsewhere.
/// Since revision 2025-11-25.
///
/// That the user agrees does not say that anything was done there: the server finds that out by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UrlPrompt {
    pub(crate) message: String,
    pub(crate) url: String,
}

impl UrlPrompt {
    /// Asks the user to visit that address, and says why.
    pub fn new(url: impl Into<String>, message: impl Into<String>) -> Self {
        Self { message: message.into(), url: url.into() }
    }
}

/// What became of a form or of a page to visit: `T` is what the user filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Elicited<T> {
    /// The user agreed.
    Accepted(T),
    /// The user said no.
    Declined,
    /// The user did not choose, as by closing the dialogue.
    Cancelled,
}

impl<T> Elicited<T> {
    /// What the user filled in, if they agreed.
    pub fn accepted(self) -> Option<T> {
        match self {
            Self::Accepted(value) => Some(value),
            Self::Declined | Self::Cancelled => None,
        }
    }
}

/// The client's answer to an elicitation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ElicitResult {
    /// What the user did.
    pub action: ElicitAction,
    /// What the user filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Map<String, Value>>,
}

/// What a user did about an elicitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ElicitAction {
    /// Agreed.
    Accept,
    /// Said no.
    Decline,
    /// Did not choose.
    Cancel,
}
