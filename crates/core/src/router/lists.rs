//! The lists of what a server offers.

use std::num::NonZeroUsize;
use std::sync::OnceLock;

use crate::codec::{Cursor, CursorKey, List, Listed};
use crate::error::Error;
use crate::freshness::Freshness;
use crate::protocol::ProtocolVersion;
use crate::request::{Reply, Request};

/// How lists are given.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListSettings {
    pub(super) page_size: Option<NonZeroUsize>,
    pub(super) freshness: Freshness,
    pub(super) cursor_key: CursorKey,
}

/// The pages of one list in each revision, written when first asked for.
#[derive(Debug)]
pub(super) struct Pages {
    member: &'static str,
    settings: ListSettings,
    written: [OnceLock<Written>; ProtocolVersion::ALL.len()],
}

#[derive(Debug)]
struct Written {
    digest: u64,
    pages: Vec<Reply>,
}

impl Pages {
    /// Pages of a list that stands in `member` of its result.
    pub(super) fn new(member: &'static str, settings: ListSettings) -> Self {
        Self { member, settings, written: Default::default() }
    }

    /// The page that a request asks for, of a list of these items.
    ///
    /// # Errors
    ///
    /// When its cursor is none of this list.
    pub(super) fn answer<'a, T: Listed + 'a>(
        &self,
        request: &Request,
        items: impl Iterator<Item = &'a T>,
        server_meta: &str,
    ) -> Result<Reply, Error> {
        let version = request.context.version();
        let Written { digest, pages } = self.written[version.index()].get_or_init(|| {
            let ListSettings { page_size, freshness, ref cursor_key } = self.settings;
            let items: Vec<&T> = items.collect();
            let list = List { member: self.member, items: &items, page_size, freshness, cursor_key };
            Written { digest: list.digest(), pages: list.pages(server_meta, version) }
        });
        let asked = request.context.meta();
        let page = match asked.written(asked.places.cursor) {
            None | Some("null") => Some(0),
            Some(cursor) => serde_json::from_str::<String>(cursor)
                .ok()
                .and_then(|text| Cursor::decode(&text, &self.settings.cursor_key))
                .filter(|cursor| cursor.digest == *digest)
                .and_then(|cursor| usize::try_from(cursor.page).ok()),
        };
        let reply = page.and_then(|page| pages.get(page));
        reply
            .cloned()
            .ok_or_else(|| Error::invalid_params("unknown cursor: begin the list anew, without one"))
    }
}
