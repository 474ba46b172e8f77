//! All roots together: from what callers write to a place, and back.

use std::path::Path;
use std::sync::{Arc, Mutex};

use cap_std::fs::Dir;
use tokio::sync::Semaphore;
use towline_core::Error;

use crate::config::{ConfigError, FilesystemConfig};
use crate::error::FilesystemError;
use crate::job::{self, Job};
use crate::limits::Limits;
use crate::policy::Policy;
use crate::root::{Last, Located, Root};

/// Longer paths are refused before they are looked at: no system has them.
const MAX_PATH: usize = 4096;

/// Folders that callers may read, and perhaps write. A clone is a handle to the same.
#[derive(Clone, Debug)]
pub struct Filesystem {
    pub(crate) disk: Arc<Disk>,
    permits: Arc<Semaphore>,
}

/// What a call works on.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) roots: Vec<Root>,
    pub(crate) policy: Policy,
    pub(crate) limits: Limits,
    /// Held from looking at what is there to replacing it, so that of two callers that change the same file each sees
    /// what the other did.
    pub(crate) writing: Mutex<()>,
}

/// What a path names.
#[derive(Debug)]
pub(crate) enum Place<'a> {
    /// What lies above several roots: a folder with the roots in it.
    Top,
    /// Something in a root, by the parts of its path.
    In(&'a Root, Vec<String>),
}

impl Filesystem {
    /// Opens the folders. It blocks while it does, so it belongs before the serving.
    ///
    /// # Errors
    ///
    /// When there is none, one does not exist or cannot be read, two have the same name, one that may only be read lies in
    /// one that may be written, or a glob cannot be read.
    pub fn open(config: &FilesystemConfig) -> Result<Self, ConfigError> {
        let FilesystemConfig { roots, deny, show_hidden, limits } = config;
        if roots.is_empty() {
            return Err(ConfigError::new("roots", "must name at least one directory"));
        }
        let key = |n: usize| format!("roots[{n}]");
        let opened = roots.iter().enumerate().map(|(n, root)| Root::open(root, &key(n)));
        let mut roots = opened.collect::<Result<Vec<_>, _>>()?;
        for (n, root) in roots.iter().enumerate() {
            for other in &roots[..n] {
                if other.name == root.name {
                    let problem = format!("`{}` is taken: give each root a name of its own", root.name);
                    return Err(ConfigError::new(format!("{}.name", key(n)), problem));
                }
            }
            let is_open = |other: &Root| !other.read_only && root.real.starts_with(&other.real);
            if root.read_only && roots.iter().any(is_open) {
                let problem = "may only be read, but lies in a root that may be written";
                return Err(ConfigError::new(format!("{}.path", key(n)), problem));
            }
        }
        if roots.len() > 1 {
            roots.iter_mut().for_each(|root| root.prefix = format!("{}/", root.name));
        }
        let policy = Policy::new(deny, *show_hidden)?;
        let permits = Arc::new(Semaphore::new(limits.max_concurrent.get()));
        let disk = Disk { roots, policy, limits: limits.clone(), writing: Mutex::default() };
        Ok(Self { disk: Arc::new(disk), permits })
    }

    /// The names of the roots, and whether each may only be read.
    pub fn roots(&self) -> impl ExactSizeIterator<Item = (&str, bool)> {
        self.disk.roots.iter().map(|root| (root.name.as_str(), root.read_only))
    }

    /// Whether there is no root that may be written.
    pub fn is_read_only(&self) -> bool {
        self.disk.roots.iter().all(|root| root.read_only)
    }

    /// Runs work on the disk. Dropping the future stops it.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Disk, &Job) -> Result<T, FilesystemError> + Send + 'static,
    {
        let disk = Arc::clone(&self.disk);
        job::run(&self.permits, self.disk.limits.timeout, move |job| work(&disk, job)).await
    }
}

