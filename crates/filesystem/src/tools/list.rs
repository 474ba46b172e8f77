//! `list_files`, `list_directory`, `list_directory_with_sizes`.

use std::cmp::Reverse;
use std::num::NonZeroUsize;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use towline_core::{ToolOutput, ToolResult, ToolSet};

use super::page::{self, more};
use super::{About, Effect, Told, size_in_words, tool};
use crate::disk::{Disk, Filesystem, Place};
use crate::error::FilesystemError;
use crate::job::Job;
use crate::walk::{Entry, Kind, Walk};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The directory; `.` is the whole.
    path: String,
    /// Where the last page ended.
    cursor: Option<String>,
    /// Entries on a page.
    limit: Option<NonZeroUsize>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SizesArguments {
    /// The directory; `.` is the whole.
    path: String,
    /// By name, or the largest first.
    #[serde(default, rename = "sortBy")]
    sort_by: SortBy,
    /// Where the last page ended.
    cursor: Option<String>,
    /// Entries on a page.
    limit: Option<NonZeroUsize>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum SortBy {
    #[default]
    Name,
    Size,
}

#[derive(Serialize, JsonSchema)]
struct Listing {
    path: String,
    entries: Vec<Listed>,
    /// How many entries there are on all pages.
    total: usize,
    /// Where the next page begins; none after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Listed {
    name: String,
    #[serde(rename = "type")]
    kind: Kind,
    /// Bytes, if sizes were asked for; of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

pub(super) fn add(set: ToolSet, files: &Filesystem) -> ToolSet {
    let list_files = About {
        name: "list_files",
        title: "List files",
        description: "Lists what is in a directory.",
        effect: Effect::Reads,
    };
    let list_directory = About {
        name: "list_directory",
        title: "List directory",
        description: "Lists what is in a directory, by name: files as [FILE], directories as [DIR], links as [LINK].",
        effect: Effect::Reads,
    };
    let with_sizes = About {
        name: "list_directory_with_sizes",
        title: "List directory with sizes",
        description: "Lists what is in a directory with the sizes of files, and their sum.",
        effect: Effect::Reads,
    };
    set.with(tool(files, list_files, list_files_run))
        .with(tool(files, list_directory, list_run))
        .with(tool(files, with_sizes, sizes_run))
}

/// What `list_files` answers: failures are answers that begin with "Error", which its callers look for.
struct Answer(Result<Told<Listing>, FilesystemError>);

impl ToolOutput for Answer {
    fn output_schema() -> Option<serde_json::Value> {
        Told::<Listing>::output_schema()
    }

    fn into_result(self) -> Result<ToolResult, towline_core::Error> {
        super::or_error(self.0)
    }
}

fn list_files_run(disk: &Disk, arguments: Arguments, job: &Job) -> Result<Answer, FilesystemError> {
    Ok(Answer(list_run(disk, arguments, job).map(|mut told| {
        told.text = format!("Contents of {}:\n{}", told.data.path, told.text);
        told
    })))
}

fn list_run(disk: &Disk, arguments: Arguments, job: &Job) -> Result<Told<Listing>, FilesystemError> {
    let Arguments { path, cursor, limit } = arguments;
    let (path, entries) = entries(disk, &path, job, false)?;
    let data = page_of(disk, path, entries, SortBy::Name, cursor.as_deref(), limit)?;
    let lines: Vec<String> =
        data.entries.iter().map(|entry| format!("{} {}", label(entry.kind), entry.name)).collect();
    let mut text = lines.join("\n");
    more(&mut text, data.next_cursor.as_ref());
    Ok(Told { text, data })
}

fn sizes_run(disk: &Disk, arguments: SizesArguments, job: &Job) -> Result<Told<Listing>, FilesystemError> {
    let SizesArguments { path, sort_by, cursor, limit } = arguments;
    let (path, entries) = entries(disk, &path, job, true)?;
    let directories = entries.iter().filter(|entry| entry.kind == Kind::Directory).count();
    let others = entries.len() - directories;
    let sum: u64 = entries.iter().filter_map(|entry| entry.size).sum();
    let data = page_of(disk, path, entries, sort_by, cursor.as_deref(), limit)?;
    let mut text = String::new();
    for Listed { name, kind, size } in &data.entries {
        let size = size.map(|size| format!("{:>10}", size_in_words(size))).unwrap_or_default();
        text.push_str(&format!("{} {name:30} {size}\n", label(*kind)));
    }
    text.push_str(&format!("\nTotal: {others} files, {directories} directories\n"));
    text.push_str(&format!("Combined size: {}", size_in_words(sum)));
    more(&mut text, data.next_cursor.as_ref());
    Ok(Told { text, data })
}

const fn label(kind: Kind) -> &'static str {
    match kind {
        Kind::Directory => "[DIR]",
        Kind::Symlink => "[LINK]",
        Kind::File | Kind::Other => "[FILE]",
    }
}

/// What is in a directory, by name, and how callers write the directory.
fn entries(
    disk: &Disk,
    path: &str,
    job: &Job,
    with_sizes: bool,
) -> Result<(String, Vec<Listed>), FilesystemError> {
    if matches!(disk.place(path)?, Place::Top) {
        let listed = |name: &String| Listed { name: name.clone(), kind: Kind::Directory, size: None };
        let mut entries: Vec<Listed> = disk.roots.iter().map(|root| listed(&root.name)).collect();
        entries.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        return Ok((".".into(), entries));
    }
    let (root, dir, path) = disk.folders(path)?.remove(0);
    let mut listed = Vec::new();
    for Entry { name, kind } in Walk::new(disk, root, job).entries(&dir, &path)? {
        let size = if with_sizes && kind == Kind::File {
            job.check()?;
            dir.symlink_metadata(&name).ok().map(|metadata| metadata.len())
        } else {
            None
        };
        listed.push(Listed { name, kind, size });
    }
    Ok((root.show(&path), listed))
}

/// The cursor is the name after which to go on; by size, the size stands before it.
fn page_of(
    disk: &Disk,
    path: String,
    mut entries: Vec<Listed>,
    sort_by: SortBy,
    cursor: Option<&str>,
    limit: Option<NonZeroUsize>,
) -> Result<Listing, FilesystemError> {
    let total = entries.len();
    let size = |entry: &Listed| Reverse(entry.size.unwrap_or(0));
    let start = match sort_by {
        SortBy::Name => {
            cursor.map_or(0, |after| entries.partition_point(|entry| entry.name.as_str() <= after))
        }
        SortBy::Size => {
            entries.sort_by_key(size);
            let after = cursor.map(|cursor| {
                let (bytes, name) = cursor.split_once('/').ok_or_else(page::unknown)?;
                Ok((Reverse(bytes.parse::<u64>().map_err(|_| page::unknown())?), name))
            });
            let after = after.transpose()?;
            after.map_or(0, |after| {
                entries.partition_point(|entry| (size(entry), entry.name.as_str()) <= after)
            })
        }
    };
    entries.drain(..start);
    let most = page::size(disk, limit);
    let is_last = entries.len() <= most;
    entries.truncate(most);
    let next_cursor = entries.last().filter(|_| !is_last).map(|entry| match sort_by {
        SortBy::Name => entry.name.clone(),
        SortBy::Size => format!("{}/{}", entry.size.unwrap_or(0), entry.name),
    });
    Ok(Listing { path, entries, total, next_cursor })
}
