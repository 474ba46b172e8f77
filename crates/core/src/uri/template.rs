//! URI templates.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::matching::Matcher;
use super::parse::{self, Part, UriTemplateError};
use super::values::UriValues;

/// A template of URIs (RFC 6570) against which URIs can be matched, such as `notes://{folder}/{name}`.
///
/// | written | stands for |
/// |---|---|
/// | `{name}` | text without `/`, `?` and `#` |
/// | `{+name}` | text that may have delimiters, such as a whole path |
/// | `{/name}`, `{/name*}` | a segment of a path with its slash; all the rest of them, as a list |
/// | `{.name}` | text with a dot before it |
/// | `{?a,b}`, `{&a,b}` | a query, or more of one |
/// | `{#name}` | the fragment |
///
/// An expression may have several variables (`{x,y}`). What has an operator other than `+` in front may be missing from
/// a URI. The names in a query may come in any order, each at most once, and no others. A variable takes as much of the
/// URI as it can, the first before the second.
///
/// Refused are what cannot be matched without doubt: prefixes (`{name:3}`), two variables without anything between them,
/// a variable that stands there twice.
///
/// Values are decoded. A URI does not match if a value in its path has `.` or `..` as a segment, or begins with a slash
/// after a slash: what is read from a URI never leads out of a folder, whichever way it was encoded. Nor does one whose
/// values are no UTF-8, or have a NUL in them.
#[derive(Clone)]
pub struct UriTemplate(Arc<Inner>);

struct Inner {
    text: Arc<str>,
    parts: Vec<Part>,
    matcher: Matcher,
}

impl UriTemplate {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// When it is no template, or one against which URIs cannot be matched.
    pub fn parse(template: impl Into<Arc<str>>) -> Result<Self, UriTemplateError> {
        let text = template.into();
        let parts = parse::parse(&text)?;
        let matcher = Matcher::new(&parts);
        Ok(Self(Arc::new(Inner { text, parts, matcher })))
    }

    /// The template as it was written.
    pub fn as_str(&self) -> &Arc<str> {
        &self.0.text
    }

    /// The names of its variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let variables = self.0.parts.iter().filter_map(|part| match part {
            Part::Expression(_, variables) => Some(variables),
            Part::Literal(_) => None,
        });
        variables.flatten().map(|variable| variable.name.as_str())
    }

    /// The values with which the template makes that URI; `None` if it makes no such URI.
    ///
    /// It takes time that grows with the length of the URI, and no faster.
    pub fn match_uri(&self, uri: &str) -> Option<UriValues> {
        self.0.matcher.values(uri)
    }

    /// The URI that the template makes of values. What has no value is left out; values without a variable are ignored.
    pub fn expand(&self, values: &UriValues) -> String {
        super::expand::expand(&self.0.parts, values)
    }
}

impl PartialEq for UriTemplate {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for UriTemplate {}

impl fmt::Debug for UriTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UriTemplate").field(&self.0.text).finish()
    }
}

impl fmt::Display for UriTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl Serialize for UriTemplate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.text)
    }
}
