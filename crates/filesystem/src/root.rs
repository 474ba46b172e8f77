//! A folder, and the only way to what lies in it.
//!
//! A path is walked part by part. Each part is opened relative to the folder before it and never through a link; a link is
//! read, and its parts are walked like those that the caller sent. So the folder in hand is always one that lies in the
//! root, by a path that is known and was held against the [`Policy`], whatever others do with links meanwhile.

use std::collections::VecDeque;
use std::io;
use std::path::{Component, Path, PathBuf};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, Metadata, MetadataExt, OpenOptions};

use crate::config::{ConfigError, RootConfig};
use crate::error::FilesystemError;
use crate::policy::Policy;

/// As many links as one path may lead through: as the system has it.
const MAX_LINKS: usize = 40;

/// A folder that is served.
#[derive(Debug)]
pub(crate) struct Root {
    pub(crate) name: String,
    pub(crate) read_only: bool,
    dir: Dir,
    /// As it was given, and as it is without links: callers may send paths that begin with either.
    pub(crate) given: PathBuf,
    pub(crate) real: PathBuf,
    /// Goes before paths in answers: empty if there is one root, `NAME/` if there are several.
    pub(crate) prefix: String,
}

/// A place in a root: the folder around it, opened, and the name in it.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) dir: Dir,
    /// None for the root itself.
    pub(crate) name: Option<String>,
    /// Where it is without links, relative to the root; empty for the root itself.
    pub(crate) path: String,
    /// None if there is nothing.
    pub(crate) metadata: Option<Metadata>,
}

/// What to do with a link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    Follow,
    Keep,
}

impl Root {
    pub(crate) fn open(config: &RootConfig, key: &str) -> Result<Self, ConfigError> {
        let wrong = |problem: &str| ConfigError::new(format!("{key}.path"), problem);
        let failed = |error: &io::Error| {
            wrong(match error.kind() {
                io::ErrorKind::NotFound => "there is no such directory",
                io::ErrorKind::NotADirectory => "is no directory",
                io::ErrorKind::PermissionDenied => "cannot be read: permission denied",
                _ => "cannot be read",
            })
        };
        let given = std::path::absolute(&config.path).map_err(|error| failed(&error))?;
        let real = given.canonicalize().map_err(|error| failed(&error))?;
        let dir = Dir::open_ambient_dir(&real, ambient_authority()).map_err(|error| failed(&error))?;
        dir.entries().and_then(|mut entries| entries.next().transpose()).map_err(|error| failed(&error))?;
        let from_path = || real.file_name().and_then(|name| name.to_str()).unwrap_or("root").to_owned();
        let name = config.name.clone().unwrap_or_else(from_path);
        if matches!(name.as_str(), "" | "." | "..") || name.contains(['/', '\\', '\0']) {
            let problem = "must be a name without `/`";
            return Err(ConfigError::new(format!("{key}.name"), problem));
        }
        Ok(Self { name, read_only: config.read_only, dir, given, real, prefix: String::new() })
    }

