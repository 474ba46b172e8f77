//! The tools.

mod change;
mod edit;
mod grep;
mod info;
mod list;
mod page;
mod read;
mod search;
mod tree;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use towline_core::protocol::{ToolAnnotations, ToolDefinition};
use towline_core::{Error, ErrorKind, RawJson, Tool, ToolOutput, ToolResult, ToolSet, tool_fn};

use crate::disk::{Disk, Filesystem};
use crate::error::FilesystemError;
use crate::job::Job;

/// The tools for these folders: those that write only if one of the folders may be written.
pub fn tools(files: &Filesystem) -> ToolSet {
    let set = ToolSet::new();
    let set = list::add(set, files);
    let set = read::add(set, files);
    let set = tree::add(set, files);
    let set = search::add(set, files);
    let set = grep::add(set, files);
    let set = info::add(set, files);
    if files.is_read_only() {
        return set;
    }
    edit::add(change::add(set, files), files)
}

/// What a tool says, as text and as data.
#[derive(Debug)]
pub(crate) struct Told<T> {
    pub(crate) text: String,
    pub(crate) data: T,
}

impl<T: Serialize + JsonSchema> ToolOutput for Told<T> {
    fn output_schema() -> Option<Value> {
        ToolDefinition::new("", "").with_output::<T>().output_schema
    }

    fn into_result(self) -> Result<ToolResult, Error> {
        Ok(ToolResult::text(self.text).with_structured(RawJson::from_value(&self.data)?))
    }
}

/// What a tool is called, and what it does to files.
#[derive(Clone, Copy)]
pub(crate) struct About {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    pub(crate) effect: Effect,
}

/// What a tool does to files.
#[derive(Clone, Copy)]
pub(crate) enum Effect {
    Reads,
    /// It may destroy something, and doing it twice is as doing it once.
    Replaces,
    /// It may destroy something, and again the second time.
    Changes,
    /// It destroys nothing, and doing it twice is as doing it once.
    Adds,
}

impl Effect {
    fn annotations(self) -> ToolAnnotations {
        let mut annotations = ToolAnnotations::read_only();
        if !matches!(self, Self::Reads) {
            annotations.read_only_hint = Some(false);
            annotations.destructive_hint = Some(!matches!(self, Self::Adds));
            annotations.idempotent_hint = Some(!matches!(self, Self::Changes));
        }
        annotations
    }
}

/// A tool that does its work on the disk.
pub(crate) fn tool<A, O>(
    files: &Filesystem,
    about: About,
    run: fn(&Disk, A, &Job) -> Result<O, FilesystemError>,
) -> impl Tool
where
    A: DeserializeOwned + JsonSchema + Send + 'static,
    O: ToolOutput + Send + 'static,
{
    let files = Arc::new(files.clone());
    let call = move |arguments: A| {
        let files = Arc::clone(&files);
        async move { files.run(move |disk, job| run(disk, arguments, job)).await }
    };
    tool_fn(about.name, about.description, call)
        .define(|definition| definition.with_title(about.title).with_annotations(about.effect.annotations()))
}

/// Makes a failure an answer that begins with "Error", for the tools whose callers look for that.
pub(crate) fn or_error<T>(told: Result<Told<T>, FilesystemError>) -> Result<ToolResult, Error>
where
    T: Serialize + JsonSchema,
{
    let error = match told {
        Ok(told) => return told.into_result(),
        Err(error) => Error::from(error),
    };
    match error.kind() {
        ErrorKind::InvalidParams | ErrorKind::TooLarge => Ok(ToolResult::error(format!("Error: {error}"))),
        _ => Err(error),
    }
}

/// What tools say of a size.
pub(crate) fn size_in_words(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.2} {}", UNITS[unit])
}
