//! The folder on disk. Nothing here can reach out of it: all is opened relative to it, link by link, by cap-std.

use std::io::{self, Read};
use std::path::{Component, Path};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata};

use crate::error::SkillsError;
use crate::place::Place;

/// The folder, and how much of it has been looked at.
pub(super) struct Source {
    root: Dir,
    entries: usize,
    max_entries: usize,
}

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File,
}

impl Source {
    pub(super) fn open(path: &Path, max_entries: usize) -> Result<Self, SkillsError> {
        let root = Dir::open_ambient_dir(path, ambient_authority());
        Ok(Self { root: root.map_err(|error| SkillsError::io("", error))?, entries: 0, max_entries })
    }

    /// The names of what lies in a folder, in order, without those that begin with a dot.
    pub(super) fn names(&mut self, place: &Place) -> Result<Vec<String>, SkillsError> {
        let failed = |error| SkillsError::io(&place.path, error);
        let path = if place.is_root() { "." } else { &place.path };
        let mut names = Vec::new();
        for entry in self.root.read_dir(path).map_err(failed)? {
            self.entries += 1;
            if self.entries > self.max_entries {
                let limit = self.max_entries;
                let problem =
                    format!("is where more than {limit} files and folders are found (`max_entries`)");
                return Err(SkillsError::new(&place.path, problem));
            }
            let name = entry.map_err(failed)?.file_name();
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let name = name.into_string().map_err(|name| {
                let path = place.join(&name.to_string_lossy()).path;
                SkillsError::new(&path, "has a name that is not UTF-8")
            })?;
            names.push(name);
        }
        names.sort_unstable();
        Ok(names)
    }

    /// What stands at a place; for a link, what it leads to.
    pub(super) fn kind(&self, place: &Place) -> Result<Kind, SkillsError> {
        let metadata = self.root.symlink_metadata(&place.path);
        let metadata = metadata.map_err(|error| SkillsError::io(&place.path, error))?;
        if metadata.is_symlink() {
            return self.link(place);
        }
        kind(&metadata).ok_or_else(|| {
            SkillsError::new(&place.path, "is neither a file nor a folder, so it cannot be served")
        })
    }

    /// What a link leads to: only a file that would be served at its own place too.
    fn link(&self, place: &Place) -> Result<Kind, SkillsError> {
        let refuse = |problem: &str| Err(SkillsError::new(&place.path, problem));
        let target = match self.root.canonicalize(&place.path) {
            Ok(target) => target,
            // So cap-std says that a path leads out; what the system refuses has a number.
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none() =>
            {
                return refuse(
                    "is a link that leaves the folder of skills; a link in it must be relative, to a file in it",
                );
            }
            Err(error) => return Err(SkillsError::io(&place.path, error)),
        };
        let is_hidden = |part: Component<'_>| match part {
            Component::Normal(name) => name.as_encoded_bytes().starts_with(b"."),
            _ => false,
        };
        if target.components().any(is_hidden) {
            return refuse("is a link to a hidden file");
        }
        let metadata = self.root.metadata(&target).map_err(|error| SkillsError::io(&place.path, error))?;
        match kind(&metadata) {
            Some(Kind::File) => Ok(Kind::File),
            Some(Kind::Folder) => refuse("is a link to a folder, which could go round in a circle"),
            None => refuse("is a link to what is neither a file nor a folder"),
        }
    }

    /// The content of a file.
    pub(super) fn read(&self, place: &Place, max_bytes: u64) -> Result<Vec<u8>, SkillsError> {
        let failed = |error| SkillsError::io(&place.path, error);
        let file = self.root.open(&place.path).map_err(failed)?;
        let mut content = Vec::new();
        // Not its size: that may change while it is read.
        file.take(max_bytes.saturating_add(1)).read_to_end(&mut content).map_err(failed)?;
        if content.len() as u64 > max_bytes {
            let problem = format!("has more than {max_bytes} bytes (`max_file_bytes`)");
            return Err(SkillsError::new(&place.path, problem));
        }
        Ok(content)
    }
}

fn kind(metadata: &Metadata) -> Option<Kind> {
    if metadata.is_dir() { Some(Kind::Folder) } else { metadata.is_file().then_some(Kind::File) }
}
