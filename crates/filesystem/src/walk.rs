//! What lies in folders, in the order of names.

use std::ops::ControlFlow;

use cap_fs_ext::DirExt;
use cap_std::fs::Dir;
use schemars::JsonSchema;
use serde::Serialize;

use crate::disk::Disk;
use crate::error::FilesystemError;
use crate::job::Job;
use crate::root::Root;

/// What something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    File,
    Directory,
    /// A link, wherever it leads.
    Symlink,
    /// A FIFO, a socket or a device.
    Other,
}

/// Something in a folder.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// Looks at folders for one call, and counts what it looks at.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    disk: &'a Disk,
    job: &'a Job,
    root: &'a Root,
    scanned: usize,
}

/// Where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Into,
    Past,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(disk: &'a Disk, root: &'a Root, job: &'a Job) -> Self {
        Self { disk, job, root, scanned: 0 }
    }

    /// What callers may see of a folder, by name. What has a name that is no UTF-8 cannot be named by a caller and is left
    /// out.
    pub(crate) fn entries(&mut self, dir: &Dir, path: &str) -> Result<Vec<Entry>, FilesystemError> {
        let mut entries = Vec::new();
        let mut full = String::new();
        let failed = |error| FilesystemError::io(&self.root.show(path), error);
        for entry in dir.entries().map_err(failed)? {
            self.job.check()?;
            self.scanned += 1;
            let most = self.disk.limits.max_scanned;
            if self.scanned > most {
                let message = format!("there are more than {most} files and directories: begin further down");
                return Err(FilesystemError::TooLarge(message));
            }
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            full.clear();
            push(&mut full, path, &name);
            if self.disk.policy.keeps(&name, &full) {
                continue;
            }
            // What is gone by now is not there.
            let Ok(kind) = entry.file_type() else { continue };
            let kind = match () {
                () if kind.is_file() => Kind::File,
                () if kind.is_dir() => Kind::Directory,
                () if kind.is_symlink() => Kind::Symlink,
                () => Kind::Other,
            };
            entries.push(Entry { name, kind });
        }
        entries.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    /// Visits all that lies below a folder, a folder before what lies in it, and follows no link. Folders that cannot be read
    /// are passed over, as are those too deep.
    ///
    /// `visit` gets the folder, what lies in it, and its path in the root.
    pub(crate) fn below<B>(
        &mut self,
        dir: &Dir,
        path: &str,
        visit: &mut impl FnMut(&Dir, &Entry, &str) -> Result<ControlFlow<B, Next>, FilesystemError>,
    ) -> Result<ControlFlow<B>, FilesystemError> {
        self.level(dir, path, 0, visit)
    }

    fn level<B>(
        &mut self,
        dir: &Dir,
        path: &str,
        depth: usize,
        visit: &mut impl FnMut(&Dir, &Entry, &str) -> Result<ControlFlow<B, Next>, FilesystemError>,
    ) -> Result<ControlFlow<B>, FilesystemError> {
        for entry in self.entries(dir, path)? {
            self.job.check()?;
            let mut full = String::new();
            push(&mut full, path, &entry.name);
            match visit(dir, &entry, &full)? {
                ControlFlow::Break(value) => return Ok(ControlFlow::Break(value)),
                ControlFlow::Continue(Next::Past) => continue,
                ControlFlow::Continue(Next::Into) => {}
            }
            if entry.kind != Kind::Directory || depth + 1 >= self.disk.limits.max_depth {
                continue;
            }
            let Ok(below) = dir.open_dir_nofollow(&entry.name) else { continue };
            match self.level(&below, &full, depth + 1, visit) {
                Ok(ControlFlow::Continue(()))
                | Err(FilesystemError::Io { .. } | FilesystemError::NotFound { .. }) => {}
                other => return other,
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Puts a path and a name together.
pub(crate) fn push(full: &mut String, path: &str, name: &str) {
    if !path.is_empty() {
        full.push_str(path);
        full.push('/');
    }
    full.push_str(name);
}