    /// Reads of it, and tells which folder it is: the device, and its number there.
    pub(crate) fn look(&self) -> io::Result<(u64, u64)> {
        self.dir.entries()?.next().transpose()?;
        let metadata = self.dir.dir_metadata()?;
        if metadata.nlink() == 0 {
            // A removed one can still be read, and is empty.
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok((metadata.dev(), metadata.ino()))
    }

    /// How callers write a path in this root.
    pub(crate) fn show(&self, path: &str) -> String {
        match (self.prefix.as_str(), path) {
            ("", "") => ".".into(),
            (prefix, "") => prefix.trim_end_matches('/').into(),
            (prefix, path) => format!("{prefix}{path}"),
        }
    }

    /// Walks to a place.
    pub(crate) fn locate(
        &self,
        parts: &[String],
        last: Last,
        policy: &Policy,
    ) -> Result<Located, FilesystemError> {
        let asked = || self.show(&parts.join("/"));
        let mut queue: VecDeque<String> = parts.iter().cloned().collect();
        let mut names: Vec<String> = Vec::new();
        let mut dirs = vec![self.reopen()?];
        let mut links = 0;
        while let Some(part) = queue.pop_front() {
            if part == ".." {
                // Only links have these; one that leads above the root leads out.
                if names.pop().is_none() {
                    return Err(FilesystemError::Outside { path: asked() });
                }
                dirs.pop();
                continue;
            }
            names.push(part);
            let path = names.join("/");
            let name = names.last().expect("one was pushed").as_str();
            if policy.keeps(name, &path) {
                return Err(FilesystemError::Kept { path: self.show(&path) });
            }
            let dir = dirs.last().expect("the root stays");
            let is_last = queue.is_empty();
            let metadata = match dir.symlink_metadata(name) {
                Ok(metadata) => Some(metadata),
                Err(error) if error.kind() == io::ErrorKind::NotFound && is_last => None,
                Err(error) => return Err(FilesystemError::io(&self.show(&path), error)),
            };
            if metadata.as_ref().is_some_and(Metadata::is_symlink) && !(is_last && last == Last::Keep) {
                links += 1;
                if links > MAX_LINKS {
                    let source = rustix::io::Errno::LOOP.into();
                    return Err(FilesystemError::io(&asked(), source));
                }
                let target = dir.read_link_contents(name);
                let target = target.map_err(|error| FilesystemError::io(&self.show(&path), error))?;
                names.pop();
                let inside = if target.has_root() {
                    // As the official server has it, a link may name a place in the root by its whole path.
                    names.clear();
                    dirs.truncate(1);
                    self.within(&target)
                } else {
                    Some(target.as_path())
                };
                let outside = || FilesystemError::Outside { path: asked() };
                for part in parts_of(inside.ok_or_else(outside)?).ok_or_else(outside)?.into_iter().rev() {
                    queue.push_front(part);
                }
                continue;
            }
            if is_last {
                let name = names.pop();
                let dir = dirs.pop().expect("the root stays");
                return Ok(Located { dir, name, path, metadata });
            }
            let next = dir.open_dir_nofollow(name);
            dirs.push(next.map_err(|error| FilesystemError::io(&self.show(&path), error))?);
        }
        // The way ended at a folder that is open already: the root, or where a link with `..` led.
        let dir = dirs.pop().expect("the root stays");
        let path = names.join("/");
        let metadata = dir.dir_metadata().map_err(|error| FilesystemError::io(&self.show(&path), error))?;
        Ok(Located { dir, name: None, path, metadata: Some(metadata) })
    }

    fn reopen(&self) -> Result<Dir, FilesystemError> {
        self.dir.try_clone().map_err(|error| FilesystemError::io(&self.show(""), error))
    }

    /// What of a path from the machine's root lies in this root.
    pub(crate) fn within<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        path.strip_prefix(&self.real).or_else(|_| path.strip_prefix(&self.given)).ok()
    }
}

impl Located {
    /// Opens the folder at this place.
    pub(crate) fn open_dir(&self) -> io::Result<Dir> {
        match &self.name {
            Some(name) => self.dir.open_dir_nofollow(name),
            None => self.dir.try_clone(),
        }
    }

    /// Opens the file at this place: a plain file and nothing else.
    pub(crate) fn open_file(&self) -> io::Result<(File, Metadata)> {
        let name = self.name.as_deref().ok_or(io::ErrorKind::IsADirectory)?;
        open_file(&self.dir, name)
    }
}

/// Opens a plain file in a folder. A FIFO or a device would make the reader wait, or do something.
pub(crate) fn open_file(dir: &Dir, name: &str) -> io::Result<(File, Metadata)> {
    // Opening alone can have an effect, such as rewinding a tape, so a device is not opened if it can be told before.
    let before = dir.symlink_metadata(name)?;
    refuse_special(&before)?;
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No).nonblock(true);
    let file = dir.open_with(name, &options)?;
    let metadata = file.metadata()?;
    refuse_special(&metadata)?;
    Ok((file, metadata))
}

fn refuse_special(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if metadata.is_symlink() {
        return Err(rustix::io::Errno::LOOP.into());
    }
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(())
}

/// The parts of a path, with `..` as they stand. None if there is one that cannot be.
fn parts_of(path: &Path) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?.to_owned()),
            Component::ParentDir => parts.push("..".into()),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts)
}
