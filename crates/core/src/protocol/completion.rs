//! Suggestions for the values of arguments.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The parameters of `completion/complete`: which argument of what, and what has been typed so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CompleteParams {
    /// What the argument belongs to.
    #[serde(rename = "ref")]
    pub reference: CompletionReference,
    /// The argument.
    pub argument: CompletionArgument,
    /// What else is known; since revision 2025-06-18.
    #[serde(default)]
    pub context: CompletionContext,
}

/// What an argument belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum CompletionReference {
    /// A prompt.
    #[serde(rename = "ref/prompt")]
    Prompt {
        /// Its name.
        name: String,
    },
    /// A resource or a template of resources.
    #[serde(rename = "ref/resource")]
    Resource {
        /// The URI, or the template as it was listed.
        uri: String,
    },
}

/// An argument whose value is being typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CompletionArgument {
    /// Its name.
    pub name: String,
    /// What has been typed so far.
    pub value: String,
}

/// What else is known of the arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CompletionContext {
    /// The arguments that have their values already.
    #[serde(default)]
    pub arguments: BTreeMap<String, String>,
}

/// The result of `completion/complete`: values that an argument may have, the best first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Completion {
    values: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    has_more: bool,
}

impl Completion {
    /// More values than these are never sent at once (server/utilities/completion, "Completion Results").
    pub const MAX_VALUES: usize = 100;

    /// All the values that there are, the best first. Those beyond [`MAX_VALUES`](Self::MAX_VALUES) are counted, and
    /// left out.
    pub fn new(values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut values = values.into_iter();
        let first: Vec<String> = values.by_ref().take(Self::MAX_VALUES).map(Into::into).collect();
        let more = values.count();
        let total = u64::try_from(first.len() + more).ok();
        Self { values: first, total, has_more: more > 0 }
    }

    /// Those candidates that begin with what has been typed, then those that have it elsewhere, in the order in which they
    /// come. Upper and lower case are one.
    pub fn matching<T: AsRef<str>>(candidates: impl IntoIterator<Item = T>, typed: &str) -> Self {
        let typed = typed.to_lowercase();
        let (mut first, mut others) = (Vec::new(), Vec::new());
        for candidate in candidates {
            match candidate.as_ref().to_lowercase().find(&typed) {
                Some(0) => first.push(candidate.as_ref().to_owned()),
                Some(_) => others.push(candidate.as_ref().to_owned()),
                None => {}
            }
        }
        Self::new(first.into_iter().chain(others))
    }

    /// Says that there are more values than were given here.
    #[must_use]
    pub fn with_more(mut self) -> Self {
        self.total = None;
        self.has_more = true;
        self
    }

    /// Says how many values there are, of which the best were given here.
    #[must_use]
    pub fn with_total(mut self, total: u64) -> Self {
        self.total = Some(total);
        self.has_more = total > self.values.len() as u64;
        self
    }

    /// The values, at most [`MAX_VALUES`](Self::MAX_VALUES).
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// How many there are in all, if that is known.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// Whether there are more than these.
    pub fn has_more(&self) -> bool {
        self.has_more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_a_hundred_values_are_given_and_all_are_counted() {
        let names = |count: usize| (0..count).map(|n| format!("v{n}"));
        let all = Completion::new(names(100));
        assert_eq!((all.values().len(), all.total(), all.has_more()), (100, Some(100), false));
        let cut = Completion::new(names(250));
        assert_eq!((cut.values().len(), cut.total(), cut.has_more()), (100, Some(250), true));
        let some = Completion::new(names(3)).with_total(7);
        assert_eq!((some.total(), some.has_more()), (Some(7), true));
    }

    #[test]
    fn what_begins_as_typed_comes_first() {
        let found = Completion::matching(["Cython", "python", "PyPy", "rust"], "Py");
        assert_eq!(found.values(), ["python", "PyPy"]);
        let found = Completion::matching(["Cython", "python", "PyPy", "rust"], "th");
        assert_eq!(found.values(), ["Cython", "python"]);
        assert_eq!(Completion::matching(["a", "b"], "").total(), Some(2));
    }
}
