//! What a read gives.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::answer::AnswerKind;
use crate::freshness::Freshness;
use crate::input::InputRequired;
use crate::protocol::{CacheScope, ResourceContents};

/// What a read gives: the contents of the resource, perhaps in several parts. A clone is a few refcounts.
///
/// Clients are told not to keep it, unless [`fresh_for`](Self::fresh_for) says otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceResult {
    contents: Arc<[ResourceContents]>,
    input: Option<Box<InputRequired>>,
    freshness: Option<Freshness>,
    meta: Option<Map<String, Value>>,
}

impl ResourceResult {
    /// Contents. There may be several, such as the files of a folder. What does not exist has no contents: that is
    /// [`Error::resource_not_found`](crate::Error::resource_not_found).
    pub fn new(contents: impl IntoIterator<Item = ResourceContents>) -> Self {
        Self { contents: contents.into_iter().collect(), input: None, freshness: None, meta: None }
    }

    /// Asks for input first: see [`Input`](crate::Input).
    pub(crate) fn asking(input: InputRequired) -> Self {
        Self { input: Some(Box::new(input)), ..Self::new([]) }
    }

    /// Says how long clients may keep it (`ttlMs`), and who may share what is kept (`cacheScope`): only what is the same
    /// for every caller may be public. Default: not at all.
    #[must_use]
    pub fn fresh_for(mut self, ttl: Duration, scope: CacheScope) -> Self {
        self.freshness = Some(Freshness { ttl, scope });
        self
    }

    /// Adds metadata of the server's own.
    #[must_use]
    pub fn with_meta(mut self, meta: Map<String, Value>) -> Self {
        self.meta = Some(meta);
        self
    }

    /// The contents.
    pub fn contents(&self) -> &[ResourceContents] {
        &self.contents
    }

    /// What it says of the work.
    pub fn kind(&self) -> AnswerKind {
        if self.input.is_some() { AnswerKind::InputRequired } else { AnswerKind::Complete }
    }

    /// Metadata of the server's own.
    pub fn meta(&self) -> Option<&Map<String, Value>> {
        self.meta.as_ref()
    }

    pub(crate) fn input(&self) -> Option<&InputRequired> {
        self.input.as_deref()
    }

    pub(crate) fn freshness(&self) -> Option<Freshness> {
        self.freshness
    }

    /// Sets what has not been said of how long it may be kept.
    pub(crate) fn or_fresh(mut self, freshness: Option<Freshness>) -> Self {
        self.freshness = self.freshness.or(freshness);
        self
    }
}
