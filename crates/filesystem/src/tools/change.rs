//! `write_file`, `create_directory`, `move_file`.

use std::io;
use std::sync::PoisonError;

use cap_fs_ext::DirExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use towline_core::{Error, ToolOutput, ToolResult, ToolSet};

use super::{About, Effect, Told, or_error, tool};
use crate::disk::{Disk, Filesystem, Place};
use crate::error::FilesystemError;
use crate::job::Job;
use crate::root::Last;
use crate::walk::push;
use crate::write::{self, Written, rename_new, sync_dir};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WriteArguments {
    /// The file; it is made, or replaced as a whole.
    path: String,
    /// All that it is to hold.
    content: String,
    /// Writes only if the file still has this SHA-256, as a read told it; `absent`: only if there is none.
    if_match: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Wrote {
    path: String,
    bytes: usize,
    /// Its SHA-256, for `if_match`.
    hash: String,
    /// Whether there was no such file.
    is_new: bool,
}

struct Answer(Result<Told<Wrote>, FilesystemError>);

impl ToolOutput for Answer {
    fn output_schema() -> Option<Value> {
        Told::<Wrote>::output_schema()
    }

    fn into_result(self) -> Result<ToolResult, Error> {
        or_error(self.0)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateArguments {
    /// The directory; those around it are made too.
    path: String,
}

#[derive(Serialize, JsonSchema)]
struct Created {
    path: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MoveArguments {
    /// What to move.
    source: String,
    /// Its new path; nothing may be there.
    destination: String,
}

#[derive(Serialize, JsonSchema)]
struct Moved {
    source: String,
    destination: String,
}

pub(super) fn add(set: ToolSet, files: &Filesystem) -> ToolSet {
    let write = About {
        name: "write_file",
        title: "Write file",
        description: "Makes a file, or replaces all of it. To change a part, use edit_file.",
        effect: Effect::Replaces,
    };
    let create = About {
        name: "create_directory",
        title: "Create directory",
        description: "Makes a directory, and those around it. One that is there stays as it is.",
        effect: Effect::Adds,
    };
    let rename = About {
        name: "move_file",
        title: "Move file",
        description: "Moves or renames a file or directory. It fails if there is something at the destination.",
        effect: Effect::Changes,
    };
    set.with(tool(files, write, write_run))
        .with(tool(files, create, create_run))
        .with(tool(files, rename, move_run))
}

fn write_run(disk: &Disk, arguments: WriteArguments, job: &Job) -> Result<Answer, FilesystemError> {
    let WriteArguments { path, content, if_match } = arguments;
    let bytes = content.len();
    let written = write::replace(disk, job, &path, if_match.as_deref(), |_| Ok(content.into_bytes()), false);
    Ok(Answer(written.map(|Written { shown: path, hash, is_new }| {
        let text = format!("Successfully wrote {bytes} bytes to {path}");
        Told { text, data: Wrote { path, bytes, hash, is_new } }
    })))
}

fn create_run(disk: &Disk, arguments: CreateArguments, job: &Job) -> Result<Told<Created>, FilesystemError> {
    let CreateArguments { path } = arguments;
    let Place::In(root, parts) = disk.place(&path)? else {
        return Err(FilesystemError::Refused("directories are made in one of those that are there".into()));
    };
    if root.read_only {
        return Err(FilesystemError::ReadOnly { path: root.show(&parts.join("/")) });
    }
    if parts.len() > disk.limits.max_depth {
        return Err(FilesystemError::TooLarge("the directory would lie too deep".into()));
    }
    let mut shown = root.show("");
    for end in 1..=parts.len() {
        job.check()?;
        let at = root.locate(&parts[..end], Last::Follow, &disk.policy)?;
        shown = root.show(&at.path);
        let failed = |error| FilesystemError::io(&shown, error);
        match (&at.metadata, &at.name) {
            (Some(metadata), _) if metadata.is_dir() => {}
            (None, Some(name)) => match at.dir.create_dir(name) {
                // Somebody else made it meanwhile; the next step sees whether it is a directory.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
                Ok(()) => sync_dir(&at.dir),
            },
            _ => return Err(FilesystemError::Refused(format!("`{shown}` is there, and is no directory"))),
        }
    }
    Ok(Told { text: format!("Successfully created directory {shown}"), data: Created { path: shown } })
}

fn move_run(disk: &Disk, arguments: MoveArguments, job: &Job) -> Result<Told<Moved>, FilesystemError> {
    let MoveArguments { source, destination } = arguments;
    let _writing = disk.writing.lock().unwrap_or_else(PoisonError::into_inner);
    let (from_root, from) = write::locate(disk, &source, Last::Keep)?;
    let (to_root, to) = write::locate(disk, &destination, Last::Keep)?;
    let (source, destination) = (from_root.show(&from.path), to_root.show(&to.path));
    let Some(metadata) = &from.metadata else { return Err(FilesystemError::NotFound { path: source }) };
    let (Some(old), Some(new)) = (&from.name, &to.name) else {
        return Err(FilesystemError::Refused("a root cannot be moved or replaced".into()));
    };
    if to.metadata.is_some() {
        return Err(FilesystemError::Refused(format!("there is something at `{destination}` already")));
    }
    if metadata.is_dir() && disk.policy.has_globs() {
        // Below another path, other globs would hold: what is kept must not come to light by a move.
        let dir = from.dir.open_dir_nofollow(old).map_err(|error| FilesystemError::io(&source, error))?;
        let kept = keeps_something(disk, &dir, &from.path, job)?;
        if kept {
            return Err(FilesystemError::Kept { path: source });
        }
    }
    rename_new(&from.dir, old, &to.dir, new).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            FilesystemError::Refused(format!("there is something at `{destination}` already"))
        }
        io::ErrorKind::InvalidInput => {
            FilesystemError::Refused(format!("`{source}` cannot be moved into itself"))
        }
        _ => FilesystemError::io(&destination, error),
    })?;
    sync_dir(&to.dir);
    sync_dir(&from.dir);
    let text = format!("Successfully moved {source} to {destination}");
    Ok(Told { text, data: Moved { source, destination } })
}

/// Whether something below a folder is kept from callers by a glob.
fn keeps_something(
    disk: &Disk,
    dir: &cap_std::fs::Dir,
    path: &str,
    job: &Job,
) -> Result<bool, FilesystemError> {
    let mut folders =
        vec![(dir.try_clone().map_err(|error| FilesystemError::io(path, error))?, path.to_owned())];
    let mut scanned = 0;
    while let Some((dir, path)) = folders.pop() {
        for entry in dir.entries().map_err(|error| FilesystemError::io(&path, error))? {
            job.check()?;
            scanned += 1;
            if scanned > disk.limits.max_scanned || folders.len() > disk.limits.max_scanned {
                return Err(FilesystemError::TooLarge(
                    "there is too much in it to look whether it may be moved".into(),
                ));
            }
            let entry = entry.map_err(|error| FilesystemError::io(&path, error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let mut full = String::new();
            push(&mut full, &path, &name);
            if disk.policy.denies(&full) {
                return Ok(true);
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let below = dir.open_dir_nofollow(entry.file_name());
                folders.push((below.map_err(|error| FilesystemError::io(&full, error))?, full));
            }
        }
    }
    Ok(false)
}
