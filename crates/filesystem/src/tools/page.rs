//! Long lists in pages.
//!
//! A cursor says after what to go on, not how many to pass over: what appears or vanishes between two pages moves nothing.

use std::num::NonZeroUsize;

use crate::disk::Disk;
use crate::error::FilesystemError;

/// How many entries a caller gets: what it asks for, within the settings.
pub(super) fn size(disk: &Disk, asked: Option<NonZeroUsize>) -> usize {
    asked.map_or(usize::MAX, NonZeroUsize::get).min(disk.limits.page_size.get())
}

/// What a tool says at the end of a page that is not the last.
pub(super) fn more(text: &mut String, cursor: Option<&String>) {
    if let Some(cursor) = cursor {
        text.push_str(&format!("\n(There is more: call again with cursor {cursor:?}.)"));
    }
}

/// A cursor that is none.
pub(super) fn unknown() -> FilesystemError {
    FilesystemError::Refused("unknown cursor: begin anew, without one".into())
}

/// Whether one path comes after another on a walk: part by part, a folder before what lies in it.
pub(super) fn is_after(path: &str, cursor: Option<&str>) -> bool {
    cursor.is_none_or(|cursor| path.split('/').gt(cursor.split('/')))
}

/// Whether something on a walk comes after the cursor, or may have something in it that does.
pub(super) fn may_reach(path: &str, cursor: Option<&str>) -> bool {
    cursor.is_none_or(|cursor| {
        let leads_there =
            cursor.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        leads_there || is_after(path, Some(cursor))
    })
}
