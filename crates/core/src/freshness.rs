//! How long answers may be kept.

use std::time::Duration;

use crate::protocol::CacheScope;

/// How long, and by whom, an answer may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Freshness {
    pub(crate) ttl: Duration,
    pub(crate) scope: CacheScope,
}

impl Freshness {
    /// Not at all.
    pub(crate) const NONE: Self = Self { ttl: Duration::ZERO, scope: CacheScope::Private };
}
