//! `search_files`.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use towline_core::ToolSet;

use super::page::{self, is_after, may_reach, more};
use super::tree::below;
use super::{About, Effect, Told, tool};
use crate::disk::{Disk, Filesystem};
use crate::error::FilesystemError;
use crate::job::Job;
use crate::walk::{Kind, Next, Walk};

/// More globs than these are not taken in one call.
const MAX_GLOBS: usize = 100;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// Where to begin; `.` is the whole.
    path: String,
    /// A glob that paths below there must match: `*.md` in this directory, `**/*.md` in all below it too.
    pattern: String,
    /// Globs of what to leave out.
    #[serde(default, rename = "excludePatterns")]
    exclude_patterns: Vec<String>,
    /// Where the last page ended.
    cursor: Option<String>,
    /// Paths on a page.
    limit: Option<NonZeroUsize>,
}

#[derive(Serialize, JsonSchema)]
struct Found {
    matches: Vec<Match>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Match {
    path: String,
    #[serde(rename = "type")]
    kind: Kind,
}

pub(super) fn add(set: ToolSet, files: &Filesystem) -> ToolSet {
    let about = About {
        name: "search_files",
        title: "Search files",
        description: "Finds files and directories by a glob of their paths, such as `**/*.rs`. To find text in files, use \
                      grep_files.",
        effect: Effect::Reads,
    };
    set.with(tool(files, about, run))
}

fn run(disk: &Disk, arguments: Arguments, job: &Job) -> Result<Told<Found>, FilesystemError> {
    let Arguments { path, pattern, exclude_patterns, cursor, limit } = arguments;
    let (wanted, excluded) = (Globs::new([&pattern])?, Globs::new(&exclude_patterns)?);
    let most = page::size(disk, limit);
    let cursor = cursor.as_deref();
    let mut matches: Vec<Match> = Vec::new();
    let mut folders = disk.folders(&path)?;
    folders.sort_by(|(left, ..), (right, ..)| left.name.cmp(&right.name));
    let mut is_cut = false;
    for (root, dir, base) in folders {
        let ended = Walk::new(disk, root, job).below(&dir, &base, &mut |_, entry, path| {
            let relative = below(path, &base);
            let shown = root.show(path);
            if excluded.matches(relative) || !may_reach(&shown, cursor) {
                return Ok(ControlFlow::Continue(Next::Past));
            }
            if wanted.matches(relative) && is_after(&shown, cursor) {
                if matches.len() == most {
                    return Ok(ControlFlow::Break(()));
                }
                matches.push(Match { path: shown, kind: entry.kind });
            }
            Ok(ControlFlow::Continue(Next::Into))
        })?;
        if ended.is_break() {
            is_cut = true;
            break;
        }
    }
    let next_cursor = matches.last().filter(|_| is_cut).map(|last| last.path.clone());
    let mut text = match matches.as_slice() {
        [] => "No matches found".to_owned(),
        found => found.iter().map(|found| found.path.as_str()).collect::<Vec<_>>().join("\n"),
    };
    more(&mut text, next_cursor.as_ref());
    Ok(Told { text, data: Found { matches, next_cursor } })
}

/// Globs of a caller, of paths relative to where a walk begins.
pub(super) struct Globs(GlobSet);

impl Globs {
    /// In which `*` ends at a `/`.
    pub(super) fn new<'a>(patterns: impl IntoIterator<Item = &'a String>) -> Result<Self, FilesystemError> {
        let mut set = GlobSetBuilder::new();
        for (n, pattern) in patterns.into_iter().enumerate() {
            let wrong = |why: &dyn std::fmt::Display| {
                FilesystemError::Refused(format!("the glob `{}` cannot be read: {why}", shorten(pattern)))
            };
            if n >= MAX_GLOBS || pattern.len() > 1000 {
                return Err(wrong(&"it is too long, or there are too many"));
            }
            let glob = GlobBuilder::new(pattern).literal_separator(true).build();
            set.add(glob.map_err(|error| wrong(error.kind()))?);
        }
        let set = set.build().map_err(|error| FilesystemError::Refused(error.kind().to_string()))?;
        Ok(Self(set))
    }

    /// In which a pattern without `*` counts at every depth.
    pub(super) fn excluding(patterns: &[String]) -> Result<Self, FilesystemError> {
        let anywhere = |pattern: &String| {
            if pattern.contains('*') { pattern.clone() } else { format!("**/{pattern}") }
        };
        let patterns: Vec<String> = patterns.iter().map(anywhere).collect();
        Self::new(&patterns)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        self.0.is_match(path)
    }
}

fn shorten(text: &str) -> &str {
    let end = text.char_indices().nth(60).map_or(text.len(), |(end, _)| end);
    &text[..end]
}
