//! What a caller was granted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::time;

/// Scopes: names of what one may do, such as `orders:read`. A clone is a refcount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Arc<BTreeSet<Box<str>>>);

impl Scopes {
    /// The scopes of a text in which spaces stand between them, as OAuth writes them.
    pub fn parse(text: &str) -> Self {
        text.split_ascii_whitespace().collect()
    }

    pub(crate) fn shared(&self) -> Arc<BTreeSet<Box<str>>> {
        Arc::clone(&self.0)
    }

    /// Whether that scope is among them.
    pub fn contains(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|scope| &**scope)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: AsRef<str>> FromIterator<T> for Scopes {
    fn from_iter<I: IntoIterator<Item = T>>(scopes: I) -> Self {
        Self(Arc::new(scopes.into_iter().map(|scope| scope.as_ref().into()).collect()))
    }
}

/// What a caller was granted, and for how long. [`AuthLayer`](crate::AuthLayer) attaches it to each request's extensions.
///
/// The token that says so is not part of it: no tool and no upstream can see that.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    scopes: Scopes,
    expires: Option<u64>,
    can_step_up: bool,
}

impl Grant {
    /// These scopes, until they are taken away.
    pub fn new(scopes: Scopes) -> Self {
        Self { scopes, expires: None, can_step_up: false }
    }

    /// Ends it at that second since 1970.
    #[must_use]
    pub fn until(mut self, seconds: u64) -> Self {
        self.expires = Some(seconds);
        self
    }

    /// Says that the caller can get more scopes by themselves, from an authorization server. A refusal then tells which.
    #[must_use]
    pub fn with_step_up(mut self) -> Self {
        self.can_step_up = true;
        self
    }

    /// The scopes.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Whether the caller can get more scopes by themselves.
    pub fn can_step_up(&self) -> bool {
        self.can_step_up
    }

    /// How long it goes on, if it ends. What is further away than a year ends then: no stream lives that long.
    pub(crate) fn left(&self) -> Option<Duration> {
        const YEAR: u64 = 366 * 24 * 60 * 60;
        self.expires.map(|expires| Duration::from_secs(expires.saturating_sub(time::now()).min(YEAR)))
    }

    /// Whether it has ended. A request on a stream that was opened long ago may still bring one that has.
    pub fn has_ended(&self) -> bool {
        self.expires.is_some_and(|expires| expires <= time::now())
    }
}
