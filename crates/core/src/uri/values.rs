//! The values of a template's variables.

use serde::{Serialize, Serializer};

/// The values of a [`UriTemplate`](crate::UriTemplate)'s variables, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UriValues(Vec<(String, UriValue)>);

/// The value of a variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum UriValue {
    /// Text.
    Text(String),
    /// The segments of a path, of a variable written `{/name*}`.
    List(Vec<String>),
}

impl UriValues {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value, or replaces the one of that name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<UriValue>) -> Self {
        let name = name.into();
        self.0.retain(|(other, _)| *other != name);
        self.0.push((name, value.into()));
        self
    }

    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&UriValue> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// The text of that name.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            UriValue::Text(text) => Some(text),
            UriValue::List(_) => None,
        }
    }

    /// All names and values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &UriValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl Serialize for UriValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl From<&str> for UriValue {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for UriValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<String>> for UriValue {
    fn from(list: Vec<String>) -> Self {
        Self::List(list)
    }
}
