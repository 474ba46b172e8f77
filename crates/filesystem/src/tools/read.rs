//! `read_text_file`, `read_multiple_files`, `read_media_file`.

use std::num::NonZeroU64;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use towline_core::protocol::{Content, ToolDefinition};
use towline_core::{Error, RawJson, ToolOutput, ToolResult, ToolSet};

use super::{About, Effect, Told, tool};
use crate::disk::{Disk, Filesystem};
use crate::error::FilesystemError;
use crate::job::Job;
use crate::read::{self, hash};
use crate::resource::{media_type, uri_of};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TextArguments {
    /// The file.
    path: String,
    /// Only that many lines from the beginning.
    head: Option<NonZeroU64>,
    /// Only that many lines from the end.
    tail: Option<NonZeroU64>,
    /// Only from this line on; the first is 1.
    start_line: Option<NonZeroU64>,
    /// Only up to this line, with it.
    end_line: Option<NonZeroU64>,
}

#[derive(Serialize, JsonSchema)]
struct Text {
    path: String,
    content: String,
    /// Whether all of the file is here.
    is_whole: bool,
    /// Of a whole file: its SHA-256, for `if_match`.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    /// Where to go on, with `start_line`, if lines are missing at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_line: Option<u64>,
    /// Whether some bytes were no UTF-8 and stand as U+FFFD: written back, they would be lost.
    is_lossy: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ManyArguments {
    /// The files.
    #[schemars(length(min = 1))]
    paths: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct Many {
    files: Vec<One>,
}

#[derive(Serialize, JsonSchema)]
struct One {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    /// Why it was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MediaArguments {
    /// The file.
    path: String,
}

/// What is told of media as data: the bytes stand in the content, once.
#[derive(Serialize, JsonSchema)]
struct MediaFacts {
    path: String,
    mime_type: &'static str,
    size: u64,
}

struct Media {
    facts: MediaFacts,
    uri: String,
    bytes: Vec<u8>,
}

pub(super) fn add(set: ToolSet, files: &Filesystem) -> ToolSet {
    let text = About {
        name: "read_text_file",
        title: "Read text file",
        description: "Reads a file as text: all of it, or with `head`, `tail`, or `start_line` and `end_line` a part.",
        effect: Effect::Reads,
    };
    let many = About {
        name: "read_multiple_files",
        title: "Read multiple files",
        description: "Reads several files as text. A file that cannot be read does not keep the others from being read.",
        effect: Effect::Reads,
    };
    let media = About {
        name: "read_media_file",
        title: "Read media file",
        description: "Reads an image or audio file, or any other file as a binary resource.",
        effect: Effect::Reads,
    };
    set.with(tool(files, text, text_run))
        .with(tool(files, many, many_run))
        .with(tool(files, media, media_run))
}

fn text_run(disk: &Disk, arguments: TextArguments, job: &Job) -> Result<Told<Text>, FilesystemError> {
    let TextArguments { path, head, tail, start_line, end_line } = arguments;
    let ways = [head.is_some(), tail.is_some(), start_line.is_some() || end_line.is_some()];
    if ways.into_iter().filter(|way| *way).count() > 1 {
        let message = "give only one of `head`, `tail`, and `start_line` with `end_line`";
        return Err(FilesystemError::Refused(message.into()));
    }
    let file = read::open(disk, &path)?;
    let (path, most) = (file.shown.clone(), disk.limits.max_read_bytes);
    let (mut is_whole, mut whole_hash, mut next_line) = (false, None, None);
    let bytes = if let Some(count) = tail {
        let (mut bytes, has_others) = file.tail(count.get(), most, job)?;
        is_whole = !has_others;
        trim_end(&mut bytes);
        bytes
    } else if ways == [false; 3] {
        is_whole = true;
        let bytes = file.all(most, job)?;
        whole_hash = Some(hash(&bytes));
        bytes
    } else {
        let from = start_line.map_or(1, NonZeroU64::get);
        let to = head.or(end_line).map(NonZeroU64::get);
        if to.is_some_and(|to| to < from) {
            return Err(FilesystemError::Refused("`end_line` must not be before `start_line`".into()));
        }
        let mut lines = file.lines(from, to, most, job)?;
        is_whole |= from == 1 && lines.next.is_none();
        next_line = lines.next;
        trim_end(&mut lines.bytes);
        lines.bytes
    };
    let (content, is_lossy) = read::text(bytes);
    let text = content.clone();
    Ok(Told { text, data: Text { path, content, is_whole, hash: whole_hash, next_line, is_lossy } })
}

/// Some lines end without the end of the last: it may be there or not.
fn trim_end(bytes: &mut Vec<u8>) {
    if bytes.ends_with(b"\n") {
        bytes.pop();
    }
}

fn many_run(disk: &Disk, arguments: ManyArguments, job: &Job) -> Result<Told<Many>, FilesystemError> {
    let ManyArguments { paths } = arguments;
    let most = disk.limits.max_files;
    if paths.len() > most {
        return Err(FilesystemError::TooLarge(format!("one call reads at most {most} files")));
    }
    let mut room = disk.limits.max_read_bytes;
    let (mut files, mut texts) = (Vec::new(), Vec::new());
    for path in paths {
        job.check()?;
        let read = read::open(disk, &path).and_then(|file| file.all(room, job));
        let one = match read {
            Ok(bytes) => {
                room -= bytes.len() as u64;
                let hash = Some(hash(&bytes));
                let content = read::text(bytes).0;
                texts.push(format!("{path}:\n{content}\n"));
                One { path, content: Some(content), hash, error: None }
            }
            Err(error @ (FilesystemError::Timeout | FilesystemError::Cancelled)) => return Err(error),
            Err(error) => {
                texts.push(format!("{path}: Error - {error}"));
                One { path, content: None, hash: None, error: Some(error.to_string()) }
            }
        };
        files.push(one);
    }
    Ok(Told { text: texts.join("\n---\n"), data: Many { files } })
}

fn media_run(disk: &Disk, arguments: MediaArguments, job: &Job) -> Result<Media, FilesystemError> {
    let MediaArguments { path } = arguments;
    let file = read::open(disk, &path)?;
    let path = file.shown.clone();
    let bytes = file.all(disk.limits.max_media_bytes, job)?;
    let (uri, mime_type) = (uri_of(&path), media_type(&path));
    Ok(Media { facts: MediaFacts { path, mime_type, size: bytes.len() as u64 }, uri, bytes })
}

impl ToolOutput for Media {
    fn output_schema() -> Option<Value> {
        ToolDefinition::new("", "").with_output::<MediaFacts>().output_schema
    }

    fn into_result(self) -> Result<ToolResult, Error> {
        let Self { facts, uri, bytes } = self;
        let content = match facts.mime_type.split('/').next() {
            Some("image") => Content::image(&bytes, facts.mime_type),
            Some("audio") => Content::audio(&bytes, facts.mime_type),
            _ => Content::embedded_blob(uri, facts.mime_type, &bytes),
        };
        Ok(ToolResult::new([content]).with_structured(RawJson::from_value(&facts)?))
    }
}
