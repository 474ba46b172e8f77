//! A request, in the form that the APIs read it.

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method};

use crate::state::State;

pub(crate) struct Call<'a> {
    pub(crate) state: &'a State,
    /// Scheme and authority that the caller used, without a slash at the end.
    pub(crate) base: &'a str,
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) raw_query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a Bytes,
    /// What stands in place of the `{names}` of the route, decoded, in order.
    pub(crate) captures: Vec<String>,
}

impl Call<'_> {
    pub(crate) fn capture(&self, index: usize) -> &str {
        self.captures.get(index).map_or("", String::as_str)
    }

    /// The first value of this name in the query.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        first(self.raw_query.as_bytes(), name)
    }

    /// A number in the query, `default` if it is not there.
    ///
    /// # Errors
    ///
    /// A sentence when it is no number of the range.
    pub(crate) fn number(
        &self,
        name: &str,
        default: usize,
        range: RangeInclusive<usize>,
    ) -> Result<usize, String> {
        let Some(text) = self.query(name) else { return Ok(default) };
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            format!("`{name}` must be a whole number from {} to {}", range.start(), range.end())
        })
    }

    pub(crate) fn bearer(&self) -> Option<&str> {
        self.credentials("bearer")
    }

    /// User and password of basic authentication.
    pub(crate) fn basic(&self) -> Option<(String, String)> {
        let decoded = String::from_utf8(STANDARD.decode(self.credentials("basic")?).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some((user.to_owned(), password.to_owned()))
    }

    fn credentials(&self, scheme: &str) -> Option<&str> {
        let (given, credentials) = self.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        given.eq_ignore_ascii_case(scheme).then(|| credentials.trim())
    }

    /// The first value of this name in a body that is a form.
    pub(crate) fn form(&self, name: &str) -> Option<String> {
        first(self.body, name)
    }

    pub(crate) fn is_form(&self) -> bool {
        let essence = |value: &str| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let given = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        given.is_some_and(|value| essence(value) == "application/x-www-form-urlencoded")
    }
}

fn first(encoded: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(encoded).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