impl Disk {
    /// What a path names: relative to the root, or beginning with the root's name if there are several, or from the
    /// machine's root if it lies in one of the roots.
    pub(crate) fn place(&self, text: &str) -> Result<Place<'_>, FilesystemError> {
        let refuse = |problem: &str| Err(FilesystemError::Refused(problem.into()));
        if text.is_empty() {
            return refuse("the path is empty: `.` is the directory itself");
        }
        if text.len() > MAX_PATH {
            return refuse("the path is too long");
        }
        if text.contains('\0') {
            return refuse("the path has a NUL in it");
        }
        if text.contains("://") {
            return refuse("this is a URI: write a path, relative to the allowed directory");
        }
        if is_of_windows(text) {
            return refuse(
                "the path is one of Windows: write it relative to the allowed directory, with `/`",
            );
        }
        let outside = || FilesystemError::Outside { path: text.into() };
        if text.starts_with('/') {
            let parts = plain_parts(text).ok_or_else(outside)?;
            let path = Path::new("/").join(parts.join("/"));
            let found = self.roots.iter().filter_map(|root| Some((root, root.within(&path)?)));
            // Of roots that lie in each other, the innermost.
            let found = found.min_by_key(|(_, rest)| rest.components().count());
            let (root, rest) = found.ok_or_else(outside)?;
            let parts = rest.iter().filter_map(|part| part.to_str()).map(str::to_owned).collect();
            return Ok(Place::In(root, parts));
        }
        let mut parts = plain_parts(text).ok_or_else(outside)?;
        if let [root] = self.roots.as_slice() {
            return Ok(Place::In(root, parts));
        }
        if parts.is_empty() {
            return Ok(Place::Top);
        }
        let name = parts.remove(0);
        let root = self.roots.iter().find(|root| root.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.roots.iter().map(|root| root.name.as_str()).collect();
            let names = names.join("`, `");
            FilesystemError::Refused(format!("a path here begins with the name of a directory: `{names}`"))
        })?;
        Ok(Place::In(root, parts))
    }

    /// Walks to something that must be in a root.
    pub(crate) fn locate(&self, text: &str, last: Last) -> Result<(&Root, Located), FilesystemError> {
        match self.place(text)? {
            Place::In(root, parts) => Ok((root, root.locate(&parts, last, &self.policy)?)),
            Place::Top => {
                Err(FilesystemError::Refused("`.` stands for several directories here: name one".into()))
            }
        }
    }

    /// Opens the folders that a path stands for: one, or all roots, each with its path in its root.
    pub(crate) fn folders(&self, text: &str) -> Result<Vec<(&Root, Dir, String)>, FilesystemError> {
        let open = |root: &Root, parts: &[String]| {
            let at = root.locate(parts, Last::Follow, &self.policy)?;
            let shown = root.show(&at.path);
            match &at.metadata {
                None => return Err(FilesystemError::NotFound { path: shown }),
                Some(metadata) if !metadata.is_dir() => {
                    return Err(FilesystemError::Refused(format!("`{shown}` is no directory")));
                }
                Some(_) => {}
            }
            let dir = at.open_dir().map_err(|error| FilesystemError::io(&shown, error))?;
            Ok((dir, at.path))
        };
        let opened = |root, parts: &[String]| open(root, parts).map(|(dir, path)| (root, dir, path));
        match self.place(text)? {
            Place::In(root, parts) => Ok(vec![opened(root, &parts)?]),
            Place::Top => self.roots.iter().map(|root| opened(root, &[])).collect(),
        }
    }
}

/// The parts of a path without `.` and `..`; none if it leads above where it begins.
fn plain_parts(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part.to_owned()),
        }
    }
    Some(parts)
}

/// A path such as `C:\x` or `\\host\share`: taken for a name, it would make a file of that name in the wrong place.
fn is_of_windows(text: &str) -> bool {
    let bytes = text.as_bytes();
    let drive = bytes.len() > 1 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
    drive && matches!(bytes.get(2), None | Some(b'/' | b'\\')) || text.contains('\\')
}
