//! A place in a document: a value, and the pointer that leads to it.

use serde_json::Value;

/// A value of a document with its JSON pointer.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    pub(super) pointer: String,
    pub(super) value: &'a Value,
}

impl<'a> Node<'a> {
    /// A member of an object.
    pub(super) fn get(&self, key: &str) -> Option<Node<'a>> {
        let value = self.value.as_object()?.get(key)?;
        Some(Node { pointer: format!("{}/{}", self.pointer, escape(key)), value })
    }

    /// A member that is text.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.value.as_object()?.get(key)?.as_str()
    }

    /// A member that is `true`.
    pub(super) fn is_true(&self, key: &str) -> bool {
        self.value.as_object().and_then(|members| members.get(key)) == Some(&Value::Bool(true))
    }

    /// The elements of a list; none of anything else.
    pub(super) fn elements(&self) -> impl Iterator<Item = Node<'a>> + use<'a> {
        let pointer = self.pointer.clone();
        let elements = self.value.as_array().map(Vec::as_slice).unwrap_or_default();
        elements.iter().enumerate().map(move |(at, value)| Node { pointer: format!("{pointer}/{at}"), value })
    }

    /// The members of an object, by key; none of anything else.
    pub(super) fn members(&self) -> Vec<(&'a str, Node<'a>)> {
        let Some(members) = self.value.as_object() else { return Vec::new() };
        let mut members: Vec<_> = members
            .iter()
            .map(|(key, value)| {
                (key.as_str(), Node { pointer: format!("{}/{}", self.pointer, escape(key)), value })
            })
            .collect();
        // A crate elsewhere in the build may make serde_json keep the order of the text instead.
        members.sort_unstable_by_key(|(key, _)| *key);
        members
    }
}

/// A key as one step of a JSON pointer.
pub(super) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
