//! `get_file_info`, `list_allowed_directories`.

use cap_std::fs::PermissionsExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use towline_core::ToolSet;

use super::{About, Effect, Told, tool};
use crate::date::rfc3339;
use crate::disk::{Disk, Filesystem};
use crate::error::FilesystemError;
use crate::job::Job;
use crate::read;
use crate::root::Last;
use crate::walk::Kind;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The file or directory.
    path: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoArguments {}

#[derive(Serialize, JsonSchema)]
struct Info {
    path: String,
    #[serde(rename = "type")]
    kind: Kind,
    /// Bytes.
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accessed: Option<String>,
    /// As `chmod` takes them.
    permissions: String,
    /// Of a file that is not too large: its SHA-256, for `if_match`.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Allowed {
    directories: Vec<Directory>,
}

#[derive(Serialize, JsonSchema)]
struct Directory {
    name: String,
    /// How paths in it begin.
    path: String,
    read_only: bool,
}

pub(super) fn add(set: ToolSet, files: &Filesystem) -> ToolSet {
    let info = About {
        name: "get_file_info",
        title: "Get file info",
        description: "Tells the size, the times, the permissions and the hash of a file or directory.",
        effect: Effect::Reads,
    };
    let allowed = About {
        name: "list_allowed_directories",
        title: "List allowed directories",
        description: "Lists the directories that this server gives access to.",
        effect: Effect::Reads,
    };
    set.with(tool(files, info, info_run)).with(tool(files, allowed, allowed_run))
}

fn info_run(disk: &Disk, arguments: Arguments, job: &Job) -> Result<Told<Info>, FilesystemError> {
    let Arguments { path } = arguments;
    let (root, at) = disk.locate(&path, Last::Follow)?;
    let path = root.show(&at.path);
    let Some(metadata) = &at.metadata else { return Err(FilesystemError::NotFound { path }) };
    let kind = match () {
        () if metadata.is_file() => Kind::File,
        () if metadata.is_dir() => Kind::Directory,
        () => Kind::Other,
    };
    let is_hashed = kind == Kind::File && metadata.len() <= disk.limits.max_read_bytes;
    let hash = match is_hashed {
        // What may be looked at but not read has no hash.
        true => read::open_at(root, &at).ok().map(|file| file.hash(job)).transpose()?,
        false => None,
    };
    let time = |time: std::io::Result<_>| time.ok().and_then(rfc3339);
    let data = Info {
        path,
        kind,
        size: metadata.len(),
        created: time(metadata.created()),
        modified: time(metadata.modified()),
        accessed: time(metadata.accessed()),
        permissions: format!("{:03o}", metadata.permissions().mode() & 0o777),
        hash,
    };
    let unknown = || "unknown".to_owned();
    let text = format!(
        "size: {}\ncreated: {}\nmodified: {}\naccessed: {}\nisDirectory: {}\nisFile: {}\npermissions: {}",
        data.size,
        data.created.clone().unwrap_or_else(unknown),
        data.modified.clone().unwrap_or_else(unknown),
        data.accessed.clone().unwrap_or_else(unknown),
        kind == Kind::Directory,
        kind == Kind::File,
        data.permissions,
    );
    Ok(Told { text, data })
}

fn allowed_run(disk: &Disk, _: NoArguments, _: &Job) -> Result<Told<Allowed>, FilesystemError> {
    let directory = |root: &crate::root::Root| Directory {
        name: root.name.clone(),
        path: root.show(""),
        read_only: root.read_only,
    };
    let directories: Vec<Directory> = disk.roots.iter().map(directory).collect();
    let mut text = "Allowed directories:".to_owned();
    for Directory { path, read_only, .. } in &directories {
        text.push_str(&format!("\n{path}{}", if *read_only { " (read-only)" } else { "" }));
    }
    Ok(Told { text, data: Allowed { directories } })
}
