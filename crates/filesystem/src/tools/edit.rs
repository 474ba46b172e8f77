//! `edit_file`.

use std::ops::Range;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use similar::TextDiff;
use towline_core::ToolSet;

use super::{About, Effect, Told, tool};
use crate::disk::{Disk, Filesystem};
use crate::error::FilesystemError;
use crate::job::Job;
use crate::read::{self, hash};
use crate::write::{self, Written};

/// How long the difference of two texts is looked for; then a longer one does.
const DIFF_TIME: Duration = Duration::from_secs(2);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The file.
    path: String,
    /// What to replace, one after another.
    #[schemars(length(min = 1))]
    edits: Vec<Edit>,
    /// Only shows what would change.
    #[serde(default, rename = "dryRun")]
    dry_run: bool,
    /// Edits only if the file still has this SHA-256, as a read told it.
    if_match: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Edit {
    /// Text that is in the file once.
    old_text: String,
    /// What to put in its place.
    new_text: String,
}

#[derive(Serialize, JsonSchema)]
struct Edited {
    path: String,
    /// What changes, as a unified diff.
    diff: String,
    /// The SHA-256 of the file with the changes, for `if_match`.
    hash: String,
    /// Whether the file was written.
    is_written: bool,
}

pub(super) fn add(set: ToolSet, files: &Filesystem) -> ToolSet {
    let about = About {
        name: "edit_file",
        title: "Edit file",
        description: "Replaces texts in a file, and shows the difference. Each `oldText` must be in the file exactly once; if \
                      it is not there as it stands, whole lines that differ only in the white space around them are taken.",
        effect: Effect::Changes,
    };
    set.with(tool(files, about, run))
}

fn run(disk: &Disk, arguments: Arguments, job: &Job) -> Result<Told<Edited>, FilesystemError> {
    let Arguments { path, edits, dry_run, if_match } = arguments;
    let (path, before, after, hash) = if dry_run {
        let file = read::open(disk, &path)?;
        let shown = file.shown.clone();
        let bytes = file.all(disk.limits.max_read_bytes, job)?;
        if if_match.is_some_and(|wanted| !hash(&bytes).eq_ignore_ascii_case(&wanted)) {
            return Err(FilesystemError::Conflict { path: shown });
        }
        let (before, after) = edited(bytes, &edits, &shown, job)?;
        let hash = hash(after.as_bytes());
        (shown, before, after, hash)
    } else {
        let mut texts = None;
        let change = |present: Option<Vec<u8>>| {
            let missing = || FilesystemError::NotFound { path: path.clone() };
            let (before, after) = edited(present.ok_or_else(missing)?, &edits, &path, job)?;
            let content = after.clone().into_bytes();
            texts = Some((before, after));
            Ok(content)
        };
        let Written { shown, hash, .. } =
            write::replace(disk, job, &path, if_match.as_deref(), change, true)?;
        let (before, after) = texts.expect("what is written was made");
        (shown, before, after, hash)
    };
    let diff = diff(&path, &before, &after, job);
    let mut fence = "```".to_owned();
    while diff.contains(&fence) {
        fence.push('`');
    }
    let text = format!("{fence}diff\n{diff}{fence}\n\n");
    Ok(Told { text, data: Edited { path, diff, hash, is_written: !dry_run } })
}

fn diff(path: &str, before: &str, after: &str, job: &Job) -> String {
    let timeout = DIFF_TIME.min(job.remaining());
    let diff = TextDiff::configure().timeout(timeout).diff_lines(before, after);
    let mut unified = diff.unified_diff();
    let (old, new) = (format!("{path}\toriginal"), format!("{path}\tmodified"));
    let text = unified.context_radius(4).header(&old, &new).to_string();
    if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" }
}

/// A file's text before and after.
fn edited(
    bytes: Vec<u8>,
    edits: &[Edit],
    path: &str,
    job: &Job,
) -> Result<(String, String), FilesystemError> {
    let not_text = |_| FilesystemError::Refused(format!("`{path}` is no UTF-8 text, so it is not edited"));
    let before = String::from_utf8(bytes).map_err(not_text)?;
    // A file whose lines all end as on Windows keeps these ends; edits are written with plain ones. A file that mixes them
    // is taken as it is.
    let is_windows =
        before.contains("\r\n") && before.matches('\n').count() == before.matches("\r\n").count();
    let mut text = if is_windows { before.replace("\r\n", "\n") } else { before.clone() };
    for Edit { old_text, new_text } in edits {
        job.check()?;
        let (old, new) = if is_windows {
            (old_text.replace("\r\n", "\n"), new_text.replace("\r\n", "\n"))
        } else {
            (old_text.clone(), new_text.clone())
        };
        let (range, new) = find(&text, &old, new)?;
        text.replace_range(range, &new);
    }
    let after = if is_windows { text.replace('\n', "\r\n") } else { text };
    Ok((before, after))
}

/// Where a text stands, and what to put there.
fn find(text: &str, old: &str, new: String) -> Result<(Range<usize>, String), FilesystemError> {
    if old.is_empty() {
        return Err(FilesystemError::Refused("`oldText` must not be empty".into()));
    }
    let several = || {
        let message =
            format!("`oldText` is in the file more than once; give more of what is around it:\n{old}");
        FilesystemError::Refused(message)
    };
    if let Some(at) = text.find(old) {
        let second = at + old.chars().next().map_or(1, char::len_utf8);
        let is_again = text[second..].contains(old);
        return if is_again { Err(several()) } else { Ok((at..at + old.len(), new)) };
    }
    let mut found = by_lines(text, old);
    let missing = || FilesystemError::Refused(format!("could not find a match for this `oldText`:\n{old}"));
    let first = found.next().ok_or_else(missing)?;
    if found.next().is_some() {
        return Err(several());
    }
    let indent = indent_of(&text[first.clone()]);
    let new = indented(&new, old, indent);
    Ok((first, new))
}

/// Whole lines that are those of `old` but for the white space around each.
fn by_lines<'a>(text: &'a str, old: &str) -> impl Iterator<Item = Range<usize>> + use<'a> {
    let wanted: Vec<String> = old.split('\n').map(|line| line.trim().to_owned()).collect();
    let mut at = 0;
    let lines: Vec<(usize, &str)> = text
        .split('\n')
        .map(|line| {
            let start = at;
            at += line.len() + 1;
            (start, line)
        })
        .collect();
    let starts = 0..(lines.len() + 1).saturating_sub(wanted.len());
    starts.filter_map(move |n| {
        let these = &lines[n..n + wanted.len()];
        let is_match = these.iter().zip(&wanted).all(|((_, line), wanted)| line.trim() == wanted);
        let (last, line) = these[these.len() - 1];
        is_match.then(|| these[0].0..last + line.len())
    })
}

fn indent_of(text: &str) -> &str {
    let line = text.split('\n').next().unwrap_or_default();
    &line[..line.len() - line.trim_start().len()]
}

/// New lines, moved as far to the right as the old ones stand.
fn indented(new: &str, old: &str, indent: &str) -> String {
    let mut old = old.split('\n');
    let lines = new.split('\n').enumerate().map(|(n, line)| {
        let before = indent_of(old.next().unwrap_or_default());
        let own = indent_of(line);
        match n {
            0 => format!("{indent}{}", line.trim_start()),
            _ if !before.is_empty() && !own.is_empty() => {
                let more = own.len().saturating_sub(before.len());
                format!("{indent}{}{}", " ".repeat(more), line.trim_start())
            }
            _ => line.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}
