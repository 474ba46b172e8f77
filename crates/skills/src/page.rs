//! Lists in pages, written once.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};
use towline_core::protocol::{CacheScope, ProtocolVersion};
use towline_core::{Error, Reply};

use crate::file::Hex;

/// How answers are given.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) page_size: Option<NonZeroUsize>,
    pub(crate) ttl: Duration,
    pub(crate) scope: CacheScope,
}

impl Default for Settings {
    /// As the router gives its own lists.
    fn default() -> Self {
        Self { page_size: None, ttl: Duration::from_secs(300), scope: CacheScope::Public }
    }
}

/// An answer of revision 2026-07-28, with how long it may be kept.
pub(crate) struct Answer<'a, T> {
    pub(crate) member: &'static str,
    pub(crate) value: &'a T,
    pub(crate) next_cursor: Option<String>,
    pub(crate) settings: &'a Settings,
}

impl<T: Serialize> Serialize for Answer<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Settings { ttl, scope, .. } = self.settings;
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(self.member, self.value)?;
        if let Some(cursor) = &self.next_cursor {
            map.serialize_entry("nextCursor", cursor)?;
        }
        map.serialize_entry("ttlMs", &ttl_ms)?;
        map.serialize_entry("cacheScope", scope)?;
        map.end()
    }
}

impl<T: Serialize> Answer<'_, T> {
    pub(crate) fn write(&self) -> Reply {
        Reply::new(self, ProtocolVersion::LATEST).expect("skills have a JSON form")
    }
}

/// The pages of a list.
#[derive(Debug)]
pub(crate) struct Pages {
    /// Equal on every replica that serves the same, so that a cursor of one is good for another. A cursor of another list,
    /// or of what it was before, is good for none: the client begins anew instead of missing entries.
    digest: String,
    pages: Vec<Reply>,
}

impl Pages {
    /// The pages of a list that stands in `member` of its result. There is always one, if only an empty one.
    pub(crate) fn new<T: Serialize>(member: &'static str, items: &[T], settings: &Settings) -> Self {
        let size = settings.page_size.map_or(items.len().max(1), NonZeroUsize::get);
        let text = serde_json::to_vec(&(member, size, items)).expect("skills have a JSON form");
        let digest = Hex(&Sha256::digest(text)[..8]).to_string();
        let count = items.len().div_ceil(size).max(1);
        let page = |number: usize| {
            let value = &items[number * size..items.len().min((number + 1).saturating_mul(size))];
            let next_cursor = (number + 1 < count).then(|| format!("{digest}-{}", number + 1));
            Answer { member, value: &value, next_cursor, settings }.write()
        };
        let pages = (0..count).map(page).collect();
        Self { digest, pages }
    }

    /// The page at a cursor; the first without one.
    ///
    /// # Errors
    ///
    /// When the cursor is none of this list.
    pub(crate) fn get(&self, cursor: Option<&str>) -> Result<Reply, Error> {
        let number = match cursor {
            None => Some(0),
            Some(cursor) => cursor
                .split_once('-')
                .filter(|(digest, _)| *digest == self.digest)
                .and_then(|(_, number)| number.parse::<usize>().ok()),
        };
        let page = number.and_then(|number| self.pages.get(number));
        page.cloned().ok_or_else(|| Error::invalid_params("unknown cursor: begin the list anew, without one"))
    }
}
