//! Replaces files whole, or not at all.

use std::io::{self, Write};
use std::sync::PoisonError;

use cap_fs_ext::MetadataExt;
use cap_std::fs::{Dir, File, Metadata, OpenOptions};
use rustix::fs::{RenameFlags, renameat_with};

use crate::disk::Disk;
use crate::error::FilesystemError;
use crate::job::Job;
use crate::policy::TEMPORARY;
use crate::read;
use crate::root::{Last, Located, Root};

/// What `if_match` says where there must be no file.
pub(crate) const ABSENT: &str = "absent";

/// What was written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) shown: String,
    pub(crate) hash: String,
    pub(crate) is_new: bool,
}

/// Walks to a place that is to be changed.
pub(crate) fn locate<'a>(
    disk: &'a Disk,
    path: &str,
    last: Last,
) -> Result<(&'a Root, Located), FilesystemError> {
    let (root, at) = disk.locate(path, last)?;
    if root.read_only {
        return Err(FilesystemError::ReadOnly { path: root.show(&at.path) });
    }
    Ok((root, at))
}

/// Makes a file's content of what `change` makes of the present one, if there is one.
///
/// What is read is what is replaced, as far as callers of this server go: no other write comes in between.
pub(crate) fn replace(
    disk: &Disk,
    job: &Job,
    path: &str,
    if_match: Option<&str>,
    change: impl FnOnce(Option<Vec<u8>>) -> Result<Vec<u8>, FilesystemError>,
    needs_present: bool,
) -> Result<Written, FilesystemError> {
    let _writing = disk.writing.lock().unwrap_or_else(PoisonError::into_inner);
    job.check()?;
    let (root, at) = locate(disk, path, Last::Follow)?;
    let shown = root.show(&at.path);
    if let Some(metadata) = &at.metadata {
        check_replaceable(metadata, &shown)?;
    }
    let hash = match (&at.metadata, if_match) {
        (Some(_), Some(wanted)) if wanted != ABSENT => Some(read::open_at(root, &at)?.hash(job)?),
        _ => None,
    };
    let is_as_expected = match if_match {
        None => true,
        Some(ABSENT) => at.metadata.is_none(),
        Some(wanted) => hash.is_some_and(|hash| hash.eq_ignore_ascii_case(wanted)),
    };
    if !is_as_expected {
        return Err(FilesystemError::Conflict { path: shown });
    }
    let present = match (&at.metadata, needs_present) {
        (Some(_), true) => Some(read::open_at(root, &at)?.all(disk.limits.max_read_bytes, job)?),
        _ => None,
    };
    let content = change(present)?;
    let most = disk.limits.max_write_bytes;
    if content.len() as u64 > most {
        return Err(FilesystemError::TooLarge(format!("more than {most} bytes cannot be written at once")));
    }
    let name = at.name.as_deref().ok_or_else(|| is_directory(&shown))?;
    let is_new = at.metadata.is_none();
    write_over(&at.dir, name, &content, at.metadata.as_ref(), job)
        .map_err(|error| FilesystemError::io(&shown, error))?;
    Ok(Written { shown, hash: read::hash(&content), is_new })
}

/// A file with another name somewhere is not written: the other may be outside of the root.
fn check_replaceable(metadata: &Metadata, shown: &str) -> Result<(), FilesystemError> {
    if metadata.is_dir() {
        return Err(is_directory(shown));
    }
    if !metadata.is_file() {
        return Err(FilesystemError::Refused(format!("`{shown}` is no plain file")));
    }
    if metadata.nlink() > 1 {
        let message = format!("`{shown}` has other names (hard links), so it is not written");
        return Err(FilesystemError::Refused(message));
    }
    if metadata.permissions().readonly() {
        return Err(FilesystemError::Refused(format!("`{shown}` is write-protected")));
    }
    Ok(())
}

fn is_directory(shown: &str) -> FilesystemError {
    FilesystemError::Refused(format!("`{shown}` is a directory, not a file"))
}

/// A file under its hidden name, which is gone if it is not renamed.
struct Temporary<'a> {
    dir: &'a Dir,
    name: String,
    is_done: bool,
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            // If it cannot be removed, it stays hidden: there is nobody to tell.
            let _ = self.dir.remove_file(&self.name);
        }
    }
}

fn write_over(dir: &Dir, name: &str, content: &[u8], before: Option<&Metadata>, job: &Job) -> io::Result<()> {
    let (mut file, mut temporary) = temporary(dir)?;
    for chunk in content.chunks(1 << 20) {
        job.check().map_err(io::Error::other)?;
        file.write_all(chunk)?;
    }
    if let Some(before) = before {
        file.set_permissions(before.permissions())?;
    }
    file.sync_all()?;
    match before {
        Some(_) => dir.rename(&temporary.name, dir, name)?,
        // What another process has put there since is not replaced.
        None => rename_new(dir, &temporary.name, dir, name)?,
    }
    temporary.is_done = true;
    sync_dir(dir);
    Ok(())
}

fn temporary(dir: &Dir) -> io::Result<(File, Temporary<'_>)> {
    loop {
        let name = format!("{}{:016x}{}", TEMPORARY.0, fastrand::u64(..), TEMPORARY.1);
        match dir.open_with(&name, OpenOptions::new().write(true).create_new(true)) {
            Ok(file) => return Ok((file, Temporary { dir, name, is_done: false })),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Renames, if nothing has the new name.
pub(crate) fn rename_new(from: &Dir, old: &str, to: &Dir, new: &str) -> io::Result<()> {
    match renameat_with(from, old, to, new, RenameFlags::NOREPLACE) {
        // Some disks cannot do it in one step, and then a look before the rename has to do.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            if to.symlink_metadata(new).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            from.rename(old, to, new)
        }
        other => Ok(other?),
    }
}

/// Brings a rename to the disk. The file is whole in any case, so a disk that cannot do this fails nothing.
pub(crate) fn sync_dir(dir: &Dir) {
    if let Ok(dir) = dir.open(".") {
        let _ = dir.sync_all();
    }
}
